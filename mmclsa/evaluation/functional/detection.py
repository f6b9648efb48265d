"""Detection recall and average precision, by the rule of person search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmclsa.evaluation.functional.average_precision import average_precision
from mmclsa.evaluation.functional.geometry import (
    aligned_iou,
    expand_ranges,
    pairwise_iou,
    rows_by_image,
)
from mmclsa.evaluation.functional.polygons import box_polygon_iou
from mmclsa.structures import Predictions, Scene, offsets_of

__all__ = ['DetectionResult', 'detections_of_scenes', 'evaluate_detection', 'mutual_best_matches']


@dataclass(frozen=True)
class DetectionResult:
    """Figures of detection.

    Attributes:
        recall: Share of people found, in [0, 1].
        ap: Average precision, in [0, 1].
    """

    recall: float
    ap: float


def mutual_best_matches(
    truths: np.ndarray, boxes: np.ndarray, iou_thresh: float = 0.5
) -> np.ndarray:
    """Match detections with people where each is the other's best overlap.

    Convention:
        A detection counts for the person it overlaps most, a person for the
        detection that overlaps it most, and only where the two agree and
        their IoU, in float32, reaches the threshold (>=). Scores play no part,
        unlike in COCO, where the best score chooses first. The rule is that of
        SeqNet (Li and Miao, AAAI 2021). Of two detections with an IoU of 0.8
        and 0.9 only the second matches.

    Args:
        truths: Shape (g, 4), x1 y1 x2 y2.
        boxes: Shape (d, 4).
        iou_thresh: Least IoU of a match.

    Returns:
        Shape (d,), bool: whether a detection matches.

    Example:
        >>> truth = np.array([[0.0, 0.0, 10.0, 10.0]])
        >>> boxes = np.array([[0.0, 0.0, 10.0, 8.0], [0.0, 0.0, 10.0, 9.0]])
        >>> mutual_best_matches(truth, boxes).tolist()
        [False, True]
    """
    return _matches([truths], [boxes], iou_thresh)


def _matches(
    truths: Sequence[np.ndarray], boxes: Sequence[np.ndarray], iou_thresh: float
) -> np.ndarray:
    """Match the detections of many scenes with their people, all at once.

    Args:
        truths: People of each scene, shape (g, 4).
        boxes: Detections of each scene, shape (d, 4).
        iou_thresh: Least IoU of a match.

    Returns:
        Shape (sum of d,), bool, scene after scene.
    """
    people, found = offsets_of([len(t) for t in truths]), [len(b) for b in boxes]
    everybody, all_boxes = np.concatenate(truths), np.concatenate(boxes)
    right = np.zeros(len(all_boxes), dtype=bool)
    counts = np.repeat(np.diff(people), found)
    # Every detection with every person of its scene.
    person = expand_ranges(np.repeat(people[:-1], found), counts)
    box = np.repeat(np.arange(len(all_boxes)), counts)
    if not len(box):
        return right
    # float32, in which the peers compare with the threshold.
    overlaps = aligned_iou(everybody[person], all_boxes[box]).astype(np.float32)
    best_person = _first_best(overlaps, box)
    order = np.argsort(person, kind='stable')
    best_box = order[_first_best(overlaps[order], person[order])]
    # The pairs that are the best of both sides.
    agreed = np.intersect1d(best_person, best_box, assume_unique=True)
    right[box[agreed[overlaps[agreed] >= iou_thresh]]] = True
    return right


def _first_best(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Give the place of the first largest value of each group; groups lie together."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    best = np.maximum.reduceat(values, starts)
    lengths = np.diff(np.append(starts, len(values)))
    places = np.where(values == np.repeat(best, lengths), np.arange(len(values)), len(values))
    return np.minimum.reduceat(places, starts)


def detections_of_scenes(
    scenes: Sequence[Scene], predictions: Predictions
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sort detections by scene, as :func:`evaluate_detection` takes them.

    Args:
        scenes: The annotated scenes.
        predictions: Detections, in any order of images.

    Returns:
        For each scene its boxes (n, 4) and scores (n,), in the order of the
        predictions.

    Example:
        >>> scene = Scene('a.jpg', np.zeros((1, 4)), np.array([0]), np.array([False]))
        >>> empty = np.zeros((0, 4))
        >>> found = Predictions(
        ...     np.array(['a.jpg']), np.ones((1, 4)), np.ones(1), np.ones((1, 2)),
        ...     np.zeros(0, str), empty, empty[:, :2])
        >>> [len(scores) for _, scores in detections_of_scenes([scene], found)]
        [1]
    """
    rows = rows_by_image(predictions.images, np.array([scene.image for scene in scenes]))
    return [(predictions.boxes[own], predictions.scores[own]) for own in rows]


