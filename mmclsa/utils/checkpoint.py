"""Saying what is wrong with a checkpoint before anything is built on it."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmclsa.compat import load_torch_file
from mmclsa.errors import ConfigError

__all__ = ['check_fits', 'is_url', 'latest_checkpoint', 'read_checkpoint']


def is_url(path: str) -> bool:
    """Tell a remote address from a path.

    Args:
        path: Path or address, such as ``https://...`` or ``torchvision://...``.

    Returns:
        Whether MMEngine fetches it from elsewhere.

    Example:
        >>> is_url('https://example.org/a.pth'), is_url('work_dirs/a.pth')
        (True, False)
    """
    return '://' in path


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a training checkpoint.

    Args:
        path: Local file.

    Returns:
        The checkpoint; ``state_dict`` is in it.

    Raises:
        ConfigError: If the file is absent or is no checkpoint.
    """
    if not Path(path).is_file():
        raise ConfigError(f'The checkpoint {path} does not exist.')
    try:
        checkpoint = load_torch_file(path)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise ConfigError(f'{path} is not a checkpoint, or is only a part of one.') from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get('state_dict'), dict):
        raise ConfigError(f'The checkpoint {path} has no field "state_dict".')
    return checkpoint


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
        mmclsa.errors.ConfigError: The checkpoint a.pth is of another model: none ... head.weight.
    """
    wanted = list(parameters)
    given = {name.removeprefix('module.') for name in checkpoint['state_dict']}
    if given.isdisjoint(wanted):
        raise ConfigError(
            f'The checkpoint {path} is of another model: none of its {len(given)} tensors '
            f'has a name that the config expects, such as {wanted[0]}.'
        )


def latest_checkpoint(work_dir: str | Path) -> str:
    """Find the checkpoint that a training run wrote last.

    Args:
        work_dir: Folder of the run.

    Returns:
        Path that the file ``last_checkpoint`` names.

    Raises:
        ConfigError: If the folder holds nothing to resume from.
    """
    pointer = Path(work_dir) / 'last_checkpoint'
    if not pointer.is_file():
        raise ConfigError(f'There is nothing to resume in {work_dir}: no file last_checkpoint.')
    target = pointer.read_text().strip()
    beside = Path(work_dir) / Path(target).name
    for candidate in (Path(target), beside):
        if candidate.is_file():
            return str(candidate)
    raise ConfigError(f'The checkpoint {target} that {pointer} names does not exist.')
