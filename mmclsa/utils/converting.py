"""Published checkpoints into ours: names, what is left over, and the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

import torch
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.utils.checkpoint import read_checkpoint
from mmclsa.utils.io import atomic_write

__all__ = [
    'Converted',
    'NameRule',
    'Rule',
    'check_tensors',
    'complete_branch',
    'convert_file',
    'read_weights',
    'rename_tensors',
    'save_weights',
]

_NAMED = 4  # names in a message
# What a network makes itself, and old files do not have: counters, and tables of places.
_OWN = ('num_batches_tracked', 'relative_position_index')


class Rule(NamedTuple):
    r"""What becomes of tensors whose names a pattern fits.

    Attributes:
        pattern: Regular expression of the whole name.
        target: The name here, with ``\1`` for the pattern's groups; None for
            what is left out.
        rows: Which rows of the tensor are taken, in which order; None for all.
            A tensor without rows (a counter) is left as it is.
    """

    pattern: str
    target: str | None
    rows: slice | list[int] | None = None


#: A rule, or its first two parts.
NameRule = Union[Rule, tuple[str, Optional[str]]]


@dataclass
class Converted:
    """What a converter made of a checkpoint.

    Attributes:
        weights: Tensors by our names.
        left_out: Names of the checkpoint's tensors that we have no use for.
        kind: The network that was found, in words.
        network: Its name in :data:`mmclsa.utils.backbones.EMBEDDINGS`; empty
            where it has none there.
    """

    weights: dict[str, Tensor]
    left_out: list[str] = field(default_factory=list)
    kind: str = ''
    network: str = ''


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read a checkpoint's tensors by name, and nothing that runs code.

    Args:
        path: Local file; see :func:`~mmclsa.utils.checkpoint.read_checkpoint`.

    Returns:
        The tensors, without the prefixes of wrappers in their names.

    Raises:
        ConfigError: If it is no checkpoint, or what it calls its weights has
            something else than tensors in it.
    """
    state = read_checkpoint(path)['state_dict']
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise ConfigError(
                f'the weights of {path} must be tensors by name, but {name} is a '
                f'{type(value).__name__}'
            )
    if not state:
        raise ConfigError(f'the weights of {path} must be tensors by name, but there are none')
    return dict(state)


def rename_tensors(
    weights: Mapping[str, Tensor], rules: Sequence[NameRule], path: str | Path, network: str
) -> tuple[dict[str, Tensor], list[str]]:
    r"""Give tensors other names, and take the rows of them that are ours.

    Args:
        weights: Tensors by their names.
        rules: The first whose pattern matches a whole name counts.
        path: Where they came from, for the message.
        network: What the file should be of, for the message.

    Returns:
        The tensors by their new names, and the names of those that a rule
        leaves out.

    Raises:
        ConfigError: If no rule knows a name, or two get the same one.

    Example:
        >>> rules = [Rule(r'fc\.(.*)', r'head.\1', [1, 0]), (r'classifier\..*', None)]
        >>> given = {'fc.bias': torch.tensor([1.0, 2.0]), 'classifier.bias': torch.ones(3)}
        >>> rename_tensors(given, rules, 'a.pth', 'a network')
        ({'head.bias': tensor([2., 1.])}, ['classifier.bias'])
    """
    whole_rules = [Rule(*rule) for rule in rules]
    renamed: dict[str, Tensor] = {}
    left_out, unknown = [], []
    for name, tensor in weights.items():
        matches = ((rule, re.fullmatch(rule.pattern, name)) for rule in whole_rules)
        rule, match = next(((rule, found) for rule, found in matches if found), (None, None))
        if rule is None or match is None:
            unknown.append(name)
            continue
        if rule.target is None:
            left_out.append(name)
            continue
        new = match.expand(rule.target)
        if new in renamed:
            raise ConfigError(f'{path} has two tensors that become {new}, one of them {name}')
        renamed[new] = tensor if rule.rows is None or tensor.dim() == 0 else tensor[rule.rows]
    if unknown:
        raise ConfigError(
            f'{path} must have the names of {network}, but {_count(unknown)} '
            f'{"is" if len(unknown) == 1 else "are"} none of them: {_some(unknown)}'
        )
    return renamed, left_out


