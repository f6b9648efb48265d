"""Former home of :class:`~mmclsa.utils.converting.Rule`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from mmclsa.utils.converting import Rule, rename_tensors

__all__ = ['Rule', 'rename_weights']


def rename_weights(
    weights: Mapping[str, Tensor], rules: Sequence[Rule], path: str | Path, kind: str
) -> dict[str, Tensor]:
    """Give :func:`~mmclsa.utils.converting.rename_tensors` its former name and result."""
    return rename_tensors(weights, rules, path, kind)[0]
