"""Random numbers that follow from where the training is, not from how it came there."""

from __future__ import annotations

import random

import numpy as np
import torch

__all__ = ['seed_everything']


def seed_everything(*numbers: int) -> None:
    """Seed Python, NumPy and PyTorch with a number derived from all arguments.

    Args:
        *numbers: Integers of 0 or more, such as (seed, epoch, rank, position).

    Example:
        >>> seed_everything(5, 0, 1)
        >>> first = random.random()
        >>> seed_everything(5, 0, 1)
        >>> random.random() == first
        True
    """
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
