"""Boxes that a user gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmclsa.errors import UserError

__all__ = ['as_boxes', 'check_boxes']

# What boxes are kept under by MMDetection's data samples, predictions, hits.
_HOLDERS = ('pred_instances', 'bboxes', 'box')


def as_boxes(boxes: Any) -> np.ndarray:
    """Take boxes in any form that a program has them in.

    Args:
        boxes: One box x1 y1 x2 y2, or several: numbers, an array, or a tensor
            of PyTorch on any device; what holds ``bboxes`` or a ``box``, such
            as a prediction of the inferencer, MMDetection's ``pred_instances``
            or an entry of ``results.json``; or a list of these.

    Returns:
        Shape (n, 4), float64.

    Raises:
        UserError: If it is none of these.

    Example:
        >>> as_boxes([1, 2, 3, 4]).tolist()
        [[1.0, 2.0, 3.0, 4.0]]
        >>> as_boxes({'bboxes': [[1, 2, 3, 4], [5, 6, 7, 8]], 'scores': [0.9, 0.8]}).shape
        (2, 4)
    """
    for name in _HOLDERS:
        held = boxes.get(name) if isinstance(boxes, Mapping) else getattr(boxes, name, None)
        if held is not None:
            return as_boxes(held)
    boxes = getattr(boxes, 'tensor', boxes)  # MMDetection's HorizontalBoxes
    if callable(getattr(boxes, 'detach', None)):
        boxes = boxes.detach().cpu().double().numpy()
    if isinstance(boxes, (list, tuple)) and not all(map(_is_number, boxes)):
        return np.concatenate([as_boxes(box) for box in boxes])
    try:
        listed = isinstance(boxes, (list, tuple))
        given = np.asarray([float(value) for value in boxes] if listed else boxes, np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f'a box must be four numbers x1 y1 x2 y2, not {boxes!r}') from error
    given = given.reshape(-1, 4) if given.ndim == 1 and given.size in (0, 4) else given
    if given.ndim != 2 or given.shape[1] != 4:
        raise UserError(f'a box must be four numbers x1 y1 x2 y2, not {given.tolist()}')
    return given


def _is_number(value: Any) -> bool:
    return np.ndim(value) == 0 and not callable(getattr(value, 'get', None))


def check_boxes(
    boxes: Sequence[Sequence[float]] | np.ndarray | Any, shape: tuple[int, ...]
) -> np.ndarray:
    """Clip boxes to their picture; refuse those that lie outside.

    Args:
        boxes: Shape (n, 4), x1 y1 x2 y2 in pixels; see :func:`as_boxes` for
            the forms that are taken.
        shape: Of the picture, height and width first.

    Returns:
        Shape (n, 4), float32.

    Raises:
        UserError: If a box is none, or has no pixel in common with the picture.

    Example:
        >>> check_boxes([[-5, 10, 20, 90]], (60, 80)).tolist()
        [[0.0, 10.0, 20.0, 60.0]]
    """
    given = as_boxes(boxes)
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
