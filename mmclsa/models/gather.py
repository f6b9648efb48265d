"""Gathering the people of all ranks, once a step and with a gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, get_rank, get_world_size
from torch import Tensor

from mmclsa.models.precision import at_least_float32

__all__ = ['RowGatherer']


class _AllRanks(torch.autograd.Function):
    """Stack a tensor of all ranks, with the gradient of one process.

    Every rank then computes the same loss on the same rows, and takes the
    gradient of its own rows alone; the sum over ranks is the gradient of one
    process. DistributedDataParallel averages over ranks instead of adding,
    hence the factor. Nothing is communicated in the backward pass.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        """Gather rows (n, C) into (ranks, n, C)."""
        return torch.stack(all_gather(rows.contiguous()))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """Keep this rank's part, times the number of ranks."""
        return grad[get_rank()] * get_world_size()


class RowGatherer:
    """Concatenate rows of all ranks in one collective.

    The ranks may have different numbers of rows, also none. All columns
    travel in one buffer of a size that all ranks know; its first row says how
    many rows follow. Only a batch that outgrows the buffer costs a second
    collective, and enlarges it on every rank. Tensors travel, no pickles.

    Every rank must call it equally often. In one process it gives back what
    it was given.

    Args:
        capacity: Rows that the buffer has at first.

    Example:
        >>> import torch
        >>> ids, boxes = RowGatherer()([torch.tensor([3, 5]), torch.rand(2, 4)])
        >>> ids.tolist(), boxes.shape
        ([3, 5], torch.Size([2, 4]))
    """

    def __init__(self, capacity: int = 256) -> None:
        self.capacity = capacity

    def __call__(self, columns: Sequence[Tensor]) -> list[Tensor]:
        """Gather columns.

        Args:
            columns: Each (n,) or (n, C_k), n the same for all on this rank;
                integers below 2^24 in magnitude travel exactly.

        Returns:
            The columns over all ranks, in the order of the ranks; integers
            with their type, floats float32 or wider. A gradient flows into
            this rank's rows, as :class:`_AllRanks` tells.
        """
        if get_world_size() == 1:
            return list(columns)
        packed = _pack(columns)
        gathered, lengths = self._exchange(packed)
        longest = max(lengths)
        if longest > self.capacity:
            self.capacity = -(-longest // 256) * 256
            gathered, lengths = self._exchange(packed)
        rows = torch.cat([part[1 : 1 + length] for part, length in zip(gathered, lengths)])
        return _unpack(rows, columns)

    def _exchange(self, packed: Tensor) -> tuple[Tensor, list[int]]:
        """Gather the buffers (ranks, 1 + capacity, C) and read the numbers of rows."""
        header = packed.new_full((1, packed.shape[1]), float(len(packed)))
        kept = packed[: self.capacity]
        body = F.pad(kept, (0, 0, 0, self.capacity - len(kept)))
        gathered = _AllRanks.apply(torch.cat([header, body]))
        # The one wait for the device: everything after it needs to know the numbers of rows.
        return gathered, [int(length) for length in gathered[:, 0, 0].tolist()]


def _pack(columns: Sequence[Tensor]) -> Tensor:
    """Lay columns side by side, in the widest floating-point type among them."""
    parts = [column.reshape(len(column), _width(column)) for column in columns]
    floats = [at_least_float32(part) for part in parts if part.is_floating_point()]
    dtype = floats[0].dtype if floats else torch.float32
    return torch.cat([part.to(dtype) for part in parts], dim=1)


def _unpack(rows: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Take side-by-side columns apart again."""
    widths = [_width(column) for column in like]
    columns = []
    for part, column in zip(rows.split(widths, dim=1), like):
        part = part.reshape(len(rows), *column.shape[1:])
        columns.append(part if column.is_floating_point() else part.round().to(column.dtype))
    return columns


def _width(column: Tensor) -> int:
    """Count the numbers of a row, also where there is no row."""
    return column.shape[1:].numel()
