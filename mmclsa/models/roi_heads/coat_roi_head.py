"""COAT: a cascade of three stages, of which the last two describe people."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData
from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.models.checks import with_defaults, with_values
from mmclsa.models.roi_heads.cascade_embedding import CascadeEmbeddingHead
from mmclsa.models.roi_heads.sequential_roi_head import (
    BoxKeeping,
    RefinedRoIHead,
    SequentialRoIHead,
    stage_test_cfg,
)
from mmclsa.registry import MODELS
from mmclsa.utils.loss_names import is_reid_loss, name_of_stage

__all__ = ['COATRoIHead', 'OccludedRoIHead']


@MODELS.register_module()
class OccludedRoIHead(BoxKeeping, RefinedRoIHead):
    """A later stage of COAT: both levels of a RoI come from an :class:`OccludedAttention`.

    Args:
        options: Of :class:`RefinedRoIHead`; ``shared_head`` is the attention.
    """

    #: The stage before it, and the head that joins both embeddings; neither is this module's own.
    earlier: OccludedRoIHead | None = None
    joint: CascadeEmbeddingHead | None = None

    def join(self, earlier: OccludedRoIHead, joint: CascadeEmbeddingHead) -> None:
        """Describe detections by the stage before it, too, without owning it."""
        self.__dict__.update(earlier=earlier, joint=joint)

    def levels(self, aligned: Tensor) -> list[Tensor]:
        """Make the levels of aligned RoIs; see :meth:`ReIDRoIHead.levels`."""
        return self.shared_head.levels(aligned)

    def describe(self, x: Sequence[Tensor], rois: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Describe RoIs by both stages, where there is one before; see :class:`ReIDRoIHead`."""
        own = super().describe(x, rois, levels)
        if self.earlier is None or self.joint is None:
            return own
        assert self.earlier.embedder is not None
        before = self.earlier.embedder(self.earlier.extract(x, rois))
        return self.joint.combine([before, own])


