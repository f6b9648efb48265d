"""Reading text files that any editor may have saved."""

from __future__ import annotations

import codecs

from mmclsa.datasets.readers.paths import AnyPath, as_path

__all__ = ['decode_text', 'read_text']


def decode_text(data: bytes) -> str:
    """Decode UTF-8, or what a byte-order mark says; the mark itself is no text.

    Windows' editors write a mark before UTF-8, its shell writes UTF-16.

    Args:
        data: Content of a file.

    Returns:
        The text.

    Raises:
        UnicodeDecodeError: If it is no such text.

    Example:
        >>> decode_text('1,7'.encode('utf-8-sig')), decode_text('1,7'.encode('utf-16'))
        ('1,7', '1,7')
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        if len(data) == len(codecs.BOM_UTF16_LE):
            raise UnicodeDecodeError('utf-16', data, 0, len(data), 'nothing but a byte-order mark')
        return data.decode('utf-16')
    return data.decode('utf-8-sig')


def read_text(path: AnyPath) -> str:
    """Read a text file; see :func:`decode_text`.

    Raises:
        OSError: If it cannot be read.
        UnicodeDecodeError: If it is no text.
    """
    return decode_text(as_path(path).read_bytes())
