"""What OpenCV before 5 lets pass that OpenCV 5 does not: half a JPEG, the EXIF note of a WebP."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

__all__ = ['is_cut_jpeg', 'is_webp', 'turn_upright', 'webp_orientation']

_START, _SCAN, _END = 0xD8, 0xDA, 0xD9
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))
_ORIENTATION = 0x0112


def is_cut_jpeg(data: np.ndarray) -> bool:
    """Tell whether a JPEG breaks off before its end marker.

    OpenCV 4 decodes the half that is there and paints the rest grey.

    Args:
        data: Shape (n,), uint8: the bytes of the file.

    Returns:
        False also for what is no JPEG, or one that the decoder is to judge.

    Example:
        >>> whole = np.frombuffer(bytes.fromhex('ffd8 ffda0004ffff 1234 ffd9'), np.uint8)
        >>> is_cut_jpeg(whole), is_cut_jpeg(whole[:-2])
        (False, True)
    """
    if len(data) < 4 or data[0] != 0xFF or data[1] != _START:
        return False
    content = data.tobytes()
    scan = _find_scan(content)
    # Within a scan 0xFF is followed by 0 or a restart marker, so this can be no picture data;
    # a thumbnail, which has an end marker of its own, lies before the scan.
    return scan is not None and content.find(bytes([0xFF, _END]), scan) < 0


def _find_scan(content: bytes) -> int | None:
    """Walk over a JPEG's segments to its first scan; None where they make no sense."""
    place = 2
    while place + 1 < len(content):
        if content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker == 0xFF:  # fill byte
            place += 1
        elif marker in _WITHOUT_LENGTH:
            place += 2
        elif place + 3 < len(content):
            length = content[place + 2] << 8 | content[place + 3]
            if marker == _SCAN:
                return min(place + 2 + length, len(content))
            place += 2 + length
        else:
            break
    return len(content)  # it breaks off in its header


def is_webp(data: np.ndarray) -> bool:
    """Tell a WebP by its first bytes.

    Example:
        >>> is_webp(np.frombuffer(b'RIFF....WEBPVP8 ', np.uint8))
        True
    """
    return data[:4].tobytes() == b'RIFF' and data[8:12].tobytes() == b'WEBP'


def webp_orientation(data: np.ndarray) -> int:
    """Read the EXIF orientation of a WebP, 1..8; 1 where there is none."""
    try:
        with Image.open(io.BytesIO(data.tobytes()), formats=('WEBP',)) as picture:
            return int(picture.getexif().get(_ORIENTATION, 1))
    except (OSError, ValueError, SyntaxError, TypeError, Image.DecompressionBombError):
        return 1


def turn_upright(picture: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a picture as an EXIF orientation says.

    Args:
        picture: Shape (H, W, 3), as stored.
        orientation: 1..8; any other number is 1.

    Returns:
        Shape (H, W, 3), or (W, H, 3) for 5..8.

    Example:
        >>> turn_upright(np.zeros((2, 3, 3), np.uint8), 6).shape
        (3, 2, 3)
    """
    if orientation in (5, 6, 7, 8):
        picture = picture.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)
