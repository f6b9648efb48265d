"""Overlap of boxes with polygons."""

from __future__ import annotations

import numpy as np

__all__ = ['box_polygon_iou', 'clip_polygon', 'polygon_area']


def polygon_area(polygon: np.ndarray) -> float:
    """Compute the area of a simple polygon, shape (k, 2), x y.

    Example:
        >>> polygon_area(np.array([[0.0, 0], [4, 0], [4, 3], [0, 3]]))
        12.0
    """
    if len(polygon) < 3:
        return 0.0
    x, y = polygon.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def clip_polygon(polygon: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Cut a polygon at a box, by Sutherland and Hodgman.

    Convention:
        Continuous coordinates, the border of the box included: of the square from (0,
        0) to (4, 4) the box from (2, -1) to (9, 3) leaves 2 x 3 = 6.

    Args:
        polygon: Shape (k, 2), x y; it may be concave.
        box: Shape (4,), x1 y1 x2 y2.

    Returns:
        Shape (m, 2). Parts of a concave polygon may be joined by edges along
        the border of the box; the area is right.

    Example:
        >>> square = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
        >>> polygon_area(clip_polygon(square, np.array([2.0, -1, 9, 3])))
        6.0
    """
    for axis, limit, sign in ((0, box[0], 1), (1, box[1], 1), (0, box[2], -1), (1, box[3], -1)):
        if len(polygon) == 0:
            break
        inside = sign * (polygon[:, axis] - limit)
        following, inside_next = np.roll(polygon, -1, axis=0), np.roll(inside, -1)
        kept: list[np.ndarray] = []
        for start, end, a, b in zip(polygon, following, inside, inside_next):
            if a >= 0:
                kept.append(start)
            if a * b < 0:
                kept.append(start + (end - start) * (a / (a - b)))
        polygon = np.array(kept, dtype=float).reshape(-1, 2)
    return polygon


def box_polygon_iou(boxes: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Compute the IoU of boxes with a polygon.

    Convention:
        Continuous coordinates as in :func:`aligned_iou`. A box of 4 x 2 within a square
        of 4 x 4: 8 / 16 = 0.5.

    Args:
        boxes: Shape (n, 4), x1 y1 x2 y2.
        polygon: Shape (k, 2), x y.

    Returns:
        Shape (n,), in [0, 1].

    Example:
        >>> square = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
        >>> box_polygon_iou(np.array([[0.0, 0, 4, 2], [9, 9, 10, 10]]), square).tolist()
        [0.5, 0.0]
    """
    boxes = np.asarray(boxes, dtype=float).reshape(-1, 4)
    polygon = np.asarray(polygon, dtype=float).reshape(-1, 2)
    common = np.array([polygon_area(clip_polygon(polygon, box)) for box in boxes])
    union = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + polygon_area(polygon) - common
    return np.divide(common, union, out=np.zeros(len(boxes)), where=union > 0)
