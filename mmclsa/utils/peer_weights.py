"""Giving the weights of another code base the names they have here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from mmclsa.errors import ConfigError

__all__ = ['Rule', 'rename_weights']


class Rule(NamedTuple):
    r"""What becomes of tensors whose names a pattern fits.

    Attributes:
        pattern: Regular expression of the whole name.
        target: The name here, with ``\1`` for the pattern's groups; None for
            what is not used there either.
        rows: Which rows of the tensor are taken, in which order; None for all.
            A tensor without rows (a counter) is left as it is.
    """

    pattern: str
    target: str | None
    rows: slice | list[int] | None = None


def rename_weights(
    weights: Mapping[str, Tensor], rules: Sequence[Rule], path: str | Path, kind: str
) -> dict[str, Tensor]:
    r"""Rename the tensors of a checkpoint by rules.

    Args:
        weights: Name to tensor.
        rules: The first that fits a name counts.
        path: Where the weights are from, for messages.
        kind: Whose they should be, for messages.

    Returns:
        Name here to tensor.

    Raises:
        ConfigError: If no rule fits a name, or two tensors come to one name.

    Example:
        >>> import torch
        >>> rules = [Rule(r'head\.(weight|bias)', r'fc.\1', [1, 0])]
        >>> rename_weights({'head.bias': torch.tensor([1.0, 2.0])}, rules, 'a.pth', 'Net')
        {'fc.bias': tensor([2., 1.])}
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        rule = next((rule for rule in rules if re.fullmatch(rule.pattern, name)), None)
        if rule is None:
            raise ConfigError(
                f'the checkpoint {path} has the tensor {name}, which {kind} does not have: '
                f'is it a checkpoint of {kind}?'
            )
        if rule.target is None:
            continue
        target = re.sub(rule.pattern, rule.target, name)
        if target in renamed:
            raise ConfigError(f'the checkpoint {path} has two tensors for {target}')
        whole = rule.rows is None or tensor.dim() == 0
        renamed[target] = (tensor if whole else tensor[rule.rows]).clone()
    return renamed
