"""Formats of pictures that need more than Pillow itself has."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError, features

__all__ = ['missing_reader', 'open_picture']

# Of all that Pillow knows: some others (EPS) it reads by starting a program.
_FORMATS = (
    *('JPEG', 'MPO', 'PNG', 'GIF', 'WEBP', 'TIFF', 'BMP', 'DIB', 'PPM', 'JPEG2000', 'TGA', 'PCX'),
    *('SGI', 'SUN', 'QOI', 'AVIF', 'HEIF'),
)
_HEIF = {b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'hevm', b'hevs', b'mif1', b'msf1'}
_AVIF = {b'avif', b'avis'}


def open_picture(source: str | Path | IO[bytes]) -> Image.Image:
    """Open a picture by Pillow, with the reader of HEIC if it is installed.

    Args:
        source: A file or its name.

    Returns:
        The picture, not yet decoded.

    Raises:
        OSError: If it cannot be opened, and whatever Pillow raises on damage.
    """
    try:
        return Image.open(source, formats=_known_formats())
    except UnidentifiedImageError:
        if not _heif_reader():
            raise
    return Image.open(source, formats=_known_formats())


def _known_formats() -> list[str]:
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def missing_reader(head: bytes) -> str:
    """Say what must be installed to read a picture; empty if that would not help.

    Args:
        head: First bytes of its file.

    Example:
        >>> missing_reader(b'no picture')
        ''
    """
    brands = {head[at : at + 4] for at in (8, *range(16, len(head), 4))}
    if head[4:8] != b'ftyp':
        return ''
    if brands & _AVIF:
        needed = 'is AVIF, which needs Pillow 11.3 or newer: pip install "mmclsa[heic]"'
        return '' if features.check('avif') else needed
    if brands & _HEIF and not _heif_reader():
        return 'is HEIC, which needs pillow-heif: pip install "mmclsa[heic]"'
    return ''


@cache
def _heif_reader() -> bool:
    """Let Pillow read HEIC; False if pillow-heif is not installed."""
    try:
        import_module('pillow_heif').register_heif_opener()
    except ImportError:
        return False
    return True
