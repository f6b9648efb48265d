"""Losses: each a pure function and a thin module."""

from __future__ import annotations

from typing import Any

from mmclsa.models.losses.alignment import AlignmentLoss, LevelOutputs, build_alignment
from mmclsa.models.losses.alignment_sources import choose_sources, source_trust, standardized
from mmclsa.models.losses.contrastive import (
    SupervisedContrastiveLoss,
    supervised_contrastive_loss,
)
from mmclsa.models.losses.cross_entropy import labelled_cross_entropy
from mmclsa.models.losses.feature_alignment import (
    FeatureAlignmentLoss,
    RelationAlignmentLoss,
    relation_alignment_loss,
)
from mmclsa.models.losses.semantic_alignment import (
    SemanticAlignmentLoss,
    semantic_alignment_loss,
)
from mmclsa.models.losses.triplet import BatchHardTripletLoss, batch_hard_triplet_loss

__all__ = [
    'AlignmentLoss',
    'BatchHardTripletLoss',
    'FeatureAlignmentLoss',
    'LevelOutputs',
    'RelationAlignmentLoss',
    'SemanticAlignmentLoss',
    'SupervisedContrastiveLoss',
    'batch_hard_triplet_loss',
    'build_alignment',
    'choose_sources',
    'labelled_cross_entropy',
    'relation_alignment_loss',
    'semantic_alignment_loss',
    'source_trust',
    'standardized',
    'supervised_contrastive_loss',
]

# They hold weights or a memory and live in mmclsa.models.classifiers; this is where they were.
_FORMER = ('LinearIdentityLoss', 'OIMLoss', 'oim_logits')


def __getattr__(name: str) -> Any:
    if name not in _FORMER:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from mmclsa.models import classifiers

    return getattr(classifiers, name)
