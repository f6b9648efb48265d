"""Alignment of the levels' embeddings themselves, or of who resembles whom."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmclsa.models.checks import check_number
from mmclsa.models.losses.alignment import AlignmentLoss, LevelOutputs
from mmclsa.models.precision import at_least_float32, full_precision
from mmclsa.registry import MODELS

__all__ = ['FeatureAlignmentLoss', 'RelationAlignmentLoss', 'relation_alignment_loss']


@MODELS.register_module()
class FeatureAlignmentLoss(AlignmentLoss):
    """Pull the embeddings of lower levels towards the top level's.

    The squared distance of unit vectors, ``2 - 2 cos``: what the alignment of
    predictions is compared with (docs/alignment.md). The top level gets no
    gradient.

    Args:
        loss_weight: Weight of the term.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def of_levels(self, outputs: LevelOutputs) -> dict[int, Tensor]:
        """Compute the mean distance over people; see :class:`AlignmentLoss`."""
        *targets, source = (at_least_float32(rows) for rows in outputs.embeddings)
        source = source.detach()
        if outputs.followed is not None:
            source = source[outputs.followed]
        losses = {}
        for level, target in enumerate(targets):
            distances = 2 - 2 * F.cosine_similarity(target, source, dim=1)
            if outputs.weight is not None:
                distances = distances * outputs.weight
            losses[level] = self.loss_weight * distances.sum() / outputs.avg_factor
        return losses


def relation_alignment_loss(
    source: Tensor, target: Tensor, person_ids: Tensor, temperature: float = 0.1
) -> Tensor:
    """Make a level find those alike whom the source finds alike.

    The KL divergence between two softmaxes over everybody else in the batch,
    of cosine / temperature; mean over people, no gradient into the source. The
    probability form of relational distillation (Passalis and Tefas, "Learning
    Deep Representations with Probabilistic Knowledge Transfer", ECCV 2018).

    Args:
        source: Embeddings (N, D), any length.
        target: Embeddings (N, E), any length.
        person_ids: Shape (N,); people of -1 take no part.
        temperature: Of the softmax, > 0.

    Returns:
        A scalar >= 0; 0 with a gradient path for fewer than two people.

    Example:
        >>> import torch
        >>> rows = torch.eye(3)
        >>> relation_alignment_loss(rows, 2 * rows, torch.tensor([0, 1, 2])).item()
        0.0
    """
    labelled = person_ids >= 0
    source, target = (F.normalize(at_least_float32(e[labelled])) for e in (source, target))
    count = len(target)
    if count < 2:
        return target.sum() * 0
    others = ~torch.eye(count, dtype=torch.bool, device=target.device)
    with full_precision(target):
        scores = [
            (e @ e.T / temperature)[others].view(count, -1) for e in (source.detach(), target)
        ]
    wanted, given = (score.log_softmax(dim=1) for score in scores)
    return F.kl_div(given, wanted, reduction='batchmean', log_target=True)


@MODELS.register_module()
class RelationAlignmentLoss(AlignmentLoss):
    """Module around :func:`relation_alignment_loss`, over the people of all ranks.

    Args:
        temperature: Of the softmax, > 0. The default is ours.
        loss_weight: Weight of the term.
    """

    compares_people = True

    def __init__(self, temperature: float = 0.1, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_number('RelationAlignmentLoss', 0, above=True, temperature=temperature)
        self.temperature = temperature
        self.loss_weight = loss_weight

    def of_levels(self, outputs: LevelOutputs) -> dict[int, Tensor]:
        """Align the relations of everybody; see :class:`AlignmentLoss`."""
        assert outputs.everybody_ids is not None
        *targets, source = outputs.everybody
        return {
            level: self.loss_weight
            * relation_alignment_loss(source, target, outputs.everybody_ids, self.temperature)
            for level, target in enumerate(targets)
        }
