"""RoI heads that describe people while they detect them: OIM, NAE and SeqNet."""

from mmclsa.models.roi_heads.anchors import RoundedAnchorGenerator
from mmclsa.models.roi_heads.embedding_head import RoIEmbeddingHead
from mmclsa.models.roi_heads.norms import NormAwareScore, NormedLinear
from mmclsa.models.roi_heads.person_bbox_head import PersonBBoxHead
from mmclsa.models.roi_heads.reid_roi_head import NormAwareRoIHead, ReIDRoIHead
from mmclsa.models.roi_heads.res_layer import RoIResLayer
from mmclsa.models.roi_heads.sequential_roi_head import RefinedRoIHead, SequentialRoIHead

__all__ = [
    'NormAwareRoIHead',
    'NormAwareScore',
    'NormedLinear',
    'PersonBBoxHead',
    'ReIDRoIHead',
    'RefinedRoIHead',
    'RoIEmbeddingHead',
    'RoIResLayer',
    'RoundedAnchorGenerator',
    'SequentialRoIHead',
]
