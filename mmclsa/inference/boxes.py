"""Boxes that a user gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmclsa.errors import UserError

__all__ = ['check_boxes']


def check_boxes(
    boxes: Sequence[Sequence[float]] | np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Clip boxes to their picture; refuse those that lie outside.

    Args:
        boxes: Shape (n, 4), x1 y1 x2 y2 in pixels.
        shape: Of the picture, height and width first.

    Returns:
        Shape (n, 4), float32.

    Raises:
        UserError: If a box is none, or has no pixel in common with the picture.

    Example:
        >>> check_boxes([[-5, 10, 20, 90]], (60, 80)).tolist()
        [[0.0, 10.0, 20.0, 60.0]]
    """
    try:
        given = np.asarray(boxes, np.float64).reshape(-1, 4)
    except (TypeError, ValueError) as error:
        raise UserError(f'a box must be four numbers x1 y1 x2 y2, not {boxes!r}') from error
    height, width = shape[:2]
    clipped = np.clip(given, 0, [width, height, width, height])
    for box, inside in zip(given.tolist(), clipped):
        if not np.isfinite(box).all() or box[2] <= box[0] or box[3] <= box[1]:
            raise UserError(f'a box must be x1 y1 x2 y2 with x1 < x2 and y1 < y2, not {box}')
        if (inside[2:] - inside[:2]).min() < 1:
            raise UserError(
                f'the box {box} must have a pixel or more within its picture, '
                f'{width} x {height} pixels'
            )
    return clipped.astype(np.float32)
