"""Models: searchers, re-ID branches, necks, losses and memories."""

from mmclsa.models.classifiers import LinearIdentityLoss, OIMLoss
from mmclsa.models.losses import BatchHardTripletLoss, SemanticAlignmentLoss
from mmclsa.models.memory import IdentityMemory
from mmclsa.models.necks import CLSANeck
from mmclsa.models.reid import CropReID, MultiScaleReIDHead, RoIReID, SceneReID
from mmclsa.models.roi_heads import (
    NormAwareRoIHead,
    ReIDRoIHead,
    RoIEmbeddingHead,
    SequentialRoIHead,
)
from mmclsa.models.searchers import PersonSearcher
from mmclsa.utils.mmengine_loader import guard_checkpoint_loader

__all__ = [
    'BatchHardTripletLoss',
    'CLSANeck',
    'CropReID',
    'IdentityMemory',
    'LinearIdentityLoss',
    'MultiScaleReIDHead',
    'NormAwareRoIHead',
    'OIMLoss',
    'PersonSearcher',
    'ReIDRoIHead',
    'RoIEmbeddingHead',
    'RoIReID',
    'SceneReID',
    'SemanticAlignmentLoss',
    'SequentialRoIHead',
]

guard_checkpoint_loader()
