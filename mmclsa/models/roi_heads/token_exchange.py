"""Occlusion made up: people of a batch exchange a stripe of their maps."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ['Exchange', 'draw_exchange', 'exchange_stripe']


class Exchange(NamedTuple):
    """Who gets which part of a map from whom.

    Attributes:
        order: Shape (N,), a permutation: the n-th map gets its part from the
            ``order[n]``-th.
        rows: Rows of the part.
        columns: Columns of the part.
    """

    order: Tensor
    rows: slice
    columns: slice


def draw_exchange(people: int, height: int, width: int, stripe: int) -> Exchange:
    """Draw whole rows or whole columns, as likely, and an order of people.

    Args:
        people: Number of maps.
        height: Of a map, in cells.
        width: Of a map, in cells.
        stripe: How many rows or columns, >= 1; at most all.

    Returns:
        The exchange, drawn by PyTorch's generator of the CPU.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> drawn = draw_exchange(3, 4, 2, stripe=1)
        >>> drawn.order.tolist(), drawn.rows, drawn.columns
        ([2, 1, 0], slice(3, 4, None), slice(0, 2, None))
    """
    along_rows = bool(torch.randint(2, ()) == 0)
    extent = height if along_rows else width
    start = int(torch.randint(max(extent - stripe, 0) + 1, ()))
    part, whole = slice(start, start + stripe), slice(0, width if along_rows else height)
    order = torch.randperm(people)
    return Exchange(order, part, whole) if along_rows else Exchange(order, whole, part)


def exchange_stripe(maps: Tensor, exchange: Exchange) -> Tensor:
    """Put a stripe of other people's maps in place of each map's own.

    Args:
        maps: Shape (N, C, H, W).
        exchange: Of N maps.

    Returns:
        Shape (N, C, H, W), a new tensor; gradients flow to whom a part is of.

    Example:
        >>> maps = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[:, None, None]
        >>> swapped = Exchange(torch.tensor([1, 0]), slice(0, 1), slice(1, 2))
        >>> exchange_stripe(maps, swapped).squeeze().tolist()
        [[1.0, 4.0], [3.0, 2.0]]
    """
    mixed = maps.clone()
    part = maps[:, :, exchange.rows, exchange.columns]
    mixed[:, :, exchange.rows, exchange.columns] = part[exchange.order.to(maps.device)]
    return mixed
