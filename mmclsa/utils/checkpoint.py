"""Saying what is wrong with a checkpoint before anything is built on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.state_dicts import with_state_dict
from mmclsa.utils.torch_files import read_torch_file

__all__ = ['check_fits', 'check_whole', 'is_url', 'latest_checkpoint', 'read_checkpoint']


def is_url(path: str) -> bool:
    """Tell a remote address from a path.

    Args:
        path: Path or address, such as ``https://...`` or ``torchvision://...``.

    Example:
        >>> is_url('https://example.org/a.pth'), is_url('work_dirs/a.pth')
        (True, False)
    """
    return '://' in path


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint, or weights alone.

    Args:
        path: Local file: MMEngine's checkpoint, a mapping of names to tensors,
            one that has such a mapping under ``model`` or the like (see
            :mod:`mmclsa.utils.state_dicts`), or a ``.safetensors`` file.

    Returns:
        The checkpoint; ``state_dict`` is in it.

    Raises:
        ConfigError: If the file is absent or is no checkpoint, or has code in
            it and is not trusted.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        hint = ' as a file: it is a folder' if file.is_dir() else ''
        raise ConfigError(f'the checkpoint {path} does not exist{hint}')
    content = read_torch_file(file)
    checkpoint = with_state_dict(content)
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get('state_dict'), dict):
        found = f'has {_listed(content)}' if isinstance(content, dict) else 'is one value'
        raise ConfigError(
            f'the checkpoint {path} has no field "state_dict", and no weights under another name: '
            f'it {found}'
        )
    return checkpoint


def _listed(content: Mapping[Any, Any]) -> str:
    return ', '.join(map(repr, list(content)[:8])) or 'nothing in it'


def check_fits(parameters: Iterable[str], checkpoint: dict[str, Any], path: str | Path) -> None:
    """Refuse a checkpoint of some other model.

    MMEngine loads what has the same name and only warns about the rest, so
    a wholly foreign checkpoint would leave the model as it was initialised.

    Args:
        parameters: Names in the ``state_dict`` of the model.
        checkpoint: What :func:`read_checkpoint` gave.
        path: Where it came from, for the message.

    Raises:
        ConfigError: If not one name is in both.

    Example:
        >>> check_fits(['head.weight'], {'state_dict': {'module.head.weight': 0}}, 'a.pth')
        >>> check_fits(['head.weight'], {'state_dict': {'fc.weight': 0}}, 'a.pth')
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: the checkpoint a.pth is of another model: none ... head.weight
    """
    wanted = list(parameters)
    given = {name.removeprefix('module.') for name in checkpoint['state_dict']}
    if given.isdisjoint(wanted):
        raise ConfigError(
            f'the checkpoint {path} is of another model: none of its {len(given)} tensors '
            f'has a name that the config expects, such as {wanted[0]}'
        )


def check_whole(
    state: Mapping[str, Any],
    checkpoint: dict[str, Any],
    path: str | Path,
    training_only: str = '.id_losses.',
) -> None:
    """Refuse a checkpoint that leaves a part of the model as it was initialised.

    For testing: figures of a model that is random in part look like figures.

    Args:
        state: ``state_dict`` of the model.
        checkpoint: What :func:`read_checkpoint` gave.
        path: Where it came from, for the message.
        training_only: Tensors with this in their name are not used at test
            time: the classifiers, which belong to the training identities.

    Raises:
        ConfigError: If a tensor is missing or has another shape.

    Example:
        >>> import torch
        >>> model = {'neck.weight': torch.ones(2, 3), 'head.id_losses.0.weight': torch.ones(9)}
        >>> check_whole(model, {'state_dict': {'neck.weight': torch.ones(2, 3)}}, 'a.pth')
        >>> check_whole(model, {'state_dict': {'neck.weight': torch.ones(4, 3)}}, 'a.pth')
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: ... neck.weight must have the shape (2, 3), but has (4, 3)
    """
    given = {name.removeprefix('module.'): v for name, v in checkpoint['state_dict'].items()}
    wanted = {name: tensor for name, tensor in state.items() if training_only not in name}
    missing = [name for name in wanted if name not in given]
    if missing:
        raise ConfigError(
            f'the checkpoint {path} lacks {len(missing)} of the {len(wanted)} tensors that the '
            f'config expects, such as {missing[0]}'
        )
    for name, tensor in wanted.items():
        shape = getattr(given[name], 'shape', ())
        if shape != tensor.shape:
            raise ConfigError(
                f'the checkpoint {path} does not fit the config: {name} must have the shape '
                f'{tuple(tensor.shape)}, but has {tuple(shape)}'
            )


def latest_checkpoint(work_dir: str | Path) -> str:
    """Find the checkpoint that a training run wrote last.

    Returns:
        Path that the file ``last_checkpoint`` names.

    Raises:
        ConfigError: If the folder holds nothing to resume from.
    """
    pointer = Path(work_dir) / 'last_checkpoint'
    if not pointer.is_file():
        raise ConfigError(f'there is nothing to resume in {work_dir}: no file last_checkpoint')
    target = pointer.read_text().strip()
    beside = Path(work_dir) / Path(target).name
    for candidate in (Path(target), beside):
        if candidate.is_file():
            return str(candidate)
    raise ConfigError(f'the checkpoint {target} that {pointer} names does not exist')