def check_tensors(
    weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: str | Path
) -> None:
    """Refuse converted weights that are not, tensor for tensor, those of a model.

    Args:
        weights: The converted tensors.
        wanted: ``state_dict`` of the model or part. What a network makes
            itself, such as ``num_batches_tracked``, may be missing.
        path: Where the weights came from, for the message.

    Raises:
        ConfigError: If a tensor is missing, is one too many or has another
            shape.

    Example:
        >>> check_tensors({'a': torch.ones(2)}, {'a': torch.ones(2)}, 'a.pth')
        >>> check_tensors({'a': torch.ones(2)}, {'a': torch.ones(3)}, 'a.pth')
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: a.pth: a must have the shape (3,), but has (2,)
    """
    missing = [name for name in wanted if name not in weights and not name.endswith(_OWN)]
    if missing:
        raise ConfigError(
            f'{path} lacks {_count(missing)} that the network has (named as here): {_some(missing)}'
        )
    surplus = [name for name in weights if name not in wanted]
    if surplus:
        raise ConfigError(
            f'{path} has {_count(surplus)} that the network lacks (named as here): {_some(surplus)}'
        )
    for name, tensor in weights.items():
        if tensor.shape != wanted[name].shape:
            raise ConfigError(
                f'{path}: {name} must have the shape {tuple(wanted[name].shape)}, but has '
                f'{tuple(tensor.shape)}'
            )


def complete_branch(
    weights: Mapping[str, Tensor], backbone: nn.Module, head: nn.Module, path: str | Path
) -> dict[str, Tensor]:
    """Check converted weights of a re-ID branch, and add what a network makes itself.

    Args:
        weights: The converted tensors, ``reid.backbone.*`` and ``reid.head.*``.
        backbone: What the first must fit.
        head: What the others must fit, but for its classifiers.
        path: Where the weights came from, for the message.

    Raises:
        ConfigError: See :func:`check_tensors`.
    """
    parts = (('reid.backbone.', backbone), ('reid.head.', head))
    wanted = {
        prefix + name: tensor
        for prefix, part in parts
        for name, tensor in part.state_dict().items()
        if not name.startswith('id_losses.')
    }
    check_tensors(weights, wanted, path)
    return {**wanted, **weights}


def save_weights(weights: Mapping[str, Tensor], out: str | Path, origin: str) -> None:
    """Write a checkpoint of weights alone, whole or not at all; ``meta`` names the origin.

    Raises:
        UserError: If the folder cannot be written to.
    """
    # Clones: a view of a larger tensor would be saved with all of it.
    plain = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}
    with atomic_write(out) as temporary:
        torch.save({'meta': {'converted_from': origin}, 'state_dict': plain}, temporary)


def convert_file(
    path: str | Path,
    out: str | Path,
    convert: Callable[[dict[str, Tensor], str | Path], Converted],
) -> Converted:
    """Read a published file, convert it, write ours, and say what was done.

    Raises:
        ConfigError: If the file is not what the converter knows.
    """
    converted = convert(read_weights(path), path)
    save_weights(converted.weights, out, f'{converted.kind} ({Path(path).name})')
    print(f'{out}: {converted.kind}, {_count(list(converted.weights))}')
    if converted.left_out:
        print(f'left out {_count(converted.left_out)}: {_some(converted.left_out)}')
    if converted.network:
        print(
            f'MMCLSA_REID_WEIGHTS={out} python tools/test.py configs/reid/osnet-x1.0_yolox-nano.py '
            f'--cfg-options network={converted.network} searches with it'
        )
    return converted


def _count(names: Sequence[Any]) -> str:
    return f'{len(names)} tensor{"" if len(names) == 1 else "s"}'


def _some(names: Sequence[str]) -> str:
    more = f' and {len(names) - _NAMED} more' if len(names) > _NAMED else ''
    return ', '.join(names[:_NAMED]) + more
