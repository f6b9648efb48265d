"""A person searcher that looks at several versions of each picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.ops import batched_nms
from mmdet.models import DetTTAModel
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_flip, bbox_overlaps, get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmclsa.registry import MODELS

__all__ = ['PersonSearchTTAModel', 'average_views']

_IOU_THRESHOLD = 0.5  # MMDetection's own, as is the number of people
_MOST_PEOPLE = 100


def average_views(
    kept: Tensor, boxes: Tensor, embeddings: Tensor, views: Tensor, iou_threshold: float
) -> Tensor:
    """Average the embeddings that several views of a picture have of the same people.

    A person takes from each view the embedding of the box that overlaps most,
    if it overlaps enough.

    Args:
        kept: Rows (n,) of the people among the m detections of all views.
        boxes: Shape (m, 4), x1 y1 x2 y2 in pixels of the same picture.
        embeddings: Shape (m, D), unit vectors.
        views: Shape (m,), the view of each detection, from 0.
        iou_threshold: Least IoU of two boxes of one person, in [0, 1].

    Returns:
        Unit vectors (n, D).

    Example:
        >>> import torch
        >>> boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 3], [9, 9, 12, 12]])
        >>> units, views = torch.eye(3), torch.tensor([0, 1, 1])
        >>> average_views(torch.tensor([0, 2]), boxes, units, views, 0.5)
        tensor([[0.7071, 0.7071, 0.0000],
                [0.0000, 0.0000, 1.0000]])
    """
    overlaps = bbox_overlaps(boxes[kept], boxes)
    overlaps[torch.arange(len(kept), device=kept.device), kept] = 2  # also of a box of no size
    total = torch.zeros_like(embeddings[kept])
    for view in views.unique():
        best, row = torch.where(views == view, overlaps, -1).max(dim=1)
        total += torch.where((best >= iou_threshold)[:, None], embeddings[row], 0)
    return F.normalize(total)


@MODELS.register_module()
class PersonSearchTTAModel(DetTTAModel):
    """Test-time augmentation of a :class:`PersonSearcher`.

    Detections of all views of a picture are merged as by
    ``mmdet.DetTTAModel``, and a person's embedding is the mean over the views.
    Ground-truth boxes, where the searcher takes them, are the same in all views.

    The pipeline must load annotations after the flip, as MMDetection's do, so
    that they stay those of the picture that was not flipped.

    Args:
        module: The searcher, or its config.
        tta_cfg: ``nms`` and ``max_per_img``, as of ``mmdet.DetTTAModel``; None
            for an IoU of 0.5 and 100 people a picture.
        data_preprocessor: In place of the searcher's own; None for that.
    """

    def __init__(
        self,
        module: dict[str, Any] | nn.Module,
        tta_cfg: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(tta_cfg=tta_cfg, module=module, data_preprocessor=data_preprocessor)
        own = dict(tta_cfg or {})
        self.nms: dict[str, Any] = dict(own.get('nms') or dict(type='nms'))
        self.nms.setdefault('iou_threshold', _IOU_THRESHOLD)
        self.max_per_img = own.get('max_per_img', _MOST_PEOPLE)

    def test_step(self, data: dict[str, Any]) -> list[DetDataSample]:
        """Search all views of a batch of pictures.

        Args:
            data: ``inputs`` and ``data_samples``, each a list of views, each a
                list of pictures.

        Returns:
            A sample a picture, with boxes of the picture that was not flipped.
        """
        views = [[_mirrored(sample) for sample in view] for view in data['data_samples']]
        merged: list[DetDataSample] = super().test_step({**data, 'data_samples': views})
        return merged

    def _merge_single_sample(self, data_samples: Sequence[DetDataSample]) -> DetDataSample:
        """Merge what was predicted of the views of one picture."""
        views = [_mirrored(sample) for sample in data_samples]
        merged = views[0]
        merge = self._average if self.module.use_gt_boxes else self._merge
        merged.pred_instances = merge([view.pred_instances for view in views])
        if 'query_instances' in merged:
            merged.query_instances = self._average([view.query_instances for view in views])
        return merged

    def _average(self, views: Sequence[InstanceData]) -> InstanceData:
        """Average the embeddings of people whose boxes are the same in all views."""
        people = views[0]
        people.embeddings = F.normalize(torch.stack([v.embeddings for v in views]).sum(0))
        return people

    def _merge(self, views: Sequence[InstanceData]) -> InstanceData:
        """Merge what was detected in each view."""
        everybody = InstanceData.cat(list(views))
        if not len(everybody):
            return everybody
        boxes, embeddings = everybody.bboxes, everybody.embeddings
        found, rows = batched_nms(boxes, everybody.scores, everybody.labels, self.nms)
        rows = rows[: self.max_per_img]
        people: InstanceData = everybody[rows]
        people.scores = found[: len(rows), 4]  # a soft suppression lowers them
        numbers = torch.arange(len(views), device=rows.device)
        of_views = numbers.repeat_interleave(torch.tensor([len(view) for view in views]).to(rows))
        iou = self.nms['iou_threshold']
        people.embeddings = average_views(rows, boxes, embeddings, of_views, iou)
        return people


def _mirrored(sample: DetDataSample) -> DetDataSample:
    """Copy a sample of a flipped picture, with boxes of the original, or the other way round."""
    mirrored = sample.new()
    for name in ('gt_instances', 'query_instances', 'pred_instances'):
        if name in sample and 'bboxes' in sample.get(name):
            instances = sample.get(name).new()
            instances.bboxes = get_box_tensor(instances.bboxes)
            if sample.get('flip', False):
                flip = (sample.ori_shape, sample.flip_direction)
                instances.bboxes = bbox_flip(instances.bboxes, *flip)
            mirrored.set_field(instances, name, dtype=InstanceData)
    return mirrored
