"""Any MMDetection detector and a re-ID branch: a person searcher."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmdet.models.detectors.base import BaseDetector
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.models.checks import check_sizes, with_defaults
from mmclsa.models.precision import at_least_float32
from mmclsa.models.reid.base import SceneBatch, scale_factors
from mmclsa.models.reid.boxes import give_people_size
from mmclsa.models.searchers.float32_boxes import keep_boxes_in_float32
from mmclsa.models.searchers.taps import record_backbone, record_proposals, record_refined
from mmclsa.models.searchers.training_boxes import TrainingBoxes
from mmclsa.registry import MODELS
from mmclsa.utils.config_mistakes import check_arguments

__all__ = ['PersonSearcher']


def _in_mmdet_scope(cfg: dict[str, Any]) -> dict[str, Any]:
    """Let a config taken from MMDetection name its parts without a prefix."""
    return with_defaults(cfg, _scope_='mmdet')


@MODELS.register_module()
class PersonSearcher(BaseDetector):
    """Detect everybody in a scene and describe each with an embedding.

    Training samples carry ``gt_instances.{bboxes, labels, person_ids}`` (-1 =
    unlabelled); test samples may list ``query_instances.{bboxes, query_ids}``,
    boxes in original pixels. Predictions are
    ``pred_instances.{bboxes, scores, labels, embeddings}`` and
    ``query_instances.embeddings``, from one pass over the picture.

    Args:
        detector: Config of any MMDetection detector with a ``backbone``, as
            MMDetection writes it (names need no ``mmdet.`` prefix; own ones
            need ``mmclsa.``). None for a ``CropReID`` alone, which trains on
            crops and is tested with ground-truth boxes.
        reid: Config of a re-ID branch, such as ``SceneReID`` or ``CropReID``, or
            ``RoIReID`` where the detector's own RoI head describes people.
        data_preprocessor: Config of the preprocessor; None for the detector's.
        freeze_detector: Train the re-ID branch alone: the detector has no
            loss, no gradient, and stays in evaluation mode.
        train_boxes: Options of :class:`TrainingBoxes`; None for its defaults.
        person_label: The detector's label of a person; detections of other
            classes are dropped (0 in COCO and in person-search data sets).
        use_gt_boxes: At test time take ground-truth boxes, with score 1,
            instead of detections: the upper bound of detection.
        init_cfg: Initialisation config.

    Raises:
        ConfigError: If there is no detector, and the branch or the test needs
            one.
    """

    def __init__(
        self,
        detector: dict[str, Any] | None,
        reid: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        freeze_detector: bool = False,
        train_boxes: dict[str, Any] | None = None,
        person_label: int = 0,
        use_gt_boxes: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        # What MMEngine builds for a runner does not come through our registry.
        plain = dict(freeze_detector=freeze_detector, use_gt_boxes=use_gt_boxes)
        check_arguments(PersonSearcher, {**plain, 'train_boxes': train_boxes, 'reid': reid})
        check_sizes('PersonSearcher', 0, person_label=person_label)
        check_arguments(PersonSearcher, dict(detector=detector))
        own = copy.copy(detector)
        own_preprocessor = own.pop('data_preprocessor', None) if own else None
        preprocessor = data_preprocessor or own_preprocessor
        check_arguments(PersonSearcher, dict(data_preprocessor=preprocessor))
        super().__init__(preprocessor and _in_mmdet_scope(preprocessor), init_cfg)
        detector_module: Any = MODELS.build(_in_mmdet_scope(own)) if own else None
        self.detector: Any = detector_module
        self.reid = MODELS.build(reid)
        if own:
            keep_boxes_in_float32(detector_module)
            self.reid.attach(detector_module)
        else:
            _check_needs_no_detector(self.reid, use_gt_boxes)
        # What is not there has no loss and nothing to train.
        self.freeze_detector = freeze_detector or not own
        self.train_boxes = TrainingBoxes(**(train_boxes or {}))
        self.person_label = person_label
        self.use_gt_boxes = use_gt_boxes
        if freeze_detector and own:
            detector_module.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> PersonSearcher:
        """Switch mode; a frozen detector stays in evaluation mode."""
        super().train(mode)
        if self.freeze_detector and self.detector is not None:
            self.detector.eval()
        return self

    def extract_feat(self, batch_inputs: Tensor) -> Any:
        """Extract the detector's features of inputs (B, 3, H, W)."""
        return self.detector.extract_feat(batch_inputs)

    def _forward(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample] | None = None
    ) -> Any:
        return self.detector._forward(batch_inputs, batch_data_samples)

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]) -> dict[str, Any]:
        """Compute the detector's and the re-ID branch's losses.

        Args:
            batch_inputs: Shape (B, 3, H, W), normalised and padded.
            batch_data_samples: One sample a scene, with ``gt_instances`` in
                input pixels.

        Returns:
            The detector's own losses, ``loss_id_*`` and ``loss_align_*``.
        """
        give_people_size(batch_data_samples)
        losses, scenes, proposals = self._detector_loss(batch_inputs, batch_data_samples)
        if self.reid.trained_by_detector and not self.freeze_detector:
            return losses
        drawn = [
            self.train_boxes.draw(
                get_box_tensor(sample.gt_instances.bboxes),
                sample.gt_instances.person_ids,
                proposals[index] if proposals else None,
            )
            for index, sample in enumerate(batch_data_samples)
        ]
        losses.update(self.reid.loss(scenes, *zip(*drawn)))
        return losses

    def _detector_loss(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]
    ) -> tuple[dict[str, Any], SceneBatch, list[Tensor]]:
        if self.freeze_detector:
            return {}, self._frozen_scenes(batch_inputs, batch_data_samples), []
        tap = self._proposal_tap(len(batch_data_samples))
        with record_backbone(self.detector) as outputs, tap as proposals:
            losses = self.detector.loss(batch_inputs, batch_data_samples)
        return dict(losses), SceneBatch(outputs[-1], batch_data_samples), proposals

    def _proposal_tap(self, num_scenes: int) -> AbstractContextManager[list[Tensor]]:
        if not self.train_boxes.proposals:
            return nullcontext([])
        if self.train_boxes.refined:
            return record_refined(self.detector, num_scenes, self.person_label)
        return record_proposals(self.detector)

    @torch.no_grad()
    def _frozen_scenes(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]
    ) -> SceneBatch:
        """Look at scenes without detecting anybody."""
        needed = self.reid.needs_backbone
        feats = tuple(self.detector.backbone(batch_inputs)) if needed else None
        return SceneBatch(feats, batch_data_samples)

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample], rescale: bool = True
    ) -> list[DetDataSample]:
        """Detect and describe people, and describe the queries of each scene.

        Args:
            batch_inputs: Shape (B, 3, H, W), normalised and padded.
            batch_data_samples: One sample a scene.
            rescale: Give boxes in original pixels; else in input pixels.

        Returns:
            The samples with ``pred_instances`` (embeddings (n, D), unit
            vectors) and, where queries are listed,
            ``query_instances.embeddings`` (q, D).
        """
        if self.use_gt_boxes:
            scenes = self._frozen_scenes(batch_inputs, batch_data_samples)
            detections = [_truth_as_detections(sample) for sample in batch_data_samples]
        else:
            scenes, detections = self._detect(batch_inputs, batch_data_samples)
        factors = scale_factors(batch_data_samples, like=batch_inputs)
        # Detections that come with embeddings need no second look.
        unknown = [found[:0] if 'embeddings' in found else found for found in detections]
        boxes = [
            torch.cat([people.bboxes, _query_boxes(sample, people.bboxes)]) * factor
            for people, sample, factor in zip(unknown, batch_data_samples, factors)
        ]
        embeddings = self.reid.embed(scenes, boxes)
        for sample, found, people, described, factor in zip(
            batch_data_samples, detections, unknown, embeddings, factors
        ):
            if 'embeddings' not in found:
                found.embeddings = described[: len(people)]
            if 'query_instances' in sample:
                sample.query_instances.embeddings = described[len(people) :]
            if not rescale:
                found.bboxes = found.bboxes * factor
            sample.pred_instances = found
        return batch_data_samples

    def _detect(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]
    ) -> tuple[SceneBatch, list[InstanceData]]:
        with record_backbone(self.detector) as outputs:
            results = self.detector.predict(batch_inputs, batch_data_samples, rescale=True)
        people = [self._people(result.pred_instances) for result in results]
        return SceneBatch(outputs[-1], batch_data_samples), people

    def _people(self, found: InstanceData) -> InstanceData:
        """Keep the detections of people; an untrained detector's boxes can be infinite."""
        boxes = at_least_float32(get_box_tensor(found.bboxes))  # a DETR's are half under autocast
        kept = (found.labels == self.person_label) & boxes.isfinite().all(dim=1)
        scores = at_least_float32(found.scores)
        people = InstanceData(bboxes=boxes, scores=scores, labels=found.labels)
        if 'embeddings' in found:
            people.embeddings = found.embeddings
        return people[kept]


