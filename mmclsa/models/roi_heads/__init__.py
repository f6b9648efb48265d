"""RoI heads that describe people while they detect them: OIM, NAE, SeqNet and COAT."""

from mmclsa.models.roi_heads.anchors import RoundedAnchorGenerator
from mmclsa.models.roi_heads.bn_neck_classifier import BNNeckIdentityLoss
from mmclsa.models.roi_heads.cascade_embedding import CascadeEmbeddingHead
from mmclsa.models.roi_heads.coat_roi_head import COATRoIHead, OccludedRoIHead
from mmclsa.models.roi_heads.embedding_head import RoIEmbeddingHead
from mmclsa.models.roi_heads.norms import NormAwareScore, NormedLinear
from mmclsa.models.roi_heads.occluded_attention import OccludedAttention
from mmclsa.models.roi_heads.person_bbox_head import PersonBBoxHead
from mmclsa.models.roi_heads.reid_roi_head import NormAwareRoIHead, ReIDRoIHead
from mmclsa.models.roi_heads.res_layer import RoIResLayer
from mmclsa.models.roi_heads.sequential_roi_head import RefinedRoIHead, SequentialRoIHead

__all__ = [
    'BNNeckIdentityLoss',
    'COATRoIHead',
    'CascadeEmbeddingHead',
    'NormAwareRoIHead',
    'NormAwareScore',
    'NormedLinear',
    'OccludedAttention',
    'OccludedRoIHead',
    'PersonBBoxHead',
    'ReIDRoIHead',
    'RefinedRoIHead',
    'RoIEmbeddingHead',
    'RoIResLayer',
    'RoundedAnchorGenerator',
    'SequentialRoIHead',
]
