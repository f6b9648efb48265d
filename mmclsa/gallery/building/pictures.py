"""Reading pictures of unknown origin: phones, scanners, half-copied files."""

from __future__ import annotations

import calendar
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from mmclsa.datasets.transforms.loading import read_image
from mmclsa.errors import DataError, UserError

__all__ = ['IMAGE_SUFFIXES', 'MAX_PIXELS', 'Header', 'as_bgr', 'read_header', 'read_picture']

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm')
#: Larger pictures are refused before they are decoded; Pillow's own limit is 179 million.
MAX_PIXELS = 150_000_000
_EXIF_BLOCK, _TAKEN, _CHANGED = 0x8769, 0x9003, 0x0132


class Header(NamedTuple):
    """What a picture's file says before it is decoded.

    Attributes:
        width: Pixels as stored, before an EXIF rotation.
        height: Likewise.
        time: When it was taken by EXIF, seconds since 1970 with the camera's
            clock taken as UTC; None if the file does not say.
    """

    width: int
    height: int
    time: float | None


def read_header(path: str | Path, max_pixels: int = MAX_PIXELS) -> Header:
    """Read size and time of a picture without decoding it.

    Args:
        path: The file.
        max_pixels: Refuse larger pictures.

    Returns:
        Its header.

    Raises:
        DataError: If there is no file, it is no picture, or it is too large.
    """
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            taken = _exif_time(picture)
    except Image.DecompressionBombError as error:
        raise DataError(f'image {path} is too large to decode: {error}') from error
    except UnidentifiedImageError as error:
        size = Path(path).stat().st_size if Path(path).exists() else 0
        raise DataError(f'image {path} ({size} bytes) is empty or broken, or no picture') from error
    except (OSError, ValueError, SyntaxError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise DataError(f'image {path} cannot be read ({reason})') from error
    if width * height > max_pixels:
        raise DataError(
            f'image {path} is too large: {width} x {height}, but at most {max_pixels} pixels '
            'are decoded'
        )
    return Header(width, height, taken)


def read_picture(path: str | Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a picture as BGR, turned upright if EXIF says how it was held.

    Grey pictures become three equal channels, transparency is dropped. Boxes
    are in pixels of what this returns, everywhere in mmclsa.

    Args:
        path: The file.
        max_pixels: Refuse larger pictures before decoding.

    Returns:
        Shape (H, W, 3), uint8.

    Raises:
        DataError: If it is missing, broken or too large.
    """
    read_header(path, max_pixels)
    return read_image(path)


def as_bgr(picture: np.ndarray) -> np.ndarray:
    """Give an array the layout of a decoded picture.

    Args:
        picture: Shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8; BGR
            or BGRA where there is colour.

    Returns:
        Shape (H, W, 3), uint8, BGR.

    Raises:
        UserError: If it is none of these.

    Example:
        >>> as_bgr(np.zeros((4, 6), np.uint8)).shape
        (4, 6, 3)
    """
    if picture.dtype != np.uint8 or picture.size == 0 or picture.ndim not in (2, 3):
        raise UserError(
            'a picture must be a uint8 array of shape (H, W), (H, W, 3) or (H, W, 4), not '
            f'{picture.dtype} of shape {picture.shape}'
        )
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    if channels == 1:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    if channels not in (3, 4):
        raise UserError(f'a picture must have 1, 3 or 4 channels, not {channels}')
    return np.ascontiguousarray(picture[..., :3])


def _exif_time(picture: Image.Image) -> float | None:
    """Read when a picture was taken; None where EXIF is silent or odd."""
    try:
        exif = picture.getexif()
        text = exif.get_ifd(_EXIF_BLOCK).get(_TAKEN) or exif.get(_CHANGED)
        return float(calendar.timegm(time.strptime(str(text).strip('\0 '), '%Y:%m:%d %H:%M:%S')))
    except Exception:  # Pillow raises nearly anything on damaged EXIF; a time is not worth it
        return None
