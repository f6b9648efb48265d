"""Keeping float32 where half precision would spoil a loss."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ['at_least_float32', 'full_precision']

_HALF = (torch.float16, torch.bfloat16)


def at_least_float32(values: Tensor) -> Tensor:
    """Raise half precision to float32; leave float32 and float64 alone.

    Args:
        values: Any shape, floating point.

    Returns:
        The same values, float32 or wider.

    Example:
        >>> import torch
        >>> at_least_float32(torch.ones(1, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return values.float() if values.dtype in _HALF else values


def full_precision(like: Tensor) -> torch.autocast:
    """Switch autocast off for a block.

    Args:
        like: A tensor on the device that the block works on.

    Returns:
        A context manager.

    Example:
        >>> import torch
        >>> with torch.autocast('cpu', dtype=torch.bfloat16), full_precision(torch.ones(1)):
        ...     (torch.ones(1, 1) @ torch.ones(1, 1)).dtype
        torch.float32
    """
    return torch.autocast(device_type=like.device.type, enabled=False)
