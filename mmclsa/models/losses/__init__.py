"""Losses: each a pure function and a thin module."""

from mmclsa.models.losses.alignment import AlignmentLoss, LevelOutputs
from mmclsa.models.losses.alignment_sources import choose_sources, source_trust, standardized
from mmclsa.models.losses.contrastive import (
    SupervisedContrastiveLoss,
    supervised_contrastive_loss,
)
from mmclsa.models.losses.feature_alignment import (
    FeatureAlignmentLoss,
    RelationAlignmentLoss,
    relation_alignment_loss,
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
    'AlignmentLoss',
    'BatchHardTripletLoss',
    'FeatureAlignmentLoss',
    'IdentityLoss',
    'LevelOutputs',
    'LinearIdentityLoss',
    'OIMLoss',
    'RelationAlignmentLoss',
    'SemanticAlignmentLoss',
    'SupervisedContrastiveLoss',
    'batch_hard_triplet_loss',
    'choose_sources',
    'labelled_cross_entropy',
    'oim_logits',
    'relation_alignment_loss',
    'semantic_alignment_loss',
    'source_trust',
    'standardized',
    'supervised_contrastive_loss',
]