@MODELS.register_module()
class COATRoIHead(SequentialRoIHead):
    """COAT: detect, then refine boxes and embeddings twice, by ever stricter IoUs.

    From Yu et al., "Cascade Transformers for End-to-End Person Search", CVPR
    2022. Each stage is trained on the boxes that the one before it has
    refined. At test time each takes the detections of the one before, after
    their suppression; the scores stay the first one's. People are described by
    the second and the third stage, on the boxes that the third one takes.

    Args:
        second_stage: Config of the second stage, an :class:`OccludedRoIHead`;
            ``test_cfg['second_stage']`` says how it differs in testing.
        third_stage: The same of the third stage.
        stage_ious: IoU with somebody from which on a RoI is theirs, a stage.
        train_cfg: MMDetection's ``train_cfg.rcnn``, but for those IoUs.
        test_cfg: MMDetection's ``test_cfg.rcnn``.
        bbox_roi_extractor: MMDetection's, of all stages.
        options: Of MMDetection's ``StandardRoIHead``.

    Raises:
        ConfigError: If there are not three IoUs between 0 and 1.
    """

    #: Of the re-ID branch; kept out of this module's own weights.
    embedder: CascadeEmbeddingHead | None = None

    def __init__(
        self,
        second_stage: dict[str, Any],
        third_stage: dict[str, Any],
        bbox_roi_extractor: dict[str, Any],
        stage_ious: Sequence[float] = (0.5, 0.6, 0.7),
        train_cfg: Any = None,
        test_cfg: Any = None,
        **options: Any,
    ) -> None:
        if len(stage_ious) != 3 or not all(0 < iou <= 1 for iou in stage_ious):
            raise ConfigError(
                f'stage_ious must be three numbers above 0 and up to 1, but is {stage_ious}'
            )
        first, *later = (_by_iou(train_cfg, iou) for iou in stage_ious)
        aligned = dict(bbox_roi_extractor=bbox_roi_extractor)
        super().__init__(
            with_values(with_defaults(second_stage, train_cfg=later[0]), **aligned),
            train_cfg=first,
            test_cfg=test_cfg,
            **aligned,
            **options,
        )
        own = stage_test_cfg(test_cfg, 'third_stage')
        defaults = dict(train_cfg=later[1], test_cfg=own)
        self.third_stage = MODELS.build(
            with_values(with_defaults(third_stage, **defaults), **aligned)
        )

    def attach(self, embedder: Any) -> None:
        """Let the second and the third stage embed; see :meth:`ReIDRoIHead.attach`.

        Args:
            embedder: The re-ID branch's head.

        Raises:
            ConfigError: If it has no head for each stage.
        """
        if not isinstance(embedder, CascadeEmbeddingHead):
            raise ConfigError(
                'COATRoIHead embeds in two stages, so the head of RoIReID must be a '
                f'CascadeEmbeddingHead, but is {type(embedder).__name__}'
            )
        self.__dict__['embedder'] = embedder
        self.second_stage.attach(embedder.stage_heads[0])
        self.third_stage.attach(embedder.stage_heads[1])
        self.third_stage.join(self.second_stage, embedder)

    @property
    def embedding_stage(self) -> Any:
        """The RoI head whose maps are embedded: this one, with those of two stages."""
        return self

    def extract(self, x: Sequence[Tensor], rois: Tensor) -> list[Tensor]:
        """Compute the maps that are embedded; see :meth:`ReIDRoIHead.extract`."""
        return self.levels(self.bbox_roi_extractor(x[: self.bbox_roi_extractor.num_inputs], rois))

    def levels(self, aligned: Tensor) -> list[Tensor]:
        """Make the levels of aligned RoIs: the second stage's, then the third one's."""
        return [*self.second_stage.levels(aligned), *self.third_stage.levels(aligned)]

    def forward(
        self,
        x: Sequence[Tensor],
        rpn_results_list: list[InstanceData],
        batch_data_samples: list[DetDataSample] | None = None,
    ) -> tuple[Any, ...]:
        """Compute all stages without any suppression, for a look at their cost."""
        rois = bbox2roi([proposals.bboxes for proposals in rpn_results_list])
        third = self.third_stage._bbox_forward(x, rois)
        return (*super().forward(x, rpn_results_list, batch_data_samples), *third['levels'])

    def loss(
        self,
        x: Sequence[Tensor],
        rpn_results_list: list[InstanceData],
        batch_data_samples: list[DetDataSample],
    ) -> dict[str, Tensor]:
        """Compute the losses of all stages.

        Args:
            x: The detector's feature maps.
            rpn_results_list: Proposals.
            batch_data_samples: One sample a scene, with ``gt_instances``.

        Returns:
            ``s0.*``, ``s1.*`` and ``s2.*`` of the three stages, and the
            identity losses ``loss_id_s1`` and ``loss_id_s2``.
        """
        losses = {
            name_of_stage(name, 1) if is_reid_loss(name) else name: loss
            for name, loss in super().loss(x, rpn_results_list, batch_data_samples).items()
        }
        refined = self.second_stage.pop_refined(batch_data_samples)
        third = self.third_stage.loss(x, refined, batch_data_samples)
        self.third_stage.sampled = None  # no stage comes after it
        return {**losses, **{name_of_stage(name, 2): loss for name, loss in third.items()}}

    def predict_bbox(
        self,
        x: Sequence[Tensor],
        batch_img_metas: list[dict[str, Any]],
        rpn_results_list: list[InstanceData],
        rcnn_test_cfg: Any,
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Detect with the first two stages, and describe and move their boxes with the third."""
        boxes = super().predict_bbox(x, batch_img_metas, rpn_results_list, rcnn_test_cfg)
        own = self.third_stage.test_cfg
        return self.third_stage.predict_bbox(x, batch_img_metas, boxes, own, rescale)


def _by_iou(train_cfg: Any, iou: float) -> Any:
    """Let RoIs be somebody's from an IoU on, and background below it."""
    if train_cfg is None:
        return None
    own = deepcopy(train_cfg)
    own['assigner'].update(pos_iou_thr=iou, neg_iou_thr=iou, min_pos_iou=iou)
    return own