def evaluate_detection(
    scenes: Sequence[Scene],
    found: Sequence[tuple[np.ndarray, np.ndarray]],
    score_thresh: float = 0.01,
    iou_thresh: float = 0.5,
    labelled_only: bool = False,
) -> DetectionResult:
    """Compute detection recall and average precision.

    Convention:
        Matches are those of :func:`mutual_best_matches` among the detections
        that reach ``score_thresh`` (>=); the AP is that of
        :func:`average_precision`, over the detections of all scenes.
        Detections that match an ignored box (``scene.ignore``) better than
        any person count neither way, and neither do wrong ones whose IoU with
        one of ``scene.ignore_regions`` is above 0.1 (the rule of PoseTrack21).
        SeqNet has these figures at its 0.01; GFN takes 0.5.

    Args:
        scenes: The annotated scenes.
        found: For each scene its boxes (n, 4) and scores (n,).
        score_thresh: Detections below this score are left out.
        iou_thresh: Least IoU of a match.
        labelled_only: Only people with an identity are to be found; scenes
            without any are left out with their detections.

    Returns:
        The figures; both 0 if there is nobody to find.

    Example:
        >>> scene = Scene('a.jpg', np.array([[0.0, 0, 10, 20]]), np.array([0]), np.array([False]))
        >>> evaluate_detection([scene], [(scene.boxes, np.array([0.9]))])
        DetectionResult(recall=1.0, ap=1.0)
    """
    chosen, truths, boxes, scores = [], [], [], []
    for scene, (found_boxes, confidence) in zip(scenes, found):
        wanted = ~scene.ignore & ((scene.person_ids >= 0) if labelled_only else True)
        if labelled_only and not wanted.any():
            continue
        kept = confidence >= score_thresh
        kept[kept] = ~_on_ignored(scene, found_boxes[kept], iou_thresh)
        chosen.append(scene)
        truths.append(scene.boxes[wanted])
        boxes.append(found_boxes[kept])
        scores.append(confidence[kept])
    num_truths = sum(len(people) for people in truths)
    if num_truths == 0:
        return DetectionResult(0.0, 0.0)
    all_labels, all_scores = _matches(truths, boxes, iou_thresh), np.concatenate(scores)
    outside = [~_in_region(scene, found_boxes) for scene, found_boxes in zip(chosen, boxes)]
    counted = all_labels | np.concatenate(outside)
    all_labels, all_scores = all_labels[counted], all_scores[counted]
    return DetectionResult(
        recall=float(all_labels.sum() / num_truths),
        ap=average_precision(all_labels, all_scores, num_truths),
    )


def _in_region(scene: Scene, boxes: np.ndarray, iou_thresh: float = 0.1) -> np.ndarray:
    """Tell which boxes overlap a region where nobody is annotated."""
    inside = np.zeros(len(boxes), dtype=bool)
    for polygon in scene.ignore_regions:
        inside |= box_polygon_iou(boxes, polygon) > iou_thresh
    return inside


def _on_ignored(scene: Scene, boxes: np.ndarray, iou_thresh: float) -> np.ndarray:
    """Tell which boxes lie on an ignored one rather than on a person."""
    if not scene.ignore.any() or len(boxes) == 0:
        return np.zeros(len(boxes), dtype=bool)
    overlaps = pairwise_iou(boxes, scene.boxes)
    best = overlaps.argmax(axis=1)
    return scene.ignore[best] & (overlaps.max(axis=1) >= iou_thresh)
