"""How much a detection tells about its person."""

from __future__ import annotations

import numpy as np

__all__ = ['detection_quality', 'visible_parts']

_EDGE = 2.0  # pixels: a box so near to the picture's edge is probably cut by it
_CUT = 0.5  # what a cut person is worth
_LEAST = 1e-3


def visible_parts(boxes: np.ndarray) -> np.ndarray:
    """Estimate how much of each person others do not hide.

    Of two people, the one whose box ends lower stands nearer to the camera.

    Args:
        boxes: Boxes of one picture, shape (n, 4), x1 y1 x2 y2.

    Returns:
        Shape (n,), float64, in [0, 1]: 1 less the part of the box that the one
        nearer person covers who covers most of it.

    Example:
        >>> visible_parts(np.array([[0, 0, 10, 20], [5, 0, 15, 30]])).tolist()
        [0.5, 1.0]
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    low = np.maximum(boxes[:, None, :2], boxes[:, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    nearer = boxes[:, 3] > boxes[:, None, 3]
    return 1 - (common * nearer / np.maximum(areas, 1e-9)[:, None]).max(axis=1, initial=0.0)


def detection_quality(boxes: np.ndarray, scores: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Rate the detections of one picture: what they weigh in the embedding of a sighting.

    The square of the score, times the visible part, halved where the picture's
    edge cuts the person. It was ahead of the other weights that were tried by little
    (docs/gallery_figures.md), and also chooses the crop, for which it matters more.
    The size of a person is not among it: weights with it found fewer.

    Args:
        boxes: Shape (n, 4), x1 y1 x2 y2 in pixels.
        scores: Their scores, shape (n,), in [0, 1].
        size: Height and width of the picture.

    Returns:
        Shape (n,), float64, above 0.

    Example:
        >>> boxes = np.array([[10, 10, 20, 40], [0, 10, 8, 40]])
        >>> detection_quality(boxes, np.array([0.8, 0.8]), (60, 60)).round(3).tolist()
        [0.641, 0.321]
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    height, width = size
    far = np.array([width, height]) - _EDGE
    cut = (boxes[:, :2] <= _EDGE).any(axis=1) | (boxes[:, 2:] >= far).any(axis=1)
    scores = np.asarray(scores, np.float64)
    return scores**2 * visible_parts(boxes) * np.where(cut, _CUT, 1.0) + _LEAST
