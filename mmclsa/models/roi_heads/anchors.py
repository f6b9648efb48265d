"""Anchors as torchvision draws them."""

from __future__ import annotations

from typing import Any

from mmdet.models.task_modules.prior_generators import AnchorGenerator
from torch import Tensor

from mmclsa.registry import TASK_UTILS

__all__ = ['RoundedAnchorGenerator']


@TASK_UTILS.register_module()
class RoundedAnchorGenerator(AnchorGenerator):
    """MMDetection's anchors, their corners rounded to whole pixels.

    As torchvision has them, on which SeqNet's and NAE's published weights were
    trained: half a pixel matters to a person of 30.

    Example:
        >>> anchors = RoundedAnchorGenerator(strides=[16], ratios=[0.5], scales=[2])
        >>> anchors.base_anchors[0].tolist()
        [[-23.0, -11.0, 23.0, 11.0]]
    """

    def gen_single_level_base_anchors(self, *args: Any, **kwargs: Any) -> Tensor:
        """Generate the anchors of a level, shape (A, 4), around 0."""
        return super().gen_single_level_base_anchors(*args, **kwargs).round()
