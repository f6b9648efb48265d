"""SeqNet's two stages: detect, then describe the better boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData
from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.models.checks import with_defaults
from mmclsa.models.roi_heads.embedding_head import RoIEmbeddingHead
from mmclsa.models.roi_heads.reid_roi_head import NormAwareRoIHead
from mmclsa.registry import MODELS
from mmclsa.utils.loss_names import is_reid_loss, name_of_stage

__all__ = ['BoxKeeping', 'RefinedRoIHead', 'SequentialRoIHead', 'refine_boxes', 'stage_test_cfg']

_STAGE_SCORES = ('first', 'second')


def refine_boxes(
    head: Any, rois: Tensor, deltas: Tensor, shapes: Sequence[tuple[int, int]]
) -> list[InstanceData]:
    """Move RoIs by the deltas that a box head predicts for them.

    Args:
        head: A class-agnostic or one-class ``BBoxHead``.
        rois: Shape (N, 5), scene first, of all scenes.
        deltas: Shape (N, 4).
        shapes: Height and width of each scene, to which boxes are clipped.

    Returns:
        The boxes of each scene, as ``bboxes`` (n_i, 4) without a gradient.
    """
    refined = []
    for scene, shape in enumerate(shapes):
        own = rois[:, 0] == scene
        boxes = head.bbox_coder.decode(rois[own, 1:], deltas[own].detach(), max_shape=shape)
        refined.append(InstanceData(bboxes=boxes))
    return refined


def stage_test_cfg(test_cfg: Any, stage: str) -> Any:
    """Read how a later stage is tested.

    Args:
        test_cfg: MMDetection's ``test_cfg.rcnn``, or None.
        stage: The key in it that holds what is different in the stage.

    Returns:
        The stage's own, or None.

    Example:
        >>> stage_test_cfg(dict(score_thr=0.5, second_stage=dict(score_thr=0.1)), 'second_stage')
        {'score_thr': 0.1, 'second_stage': {'score_thr': 0.1}}
    """
    if test_cfg is None:
        return None
    return type(test_cfg)({**test_cfg, **(test_cfg.get(stage) or {})})


class BoxKeeping:
    """Keeps where a RoI head's boxes go in training, for the stage after it.

    Attributes:
        sampled: RoIs of the last loss (N, 5) and their deltas (N, 4), until
            the next stage has taken them.
    """

    bbox_head: Any
    sampled: tuple[Tensor, Tensor] | None = None

    def bbox_loss(
        self, x: Sequence[Tensor], sampling_results: list[SamplingResult]
    ) -> dict[str, Any]:
        """Compute the stage's loss, and keep its boxes and their deltas."""
        results: dict[str, Any] = super().bbox_loss(x, sampling_results)  # type: ignore[misc]
        rois = bbox2roi([result.priors for result in sampling_results])
        self.sampled = (rois, results['bbox_pred'].detach())
        return results

    def pop_refined(self, batch_data_samples: list[DetDataSample]) -> list[InstanceData]:
        """Give the boxes of the last loss as the stage moves them; see :func:`refine_boxes`."""
        assert self.sampled is not None
        sampled, self.sampled = self.sampled, None
        shapes = [sample.metainfo['img_shape'] for sample in batch_data_samples]
        return refine_boxes(self.bbox_head, *sampled, shapes)


@MODELS.register_module()
class RefinedRoIHead(NormAwareRoIHead):
    """SeqNet's second stage: NAE's head on boxes that a first stage has refined.

    Args:
        final: Whose score the detections have: the ``first`` stage's, as
            SeqNet has it, or its own (``second``).
        options: Of :class:`NormAwareRoIHead`.

    Raises:
        ConfigError: If there is no such stage.
    """

    def __init__(self, final: str = 'first', **options: Any) -> None:
        super().__init__(**options)
        if final not in _STAGE_SCORES:
            raise ConfigError(f'final must be one of {_STAGE_SCORES}, but is {final!r}')
        self.final = final

    def final_scores(self, logits: Tensor, proposals: Sequence[InstanceData]) -> Tensor:
        """Take the first stage's scores, or its own; see :meth:`ReIDRoIHead.final_scores`."""
        if self.final == 'second':
            return super().final_scores(logits, proposals)
        return torch.cat([people.scores for people in proposals])


