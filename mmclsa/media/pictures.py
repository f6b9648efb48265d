"""Reading pictures of unknown origin: phones, scanners, half-copied files."""

from __future__ import annotations

import calendar
import os
import re
import struct
import time
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mmclsa.errors import DataError, UserError
from mmclsa.media.formats import missing_reader, open_picture
from mmclsa.media.opencv_gaps import is_cut_jpeg, is_webp, turn_upright, webp_orientation
from mmclsa.media.suffixes import is_video
from mmclsa.media.walking import special_kind

__all__ = [
    'MAX_PIXELS',
    'Header',
    'as_bgr',
    'decode_bytes',
    'decode_picture',
    'picture_size',
    'read_header',
    'read_picture',
]

#: Larger pictures are refused before they are decoded; Pillow's own limit is 179 million.
MAX_PIXELS = 150_000_000
# OpenCV reads it when it is loaded. A file may tell Pillow one size and OpenCV another: then
# this bounds what is decoded, at what Pillow opens at most; its own limit is a milliard.
os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', '357913940')
_ZONE_CHANGED, _ZONE_TAKEN = 0x9010, 0x9011
_EXIF_BLOCK, _TAKEN, _CHANGED, _ORIENTATION = 0x8769, 0x9003, 0x0132, 0x0112
_SIDEWAYS = (5, 6, 7, 8)
_SIZE_TAGS = 256, 257  # of a TIFF: width and height
# By version, TIFF and BigTIFF: where the offset of the first directory is, how it and the
# number of entries are written, and bytes of an entry.
_TIFFS = {42: (4, 'I', 'H', 12), 43: (8, 'Q', 'Q', 20)}
_SIGNATURE = 64  # bytes that tell a format


class Header(NamedTuple):
    """What a picture's file says before it is decoded.

    Args:
        width: Pixels as stored, before an EXIF rotation.
        height: Pixels as stored.
        time: When it was taken by EXIF, seconds since 1970, with the camera's
            clock taken as UTC where EXIF names no zone; None if the file does
            not say.
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
    if kind := special_kind(str(path)):
        raise DataError(f'image {path} is a {kind}, not a file')
    try:
        return _header(path, path, max_pixels)
    except UnidentifiedImageError as error:
        raise DataError(f'image {path} {_why_unknown(path)}') from error


def decode_bytes(data: bytes, name: object, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a picture that is in memory, such as an uploaded one; see :func:`read_picture`.

    Args:
        data: The bytes of its file.
        name: What it is called in messages.
        max_pixels: Refuse larger pictures before decoding.

    Returns:
        Shape (H, W, 3), uint8, BGR, upright.

    Raises:
        DataError: If it is no picture, broken or too large.

    Example:
        >>> decode_bytes(b'no picture', 'a.jpg')
        Traceback (most recent call last):
        mmclsa.errors.DataError: image a.jpg (10 bytes) is empty or broken, or no picture
    """
    try:
        _header(BytesIO(data), name, max_pixels)
    except UnidentifiedImageError as error:
        reason = missing_reader(data[:_SIGNATURE]) or _no_picture(len(data))
        raise DataError(f'image {name} {reason}') from error
    picture = decode_picture(np.frombuffer(data, np.uint8), name)
    return _no_larger(picture, name, max_pixels)


def _header(source: str | Path | BytesIO, name: object, max_pixels: int) -> Header:
    try:
        with open_picture(source) as picture:
            width, height = picture.size
            taken = _exif_time(picture)
    except Image.DecompressionBombError as error:
        raise DataError(f'image {name} is too large to decode: {error}') from error
    except UnidentifiedImageError:
        raise
    except Exception as error:  # Pillow's readers raise nearly anything on damaged files
        reason = getattr(error, 'strerror', None) or error
        raise DataError(f'image {name} cannot be read ({reason})') from error
    _check_size(width, height, name, max_pixels)
    return Header(width, height, taken)


