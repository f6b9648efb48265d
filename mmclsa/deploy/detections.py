"""From raw boxes to people, with NumPy and OpenCV alone."""

from __future__ import annotations

import cv2
import numpy as np

__all__ = ['select_people']


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
