"""From raw boxes to people, with NumPy and OpenCV alone."""

from __future__ import annotations

import cv2
import numpy as np

__all__ = ['at_least_a_pixel', 'select_people']


def select_people(
    boxes: np.ndarray,
    scores: np.ndarray,
    score_thr: float,
    iou_thr: float,
    max_people: int | None = None,
) -> np.ndarray:
    """Keep the certain boxes, and of those on one person the best.

    Args:
        boxes: Shape (P, 4), x1 y1 x2 y2.
        scores: Shape (P,).
        score_thr: Least score; a box of score 0 is never kept.
        iou_thr: A box that overlaps a better one by more goes.
        max_people: How many are kept at most; None for all.

    Returns:
        Their numbers, the most certain first.

    Example:
        >>> boxes = np.array([[0, 0, 10, 20], [0, 1, 10, 20], [30, 0, 40, 20], [0, 0, 1, 1.0]])
        >>> select_people(boxes, np.array([0.7, 0.9, 0.8, 0.1]), 0.5, 0.5).tolist()
        [1, 2]
    """
    certain = np.flatnonzero(scores >= score_thr)
    corners = boxes[certain].astype(np.float64)
    sized = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    # OpenCV asks for more than its threshold, here for what is no person at all.
    kept = cv2.dnn.NMSBoxes(sized.tolist(), scores[certain].tolist(), 0.0, iou_thr)
    return certain[np.asarray(kept, np.int64).reshape(-1)[:max_people]]


def at_least_a_pixel(boxes: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """Widen boxes that are less than a pixel wide or high, as the model in PyTorch does.

    Args:
        boxes: Shape (n, 4), x1 y1 x2 y2 in pixels.
        size: Height and width of a picture to clip to first; None for none.

    Returns:
        Shape (n, 4), float32; see :func:`mmclsa.models.reid.boxes.at_least_a_pixel`.

    Example:
        >>> at_least_a_pixel(np.array([[5.0, 5.0, 5.0, 9.0]])).tolist()
        [[5.0, 5.0, 6.0, 9.0]]
    """
    low, high = np.split(np.asarray(boxes, np.float32), 2, axis=1)
    if size is not None:
        limits = np.array([size[1], size[0]], np.float32)
        low, high = np.clip(low, 0, limits - 1), np.minimum(high, limits)
    return np.concatenate([low, np.maximum(high, low + 1)], axis=1)
