"""The small picture of a person that an index keeps."""

from __future__ import annotations

import numpy as np

__all__ = ['CROP_SIDE', 'cut_crop']

CROP_SIDE = 256  # pixels of its longer side, at most
_MARGIN = 0.05  # of the box, on each side
_QUALITY = 85


def cut_crop(picture: np.ndarray, box: np.ndarray) -> bytes:
    """Cut a person out, with a small margin, as a small JPEG.

    Args:
        picture: Shape (H, W, 3), uint8, BGR.
        box: Shape (4,), x1 y1 x2 y2 in its pixels; what lies outside is left out.

    Returns:
        A JPEG whose longer side has at most :data:`CROP_SIDE` pixels; ``b''`` if
        nothing of the box lies within the picture.

    Example:
        >>> jpeg = cut_crop(np.zeros((100, 100, 3), np.uint8), np.array([10, 10, 30, 60]))
        >>> jpeg.startswith(bytes([0xFF, 0xD8]))
        True
    """
    import cv2

    height, width = picture.shape[:2]
    x1, y1, x2, y2 = np.asarray(box, np.float64)
    wide, high = _MARGIN * (x2 - x1), _MARGIN * (y2 - y1)
    left, top = max(0, int(np.floor(x1 - wide))), max(0, int(np.floor(y1 - high)))
    right, bottom = min(width, int(np.ceil(x2 + wide))), min(height, int(np.ceil(y2 + high)))
    if left >= right or top >= bottom:
        return b''
    crop = picture[top:bottom, left:right]
    scale = CROP_SIDE / max(crop.shape[:2])
    if scale < 1:
        size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
        crop = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode('.jpg', crop, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return bytes(encoded.tobytes())