def _check_needs_no_detector(reid: Any, use_gt_boxes: bool) -> None:
    if reid.needs_backbone:
        raise ConfigError(
            f'PersonSearcher.detector is None, but {type(reid).__name__} takes the features of its '
            'backbone: only a CropReID can be alone'
        )
    if not use_gt_boxes:
        raise ConfigError(
            'PersonSearcher.detector is None, so nobody can be detected: set use_gt_boxes=True, or '
            'join the re-ID network to a detector (tools/model_converters/join.py)'
        )


def _truth_as_detections(sample: DetDataSample) -> InstanceData:
    """Take a test sample's ground truth (original pixels) as detections.

    Raises:
        ConfigError: If it has neither that nor boxes that are to be described.
    """
    if 'gt_instances' in sample and 'bboxes' in sample.gt_instances:
        boxes = get_box_tensor(sample.gt_instances.bboxes).float()
        labels = sample.gt_instances.labels
    elif 'query_instances' in sample:  # boxes that somebody brings are all that is asked for
        boxes = torch.zeros(0, 4, device=get_box_tensor(sample.query_instances.bboxes).device)
        labels = boxes.new_zeros(0, dtype=torch.int64)
    else:
        raise ConfigError(
            'this model finds nobody by itself: it takes ground-truth boxes (use_gt_boxes=True), '
            f'but image {sample.metainfo.get("img_path") or sample.metainfo.get("img_id")} has '
            'none; give the boxes of people, or a model with a trained detector'
        )
    return InstanceData(bboxes=boxes, scores=boxes.new_ones(len(boxes)), labels=labels)


def _query_boxes(sample: DetDataSample, like: Tensor) -> Tensor:
    """Read the boxes (original pixels) of the queries that a sample lists."""
    if 'query_instances' not in sample:
        return like.new_zeros((0, 4))
    return get_box_tensor(sample.query_instances.bboxes).to(like)
