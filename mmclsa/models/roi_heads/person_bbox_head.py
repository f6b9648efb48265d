"""A box head that remembers which RoI each detection came from."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.layers import multiclass_nms
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models.reid.pooling import StripePooling
from mmclsa.registry import MODELS

__all__ = ['PersonBBoxHead']


@MODELS.register_module()
class PersonBBoxHead(BBoxHead):
    """MMDetection's box head for one class, on the pooled map of a RoI.

    Args:
        pool: How the map is pooled: 'avg' or 'max'.
        options: Of MMDetection's class.

    Raises:
        ConfigError: If there is more than one class.
    """

    def __init__(self, pool: str = 'max', **options: Any) -> None:
        options = {'num_classes': 1, **options}
        super().__init__(roi_feat_size=1, **options)
        if self.num_classes != 1:
            raise ConfigError(f'num_classes must be 1 (a person), but is {self.num_classes}')
        self.pooling = StripePooling(pool)
        if self.with_reg and not isinstance(self.fc_reg, nn.Linear) and 'init_cfg' not in options:
            # Any other layer than MMDetection's default has initialised itself.
            self.init_cfg: Any = list(self.init_cfg)[: int(self.with_cls)]

    def forward(self, x: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Predict from maps (N, C, H, W): scores (N, 2) and deltas (N, 4)."""
        return super().forward(self.pooling(x))

    def detect(
        self,
        rois: Tensor,
        scores: Tensor,
        deltas: Tensor,
        img_meta: dict[str, Any],
        test_cfg: Any,
        rescale: bool,
    ) -> tuple[InstanceData, Tensor]:
        """Move the RoIs of a scene and suppress all but the best of each person.

        Args:
            rois: Shape (n, 5), x1 y1 x2 y2 in input pixels in the last columns.
            scores: Of a person, shape (n,), 0..1.
            deltas: Shape (n, 4).
            img_meta: ``img_shape`` and ``scale_factor`` of the scene.
            test_cfg: ``score_thr``, ``nms`` and ``max_per_img``.
            rescale: Give boxes in original pixels.

        Returns:
            The detections, and the index of the RoI that each is of.
        """
        if len(rois) == 0:
            nobody = torch.zeros(0, dtype=torch.int64, device=rois.device)
            return InstanceData(bboxes=rois[:, 1:], scores=scores, labels=nobody), nobody
        both = torch.stack([scores, 1 - scores], dim=1)
        # Without a test config MMDetection gives every box, before suppression. Only the boxes are
        # taken: it would have logits in place of the scores.
        every = super()._predict_by_feat_single(rois, both, deltas, img_meta, rescale, None)
        found, labels, kept = multiclass_nms(
            every.bboxes,
            both,
            test_cfg.score_thr,
            test_cfg.nms,
            test_cfg.max_per_img,
            return_inds=True,
        )
        # Of equal scores the earlier RoI comes first, as in torchvision; MMCV leaves it open.
        order = kept.argsort()
        order = order[found[order, 4].argsort(descending=True, stable=True)]
        boxes, confidence = found[order, :4], found[order, 4]
        return InstanceData(bboxes=boxes, scores=confidence, labels=labels[order]), kept[order]

    def _predict_by_feat_single(
        self,
        roi: Tensor,
        cls_score: Tensor,
        bbox_pred: Tensor,
        img_meta: dict[str, Any],
        rescale: bool = False,
        rcnn_test_cfg: Any = None,
    ) -> InstanceData:
        """Detect as :meth:`detect` does where MMDetection asks; see its method."""
        if rcnn_test_cfg is None:
            return super()._predict_by_feat_single(roi, cls_score, bbox_pred, img_meta, rescale)
        scores = cls_score.softmax(dim=1)[:, 0]
        return self.detect(roi, scores, bbox_pred, img_meta, rcnn_test_cfg, rescale)[0]
