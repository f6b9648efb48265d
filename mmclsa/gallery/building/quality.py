"""How much a detection tells about its person."""

from __future__ import annotations

import numpy as np

__all__ = ['detection_quality']


def detection_quality(boxes: np.ndarray, scores: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Rate the detections of one picture.

    Args:
        boxes: Shape (n, 4), x1 y1 x2 y2 in pixels.
        scores: Their scores, shape (n,), in [0, 1].
        size: Height and width of the picture.

    Returns:
        Shape (n,), float64, above 0.
    """
    return np.maximum(np.asarray(scores, np.float64), 1e-3)
