"""The re-ID branch that lives in the detector's own RoI head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.structures.bbox import bbox2roi
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models.reid.base import BaseReID, SceneBatch
from mmclsa.models.reid.boxes import boxes_for_alignment
from mmclsa.registry import MODELS

__all__ = ['RoIReID']


@MODELS.register_module()
class RoIReID(BaseReID):
    """Describe people by the detector's RoI head, as OIM, NAE, SeqNet and COAT do.

    The detector's losses include those of identity, on the RoIs that the RoI
    head samples, and its detections come with their embeddings; queries and
    ground-truth boxes go through the same RoI head. Only where the detector is
    frozen is the head trained on :class:`TrainingBoxes`, as other branches.

    Args:
        head: Config of a :class:`RoIEmbeddingHead`, or a :class:`CascadeEmbeddingHead` for COAT.
        init_cfg: Initialisation config.
    """

    needs_backbone = True
    trained_by_detector = True
    #: The detector; kept out of this module's own weights.
    detector: Any = None

    def attach(self, detector: nn.Module) -> None:
        """Work on a detector's RoI head, which takes the embedding head.

        Args:
            detector: With a :class:`ReIDRoIHead`, a :class:`SequentialRoIHead` or
                a :class:`COATRoIHead`.

        Raises:
            ConfigError: If it has another RoI head, or none.
        """
        roi_head: Any = getattr(detector, 'roi_head', None)
        if not hasattr(roi_head, 'attach'):
            found = 'none' if roi_head is None else type(roi_head).__name__
            raise ConfigError(
                'RoIReID needs a detector whose roi_head is a ReIDRoIHead, NormAwareRoIHead, '
                f'SequentialRoIHead or COATRoIHead, but the roi_head is {found}'
            )
        # Past nn.Module: the detector is the searcher's.
        self.__dict__['detector'] = detector
        roi_head.attach(self.head)

    def extract(self, scenes: SceneBatch, boxes: Sequence[Tensor]) -> list[Tensor]:
        """Compute the RoI head's maps of people; see :meth:`BaseReID.extract`."""
        feats = scenes.backbone_feats
        if feats is None:
            raise ValueError('RoIReID needs backbone_feats, but the scenes carry none')
        if self.detector.with_neck:
            feats = self.detector.neck(feats)
        return self.detector.roi_head.extract(feats, bbox2roi(boxes_for_alignment(boxes, feats[0])))
