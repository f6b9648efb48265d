"""MMEngine's metric around detection alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional import evaluate_detection
from mmclsa.evaluation.metrics.detection_parts import figures_by_name, figures_of_parts
from mmclsa.evaluation.metrics.scene_results import boxes_of_scene, results_by_scene
from mmclsa.evaluation.report import format_results
from mmclsa.registry import METRICS

__all__ = ['PersonDetectionMetric']


@METRICS.register_module()
class PersonDetectionMetric(BaseMetric):
    """Detection figures of a detector alone, by the rule of person search.

    For MMDetection's own detectors on the test set of a person-search data
    set: no embeddings are needed, and no COCO JSON. The figures are those that
    :class:`~mmclsa.evaluation.metrics.PersonSearchMetric` has of the same
    boxes: ``detection/recall`` and ``detection/ap``, and
    ``detection/labeled_recall``, of people with an identity alone, all in
    [0, 1]. Of a ``ConcatPersonSearchDataset`` there are also
    ``detection/<data set>_detection/recall`` and ``ap``.

    Convention:
        Boxes x1 y1 x2 y2, widths x2 - x1. A detection is right if its IoU with a person
        is ``iou_thresh`` or more and each is the best match of the other; AP is
        multiplied by the recall, as in SeqNet. Two people, one of them found by one
        box: recall 0.5, AP 0.5.

    Args:
        detection_thresh: Detections below this score take no part.
        iou_thresh: Least IoU of a match.
        person_label: The detector's label of a person; detections of other
            classes are dropped.
        collect_device: As for ``mmengine.evaluator.BaseMetric``.
        prefix: As for ``mmengine.evaluator.BaseMetric``.
    """

    default_prefix = 'detection'

    def __init__(
        self,
        detection_thresh: float = 0.01,
        iou_thresh: float = 0.5,
        person_label: int = 0,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        for name, value in (('detection_thresh', detection_thresh), ('iou_thresh', iou_thresh)):
            if not 0 <= value <= 1:
                raise ConfigError(f'PersonDetectionMetric.{name} must lie in 0..1, not {value}')
        self.detection_thresh = detection_thresh
        self.iou_thresh = iou_thresh
        self.person_label = person_label

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the boxes of people of a batch.

        Args:
            data_batch: Not used.
            data_samples: With ``img_id`` and ``pred_instances`` (``bboxes``,
                ``scores``, ``labels``).
        """
        self.results.extend(boxes_of_scene(sample, self.person_label) for sample in data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the figures of all scenes' results.

        Args:
            results: Those of all processes, in any order.

        Returns:
            Figure by name, without the prefix.

        Raises:
            ConfigError: If the data set is none of ours in test mode.
            DataError: If a scene was not predicted.
        """
        meta: Mapping[str, Any] = self.dataset_meta or {}
        scenes = meta.get('scenes')
        if not scenes:
            raise ConfigError(
                'PersonDetectionMetric needs a person-search data set with test_mode=True'
            )
        in_order = results_by_scene(results, scenes)
        found = [(result['boxes'], result['scores']) for result in in_order]
        everybody, labelled = (
            evaluate_detection(scenes, found, self.detection_thresh, self.iou_thresh, only)
            for only in (False, True)
        )
        parts = figures_of_parts(meta, found, self.detection_thresh, self.iou_thresh)
        print_log('\n' + format_results([], everybody, parts), logger='current')
        return {
            **dict(recall=everybody.recall, ap=everybody.ap, labeled_recall=labelled.recall),
            **figures_by_name(parts),
        }
