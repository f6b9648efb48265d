"""Cross entropy over identities."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from mmclsa.models.precision import at_least_float32

__all__ = ['labelled_cross_entropy']


def labelled_cross_entropy(
    logits: Tensor,
    person_ids: Tensor,
    label_smoothing: float = 0.0,
    avg_factor: float | None = None,
) -> Tensor:
    """Average the cross entropy over labelled people.

    Args:
        logits: Shape (N, C).
        person_ids: Shape (N,), in 0..C-1, or -1 for unlabelled people.
        label_smoothing: Share of probability spread over all identities.
        avg_factor: What the sum is divided by, > 0; None for the number of
            labelled people. With several processes it is their mean number a
            rank, so that the mean over ranks is the mean over people.

    Returns:
        A scalar, float32 or wider; 0 with a gradient path where nobody is
        labelled.

    Example:
        >>> import torch
        >>> logits = torch.zeros(2, 4)
        >>> labelled_cross_entropy(logits, torch.tensor([1, -1])).item() == torch.tensor(4.).log()
        tensor(True)
    """
    total = F.cross_entropy(
        at_least_float32(logits),
        person_ids,
        ignore_index=-1,
        reduction='sum',
        label_smoothing=label_smoothing,
    )
    return total / ((person_ids >= 0).sum().clamp(min=1) if avg_factor is None else avg_factor)
