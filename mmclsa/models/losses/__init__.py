"""Losses: each a pure function and a thin module."""

from mmclsa.models.losses.contrastive import (
    SupervisedContrastiveLoss,
    supervised_contrastive_loss,
)
from mmclsa.models.losses.identity import (
    IdentityLoss,
    LinearIdentityLoss,
    labelled_cross_entropy,
)
from mmclsa.models.losses.oim import OIMLoss, oim_logits
from mmclsa.models.losses.semantic_alignment import (
    SemanticAlignmentLoss,
    semantic_alignment_loss,
)
from mmclsa.models.losses.triplet import BatchHardTripletLoss, batch_hard_triplet_loss

__all__ = [
    'BatchHardTripletLoss',
    'IdentityLoss',
    'LinearIdentityLoss',
    'OIMLoss',
    'SemanticAlignmentLoss',
    'SupervisedContrastiveLoss',
    'batch_hard_triplet_loss',
    'labelled_cross_entropy',
    'oim_logits',
    'semantic_alignment_loss',
    'supervised_contrastive_loss',
]
