"""Where mixed precision stops within MMDetection's detectors."""

from __future__ import annotations

from typing import Any

from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.roi_heads.roi_extractors.base_roi_extractor import BaseRoIExtractor
from torch import Tensor, nn

from mmclsa.models.precision import at_least_float32

__all__ = ['keep_boxes_in_float32']


def keep_boxes_in_float32(detector: nn.Module) -> None:
    """Let a detector's boxes and scores be float32 under autocast.

    MMCV's RoIAlign has no bfloat16 kernel, nor has its NMS on the CPU, so
    that a two-stage detector would end in an error. And MMDetection hands the
    RoI extractor its boxes in the precision of the features: float16 places a
    corner at x > 1024 to a whole pixel, bfloat16 one at x > 256 to two.
    Convolutions and linear layers compute as autocast has it; what they say
    of boxes is widened before it is decoded.

    Args:
        detector: A two-stage or dense detector; a DETR, which refines boxes
            within its decoder, is left as it is. Without autocast all compute
            as ever.
    """
    for module in detector.modules():
        if isinstance(module, BaseRoIExtractor):
            module.register_forward_pre_hook(_widen_input)
        elif isinstance(module, (BaseDenseHead, BBoxHead)):
            module.register_forward_hook(_widen_output)


def _widen_input(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    feats, rois, *rest = args
    return (_widen(feats), _widen(rois), *rest)


def _widen_output(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
    return _widen(output)


def _widen(value: Any) -> Any:
    """Raise half precision to float32, in lists and tuples too; leave the rest alone."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return at_least_float32(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_widen(part) for part in value)
    return value
