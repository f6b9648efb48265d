"""Batch-hard triplet loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmclsa.models.checks import check_number
from mmclsa.models.precision import at_least_float32, full_precision
from mmclsa.registry import MODELS

__all__ = ['BatchHardTripletLoss', 'batch_hard_triplet_loss']


def batch_hard_triplet_loss(
    embeddings: Tensor, person_ids: Tensor, margin: float | None = 0.3
) -> Tensor:
    """Push the nearest stranger further away than the furthest self.

    From Hermans, Beyer and Leibe, "In Defense of the Triplet Loss for Person
    Re-Identification", 2017. Distances are Euclidean. People that have no
    second picture or no stranger in the batch, and unlabelled people, take no
    part.

    Args:
        embeddings: Shape (N, D).
        person_ids: Shape (N,), -1 = unlabelled.
        margin: Distance wanted between the two; None for the soft margin
            ``log(1 + exp(d_positive - d_negative))``.

    Returns:
        A scalar, the mean over anchors; 0 with a gradient path if there is none.

    Example:
        >>> import torch
        >>> points = torch.tensor([[0.0], [1.0], [3.0], [5.0]])
        >>> batch_hard_triplet_loss(points, torch.tensor([0, 0, 1, 1]), margin=1.0)
        tensor(0.2500)
    """
    points = at_least_float32(embeddings)
    labelled = person_ids >= 0
    pairs = labelled[:, None] & labelled[None, :]
    same = person_ids[:, None] == person_ids[None, :]
    itself = torch.eye(len(person_ids), dtype=torch.bool, device=person_ids.device)
    positive, stranger = pairs & same & ~itself, pairs & ~same
    if len(points) == 0:
        return points.sum() * 0
    anchors = positive.any(dim=1) & stranger.any(dim=1)
    with full_precision(points):
        # Not by a matrix product: differences of near copies would drown in rounding.
        distances = torch.cdist(points, points, compute_mode='donot_use_mm_for_euclid_dist')
    hardest_positive = distances.masked_fill(~positive, -torch.inf).amax(dim=1)
    hardest_stranger = distances.masked_fill(~stranger, torch.inf).amin(dim=1)
    # -inf where there is no such pair, hence no loss and no gradient.
    gap = hardest_positive - hardest_stranger
    values = F.softplus(gap) if margin is None else F.relu(gap + margin)
    return values.sum() / anchors.sum().clamp(min=1)


@MODELS.register_module()
class BatchHardTripletLoss(nn.Module):
    """Module around :func:`batch_hard_triplet_loss`.

    Args:
        margin: Distance wanted; None for the soft margin.
        loss_weight: Weight of the term.
    """

    def __init__(self, margin: float | None = 0.3, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_number('BatchHardTripletLoss', 0, margin=margin)
        self.margin = margin
        self.loss_weight = loss_weight

    def forward(self, embeddings: Tensor, person_ids: Tensor) -> Tensor:
        """Compute the weighted loss of embeddings (N, D) with ids (N,)."""
        return self.loss_weight * batch_hard_triplet_loss(embeddings, person_ids, self.margin)
