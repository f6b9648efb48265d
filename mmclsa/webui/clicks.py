"""Who was clicked on."""

from __future__ import annotations

import numpy as np

__all__ = ['person_at']


def person_at(boxes: np.ndarray, x: float, y: float) -> int | None:
    """Tell who was clicked on.

    Args:
        boxes: Shape (n, 4), x1 y1 x2 y2 in pixels.
        x: Of the click, pixels.
        y: Of the click, pixels.

    Returns:
        The number of the smallest box around the click, None if there is none.

    Example:
        >>> boxes = np.array([[0, 0, 100, 100], [40, 40, 60, 90]])
        >>> person_at(boxes, 50, 50), person_at(boxes, 10, 10), person_at(boxes, 200, 0)
        (1, 0, None)
    """
    x1, y1, x2, y2 = np.asarray(boxes, float).reshape(-1, 4).T
    inside = (x1 <= x) & (x <= x2) & (y1 <= y) & (y <= y2)
    areas = np.where(inside, (x2 - x1) * (y2 - y1), np.inf)
    return int(areas.argmin()) if inside.any() else None
