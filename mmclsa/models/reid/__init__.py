"""Re-ID branches and their head."""

from mmclsa.models.reid.base import BaseReID, SceneBatch
from mmclsa.models.reid.crop_branch import CropBranch
from mmclsa.models.reid.crop_reid import CropReID
from mmclsa.models.reid.crops import crop_people, crop_scenes
from mmclsa.models.reid.global_head import GlobalReIDHead
from mmclsa.models.reid.head import MultiScaleReIDHead, concat_levels
from mmclsa.models.reid.onnx_reid import OnnxReID
from mmclsa.models.reid.person_block import PersonBlock
from mmclsa.models.reid.roi_reid import RoIReID
from mmclsa.models.reid.scene_reid import SceneReID

__all__ = [
    'BaseReID',
    'CropBranch',
    'CropReID',
    'GlobalReIDHead',
    'MultiScaleReIDHead',
    'OnnxReID',
    'PersonBlock',
    'RoIReID',
    'SceneBatch',
    'SceneReID',
    'concat_levels',
    'crop_people',
    'crop_scenes',
]
