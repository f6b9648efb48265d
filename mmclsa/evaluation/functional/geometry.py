"""Boxes, ranges and groups in flat arrays."""

from __future__ import annotations

import numpy as np

__all__ = ['aligned_iou', 'expand_ranges', 'pairwise_iou', 'rows_by_image']


def aligned_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute the IoU of boxes with their partners.

    Convention:
        Continuous coordinates: a width is x2 - x1, not x2 - x1 + 1, as in
        SeqNet; AlignPS and PSTR add the pixel where they choose a query's
        detection.

    Args:
        boxes: Shape (..., 4), x1 y1 x2 y2.
        others: Shape (..., 4), broadcast against ``boxes``.

    Returns:
        Shape (...), float64 in [0, 1]; 0 where both boxes have no area.

    Example:
        >>> aligned_iou(np.array([0, 0, 2, 2]), np.array([[0, 0, 2, 1], [5, 5, 6, 6]])).tolist()
        [0.5, 0.0]
    """
    boxes, others = np.asarray(boxes, np.float64), np.asarray(others, np.float64)
    low = np.maximum(boxes[..., :2], others[..., :2])
    high = np.minimum(boxes[..., 2:], others[..., 2:])
    common = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [(b[..., 2:] - b[..., :2]).prod(axis=-1) for b in (boxes, others)]
    union = areas[0] + areas[1] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def pairwise_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute the IoU of every box (n, 4) with every other (m, 4), shape (n, m).

    Convention:
        As :func:`aligned_iou`: the squares from (0, 0) to (2, 2) and from (1, 1) to (3,
        3) have 1 of 7 pixels in common, an IoU of 0.14.

    Example:
        >>> pairwise_iou(np.zeros((0, 4)), np.zeros((2, 4))).shape
        (0, 2)
    """
    return aligned_iou(boxes[:, None], others[None, :])


def expand_ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """List the members of ranges, one range after the other.

    Args:
        starts: Shape (R,), integers.
        lengths: Shape (R,), integers >= 0.

    Returns:
        Shape (sum of lengths,), int64.

    Example:
        >>> expand_ranges(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist()
        [5, 6, 9, 10, 11]
    """
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    members = np.repeat(starts - (ends - lengths), lengths)
    members += np.arange(total)
    return members


def rows_by_image(images: np.ndarray, wanted: np.ndarray) -> list[np.ndarray]:
    """List the rows of each wanted image, in their order.

    Args:
        images: Shape (N,), the image of each row.
        wanted: Names of images, any order.

    Example:
        >>> rows_by_image(np.array(['b', 'a', 'b']), np.array(['b', 'c']))
        [array([0, 2]), array([], dtype=int64)]
    """
    order = np.argsort(images, kind='stable')
    names = images[order]
    starts = np.searchsorted(names, wanted, side='left')
    stops = np.searchsorted(names, wanted, side='right')
    return [order[start:stop] for start, stop in zip(starts, stops)]
