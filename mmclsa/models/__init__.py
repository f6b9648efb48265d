"""Models: searchers, backbones, re-ID branches, necks, losses and memories."""

from mmclsa.models.backbones import OSNet, ReIDResNet, SoliderSwin
from mmclsa.models.classifiers import LinearIdentityLoss, OIMLoss
from mmclsa.models.losses import BatchHardTripletLoss, SemanticAlignmentLoss
from mmclsa.models.memory import IdentityMemory
from mmclsa.models.necks import CLSANeck
from mmclsa.models.reid import (
    CropReID,
    GlobalReIDHead,
    MultiScaleReIDHead,
    OnnxReID,
    RoIReID,
    SceneReID,
)
from mmclsa.models.roi_heads import (
    CascadeEmbeddingHead,
    COATRoIHead,
    NormAwareRoIHead,
    ReIDRoIHead,
    RoIEmbeddingHead,
    SequentialRoIHead,
)
from mmclsa.models.searchers import PersonSearcher, PersonSearchTTAModel
from mmclsa.utils.mmengine_loader import guard_checkpoint_loader

__all__ = [
    'BatchHardTripletLoss',
    'CLSANeck',
    'COATRoIHead',
    'CascadeEmbeddingHead',
    'CropReID',
    'GlobalReIDHead',
    'IdentityMemory',
    'LinearIdentityLoss',
    'MultiScaleReIDHead',
    'NormAwareRoIHead',
    'OIMLoss',
    'OSNet',
    'OnnxReID',
    'PersonSearchTTAModel',
    'PersonSearcher',
    'ReIDResNet',
    'ReIDRoIHead',
    'RoIEmbeddingHead',
    'RoIReID',
    'SceneReID',
    'SemanticAlignmentLoss',
    'SequentialRoIHead',
    'SoliderSwin',
]

guard_checkpoint_loader()
