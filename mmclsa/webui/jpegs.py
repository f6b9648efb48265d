"""Pictures as a browser gets them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

__all__ = ['crop_of', 'encode_jpeg', 'shrink']

_QUALITY = 85


def encode_jpeg(picture: np.ndarray, longest: int) -> bytes:
    """Make a JPEG of a picture, no larger than needed.

    Args:
        picture: Shape (H, W, 3), uint8, BGR.
        longest: The longer side has at most so many pixels.

    Returns:
        The file.

    Example:
        >>> data = encode_jpeg(np.zeros((40, 80, 3), np.uint8), 20)
        >>> cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape
        (10, 20, 3)
    """
    small = shrink(picture, longest)
    _, data = cv2.imencode('.jpg', small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return bytes(data.tobytes())


def shrink(picture: np.ndarray, longest: int) -> np.ndarray:
    """Make a picture smaller, if it is larger than needed.

    Args:
        picture: Shape (H, W, 3), uint8.
        longest: The longer side has at most so many pixels.

    Returns:
        Shape (h, w, 3), uint8.

    Example:
        >>> shrink(np.zeros((40, 80, 3), np.uint8), 20).shape
        (10, 20, 3)
    """
    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def crop_of(
    picture: np.ndarray, box: Sequence[float] | np.ndarray, margin: float = 0.05
) -> np.ndarray:
    """Cut a person out.

    Args:
        picture: Shape (H, W, 3).
        box: x1 y1 x2 y2 in its pixels; clipped to the picture.
        margin: On every side, as a part of the longer side of the box.

    Returns:
        Shape (h, w, 3), at least a pixel large.

    Example:
        >>> crop_of(np.zeros((100, 100, 3), np.uint8), (10, 10, 30, 50)).shape
        (44, 24, 3)
    """
    x1, y1, x2, y2 = map(float, box)
    more = margin * max(x2 - x1, y2 - y1, 0)
    height, width = picture.shape[:2]
    left = min(max(math.floor(x1 - more), 0), width - 1)
    top = min(max(math.floor(y1 - more), 0), height - 1)
    right = max(min(math.ceil(x2 + more), width), left + 1)
    bottom = max(min(math.ceil(y2 + more), height), top + 1)
    return picture[top:bottom, left:right]
