"""Gathering tensors of differing length from all ranks."""

from __future__ import annotations

import torch
from mmengine.dist import all_gather, get_world_size
from torch import Tensor

__all__ = ['gather_rows']


def gather_rows(rows: Tensor) -> Tensor:
    """Concatenate the rows of all ranks, in the order of the ranks.

    The lengths may differ and may be 0. Tensors travel, no pickles.

    Args:
        rows: Shape (n, ...), the same trailing shape on every rank.

    Returns:
        Shape (sum of n, ...); without distributed training, ``rows`` itself.

    Example:
        >>> import torch
        >>> gather_rows(torch.zeros(3, 2)).shape
        torch.Size([3, 2])
    """
    if get_world_size() == 1:
        return rows
    lengths = torch.cat(all_gather(torch.tensor([len(rows)], device=rows.device))).tolist()
    padded = rows.new_zeros((max(lengths), *rows.shape[1:]))
    padded[: len(rows)] = rows
    gathered = all_gather(padded)
    return torch.cat([part[:length] for part, length in zip(gathered, lengths)])
