"""MMDetection's visualizer, for person search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData

from mmclsa.registry import VISUALIZERS
from mmclsa.visualization.canvas import GREEN, GREY, QUERY, RED, Colour, draw_boxes, write_picture
from mmclsa.visualization.rank_lists import RankedPerson, draw_rank_list

__all__ = ['PersonSearchVisualizer']

_GROUND_TRUTH: Colour = GREEN
_DETECTION: Colour = RED


@VISUALIZERS.register_module()
class PersonSearchVisualizer(DetLocalVisualizer):
    """Draw people with their ids, queries and ranked results.

    Takes the place of ``mmdet.DetLocalVisualizer`` in a config: with
    MMDetection's ``DetVisualizationHook`` and ``draw=True`` it draws the test
    images, ground truth at the left (green with the person's id, grey for
    people without one), queries in blue, detections with their scores at the
    right.

    Args:
        args: Of ``mmdet.DetLocalVisualizer``.
        kwargs: Of ``mmdet.DetLocalVisualizer``.
    """

    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: DetDataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        pred_score_thr: float = 0.3,
        step: int = 0,
    ) -> None:
        """Draw a scene's people and store the picture.

        Args:
            name: Of the picture.
            image: Shape (H, W, 3), RGB, original pixels.
            data_sample: Ground truth, queries and detections, any of them.
            draw_gt: Draw ground truth and queries.
            draw_pred: Draw detections.
            show: Open a window.
            wait_time: Seconds to show it.
            out_file: Write the picture there instead of to the backends.
            pred_score_thr: Leave out detections below this score.
            step: Of the training run.
        """
        picture = np.ascontiguousarray(image.clip(0, 255).astype(np.uint8))
        panels = []
        if data_sample is not None:
            sample = data_sample.cpu()
            if draw_gt and 'gt_instances' in sample:
                panels.append(_draw_truth(picture, sample))
            if draw_pred and 'pred_instances' in sample:
                panels.append(_draw_detections(picture, sample.pred_instances, pred_score_thr))
        drawn = np.concatenate(panels, axis=1) if panels else picture
        self.set_image(drawn)
        if show:
            self.show(drawn, win_name=name, wait_time=wait_time)
        self._store(name, drawn, out_file, step)

    def add_rank_list(
        self,
        name: str,
        query: RankedPerson,
        hits: Sequence[RankedPerson],
        title: str = '',
        out_file: str | Path | None = None,
        step: int = 0,
    ) -> None:
        """Draw a query with its hits and store the picture.

        Args:
            name: Of the picture.
            query: Who was looked for.
            hits: What was found, best first.
            title: A line above.
            out_file: Write the picture there instead of to the backends.
            step: Of the training run.
        """
        drawn = draw_rank_list(query, hits, title)
        self.set_image(drawn)
        self._store(name, drawn, out_file, step)

    def _store(self, name: str, drawn: np.ndarray, out_file: str | Path | None, step: int) -> None:
        if out_file is not None:
            write_picture(out_file, drawn)
        else:
            self.add_image(name, drawn, step)


def _draw_truth(picture: np.ndarray, sample: Any) -> np.ndarray:
    people = sample.gt_instances
    boxes = _boxes(people.bboxes)
    ids = people.person_ids.tolist() if 'person_ids' in people else [-1] * len(boxes)
    drawn = draw_boxes(
        picture,
        boxes,
        labels=[str(person) if person >= 0 else '' for person in ids],
        colours=[_GROUND_TRUTH if person >= 0 else GREY for person in ids] or GREY,
    )
    if 'query_instances' in sample and 'bboxes' in sample.query_instances:
        queries = sample.query_instances
        numbers = queries.query_ids.tolist() if 'query_ids' in queries else []
        labels = [f'query {number}' for number in numbers] or None
        drawn = draw_boxes(drawn, _boxes(queries.bboxes), labels, QUERY, thickness=1)
    return drawn


def _draw_detections(picture: np.ndarray, found: InstanceData, threshold: float) -> np.ndarray:
    kept = found[found.scores >= threshold]
    labels = [f'{score:.2f}' for score in kept.scores.tolist()]
    return draw_boxes(picture, _boxes(kept.bboxes), labels, _DETECTION)


def _boxes(boxes: Any) -> np.ndarray:
    """Take boxes as a tensor or as MMDetection's box structure."""
    return np.asarray(getattr(boxes, 'tensor', boxes), dtype=float).reshape(-1, 4)