@MODELS.register_module()
class SequentialRoIHead(BoxKeeping, StandardRoIHead):
    """SeqNet: a Faster R-CNN head, then NAE's head on the boxes that are left of it.

    From Li and Miao, "Sequential End-to-end Network for Efficient Person
    Search", AAAI 2021. In training the second stage samples among the refined
    boxes of the RoIs that the first one was trained on. At test time it takes
    the detections of the first one, after their suppression, and its own is
    done with what ``test_cfg['second_stage']`` says.

    Args:
        second_stage: Config of the second stage, a :class:`RefinedRoIHead`;
            it is trained and tested as the first one where it says nothing
            else.
        train_cfg: MMDetection's ``train_cfg.rcnn``.
        test_cfg: MMDetection's ``test_cfg.rcnn``.
        options: Of MMDetection's ``StandardRoIHead``.
    """

    def __init__(
        self,
        second_stage: dict[str, Any],
        train_cfg: Any = None,
        test_cfg: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(train_cfg=train_cfg, test_cfg=test_cfg, **options)
        configs = dict(train_cfg=train_cfg, test_cfg=stage_test_cfg(test_cfg, 'second_stage'))
        self.second_stage = MODELS.build(with_defaults(second_stage, **configs))

    def attach(self, embedder: RoIEmbeddingHead | None) -> None:
        """Let the second stage embed; see :meth:`ReIDRoIHead.attach`."""
        self.second_stage.attach(embedder)

    @property
    def embedding_stage(self) -> RefinedRoIHead:
        """The RoI head whose maps are embedded: the second stage."""
        return self.second_stage

    def extract(self, x: Sequence[Tensor], rois: Tensor) -> list[Tensor]:
        """Compute the maps that the second stage embeds; see :meth:`ReIDRoIHead.extract`."""
        return self.second_stage.extract(x, rois)

    def forward(
        self,
        x: Sequence[Tensor],
        rpn_results_list: list[InstanceData],
        batch_data_samples: list[DetDataSample] | None = None,
    ) -> tuple[Any, ...]:
        """Compute both stages without any suppression, for a look at their cost."""
        rois = bbox2roi([proposals.bboxes for proposals in rpn_results_list])
        first, second = self._bbox_forward(x, rois), self.second_stage._bbox_forward(x, rois)
        return (*(first[name] for name in ('cls_score', 'bbox_pred')), *second['levels'])

    def loss(
        self,
        x: Sequence[Tensor],
        rpn_results_list: list[InstanceData],
        batch_data_samples: list[DetDataSample],
    ) -> dict[str, Tensor]:
        """Compute the losses of both stages.

        Args:
            x: The detector's feature maps.
            rpn_results_list: Proposals.
            batch_data_samples: One sample a scene, with ``gt_instances``.

        Returns:
            ``s0.*`` of the first stage, ``s1.*`` of the second, and the
            identity losses under their own names.
        """
        losses = _of_stage(0, super().loss(x, rpn_results_list, batch_data_samples))
        refined = self.pop_refined(batch_data_samples)
        second = self.second_stage.loss(x, refined, batch_data_samples)
        return {**losses, **_of_stage(1, second)}

    def predict_bbox(
        self,
        x: Sequence[Tensor],
        batch_img_metas: list[dict[str, Any]],
        rpn_results_list: list[InstanceData],
        rcnn_test_cfg: Any,
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Detect with the first stage, and describe and move its boxes with the second."""
        boxes = super().predict_bbox(x, batch_img_metas, rpn_results_list, rcnn_test_cfg)
        own = self.second_stage.test_cfg
        return self.second_stage.predict_bbox(x, batch_img_metas, boxes, own, rescale)


def _of_stage(stage: int, losses: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name the detection losses of a stage as MMDetection's cascade does."""
    return {
        name if is_reid_loss(name) else name_of_stage(name, stage): value
        for name, value in losses.items()
    }