def _check_size(width: int, height: int, name: object, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise DataError(
            f'image {name} is too large: {width} x {height}, but at most {max_pixels} pixels '
            'are decoded'
        )


def _no_larger(picture: np.ndarray, name: object, max_pixels: int) -> np.ndarray:
    """Refuse a picture that has become larger than its header says."""
    _check_size(picture.shape[1], picture.shape[0], name, max_pixels)
    return picture


def picture_size(path: str | Path) -> tuple[int, int]:
    """Read a picture's size, as it is loaded, from the file's header.

    Only a file that is no JPEG, PNG, WebP or BMP is decoded.

    Args:
        path: The file.

    Returns:
        Width and height, turned as the camera's note (EXIF) in the file says,
        which is what OpenCV does when it loads the picture.

    Raises:
        DataError: If there is no file, or it is no picture.
    """
    try:
        # Of other formats the two libraries need not see the orientation alike.
        with Image.open(path, formats=('JPEG', 'PNG', 'WEBP', 'BMP')) as picture:
            width, height = picture.size
            sideways = picture.getexif().get(_ORIENTATION) in _SIDEWAYS
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        height, width = read_picture(path, max_pixels=None).shape[:2]
        return width, height
    return (height, width) if sideways else (width, height)


def read_picture(path: str | Path, max_pixels: int | None = MAX_PIXELS) -> np.ndarray:
    """Read a picture as BGR, turned upright if EXIF says how it was held.

    Grey pictures become three equal channels, transparency is dropped. Boxes
    are in pixels of what this returns, everywhere in mmclsa.

    Args:
        path: The file.
        max_pixels: Refuse larger pictures before decoding; None does not look
            at the header, so that formats which only OpenCV knows are read too.

    Returns:
        Shape (H, W, 3), uint8.

    Raises:
        DataError: If it is missing, broken or too large.
    """
    if max_pixels is not None:
        read_header(path, max_pixels)
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise DataError(f'image {path} cannot be read ({error.strerror})') from error
    picture = decode_picture(data, path)
    return picture if max_pixels is None else _no_larger(picture, path, max_pixels)


def decode_picture(data: np.ndarray, name: object) -> np.ndarray:
    """Decode a picture's file as BGR, turned upright if EXIF says how it was held.

    Args:
        data: Shape (n,), uint8: the bytes of the file.
        name: Path, for the message.

    Returns:
        Shape (H, W, 3), uint8.

    Raises:
        DataError: If it is no picture.

    Example:
        >>> decode_picture(np.zeros(0, np.uint8), 'a.jpg')
        Traceback (most recent call last):
        mmclsa.errors.DataError: image a.jpg (0 bytes) is empty or broken and cannot be decoded
    """
    if _names_its_size_twice(data):
        raise DataError(f'image {name} is broken: it names its width or height more than once')
    picture = _decode_by_opencv(data, name) if len(data) and not is_cut_jpeg(data) else None
    if picture is None and len(data):
        picture = _decode_by_pillow(data)
    if picture is None:
        broken = f'({len(data)} bytes) is empty or broken and cannot be decoded'
        raise DataError(f'image {name} {missing_reader(data[:_SIGNATURE].tobytes()) or broken}')
    return picture


def _names_its_size_twice(data: np.ndarray) -> bool:
    """Tell whether it is a TIFF of two sizes: Pillow believes the last, libtiff the first."""
    tags = _tags_of_tiff(data)
    return any((tags == tag).sum() > 1 for tag in _SIZE_TAGS)


def _tags_of_tiff(data: np.ndarray) -> np.ndarray:
    """List the tags of the first directory; none if it is no TIFF."""
    start = data[:16].tobytes()
    order = {b'II': '<', b'MM': '>'}.get(start[:2], '')
    try:
        version = struct.unpack_from(f'{order}H', start, 2)[0] if order else 0
        if version not in _TIFFS:
            return np.empty(0, np.uint16)
        place, offset, number, step = _TIFFS[version]
        (first,) = struct.unpack_from(order + offset, start, place)
        (count,) = struct.unpack_from(order + number, data.data, first)
    except (struct.error, OverflowError):  # cut off: nobody can decode it
        return np.empty(0, np.uint16)
    entries = data[first + struct.calcsize(order + number) :][: count * step]
    entries = entries[: len(entries) // step * step].reshape(-1, step)
    return np.ascontiguousarray(entries[:, :2]).view(f'{order}u2')


def _decode_by_opencv(data: np.ndarray, name: object) -> np.ndarray | None:
    """Decode a picture's file, upright; None if OpenCV cannot."""
    import cv2

    webp = is_webp(data)
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if webp else 0)
    try:
        picture = cv2.imdecode(data, flags)
    except cv2.error as error:
        if 'CV_IO_MAX_IMAGE' in str(error):
            raise DataError(f'image {name} is too large to decode') from error
        raise DataError(f'image {name} cannot be decoded by OpenCV ({error})') from error
    if picture is None or not webp:
        return picture
    return turn_upright(picture, webp_orientation(data))


def _decode_by_pillow(data: np.ndarray) -> np.ndarray | None:
    """Decode what OpenCV does not know; None if Pillow cannot either."""
    try:
        with open_picture(BytesIO(data.tobytes())) as picture:
            # OpenCV knows every JPEG: one that it refuses is broken.
            return None if picture.format in ('JPEG', 'MPO') else as_bgr(picture)
    except Exception:  # Pillow's readers raise nearly anything on damaged files
        return None


def _why_unknown(path: str | Path) -> str:
    with open(path, 'rb') as stream:
        reason = missing_reader(stream.read(_SIGNATURE))
    if not reason and is_video(path):
        return 'is a video by its name, and a picture is expected'
    return reason or _no_picture(Path(path).stat().st_size)


def _no_picture(size: int) -> str:
    return f'({size} bytes) is empty or broken, or no picture'


def as_bgr(picture: np.ndarray | Image.Image) -> np.ndarray:
    """Give a picture the layout of a decoded one.

    Args:
        picture: Shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8; BGR
            or BGRA where there is colour. Or a picture of Pillow, which is
            turned upright.

    Returns:
        Shape (H, W, 3), uint8, BGR.

    Raises:
        UserError: If it is none of these.

    Example:
        >>> as_bgr(np.zeros((4, 6), np.uint8)).shape
        (4, 6, 3)
    """
    if isinstance(picture, Image.Image):
        rgb = ImageOps.exif_transpose(picture).convert('RGB')
        return np.ascontiguousarray(np.asarray(rgb)[..., ::-1])
    if picture.dtype != np.uint8 or picture.size == 0 or picture.ndim not in (2, 3):
        raise UserError(
            'a picture must be a uint8 array of shape (H, W), (H, W, 3) or (H, W, 4), not '
            f'{picture.dtype} of shape {picture.shape}'
        )
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    if channels == 1:
        import cv2

        return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    if channels not in (3, 4):
        raise UserError(f'a picture must have 1, 3 or 4 channels, not {channels}')
    return np.ascontiguousarray(picture[..., :3])


def _exif_time(picture: Image.Image) -> float | None:
    """Read when a picture was taken; None where EXIF is silent or odd."""
    try:
        exif = picture.getexif()
        block = exif.get_ifd(_EXIF_BLOCK)
        text, zone = block.get(_TAKEN), block.get(_ZONE_TAKEN)
        if not text:
            text, zone = exif.get(_CHANGED), block.get(_ZONE_CHANGED)
        moment = calendar.timegm(time.strptime(str(text).strip('\0 '), '%Y:%m:%d %H:%M:%S'))
        return float(moment - _seconds_of_zone(str(zone or '').strip('\0 ')))
    except Exception:  # Pillow raises nearly anything on damaged EXIF; a time is not worth it
        return None


def _seconds_of_zone(text: str) -> int:
    """Read how far a zone is before UTC, from text such as ``+02:00``; 0 if it is none."""
    found = re.fullmatch(r'([+-])(\d\d):(\d\d)', text)
    if found is None:
        return 0
    seconds = 3600 * int(found[2]) + 60 * int(found[3])
    return -seconds if found[1] == '-' else seconds
