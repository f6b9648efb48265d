"""Reading text that any editor may have saved, and words that go with a number."""

from __future__ import annotations

import codecs
from typing import Protocol

__all__ = ['counted', 'decode_text', 'read_text']

# The mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, 'utf-8'),
    (codecs.BOM_UTF32_LE, 'utf-32-le'),
    (codecs.BOM_UTF32_BE, 'utf-32-be'),
    (codecs.BOM_UTF16_LE, 'utf-16-le'),
    (codecs.BOM_UTF16_BE, 'utf-16-be'),
)

_PLURALS = {'person': 'people'}


def counted(count: float, one: str, several: str = '') -> str:
    """Write a number with the words that go with it.

    Args:
        count: The number.
        one: The words that go with 1.
        several: Those that go with any other number; left out where English
            makes them of the first by the rule (or a person is meant).

    Returns:
        Such as ``1 picture``.

    Example:
        >>> counted(1, 'box'), counted(0, 'box'), counted(2, 'person'), counted(2, 'query')
        ('1 box', '0 boxes', '2 people', '2 queries')
        >>> counted(1, 'file was left out', 'files were left out')
        '1 file was left out'
    """
    return f'{count} {one if count == 1 else several or _plural(one)}'


def _plural(noun: str) -> str:
    if noun.endswith('y') and noun[-2] not in 'aeiou':
        return f'{noun[:-1]}ies'
    return _PLURALS.get(noun) or noun + ('es' if noun.endswith(('x', 's', 'ch')) else 's')


class _Readable(Protocol):
    def read_bytes(self) -> bytes:
        """Read the whole file."""


def decode_text(data: bytes) -> str:
    r"""Decode a text file: UTF-8, or what the byte-order mark at its beginning says.

    Editors on Windows begin UTF-8 with such a mark, and PowerShell writes UTF-16.

    Args:
        data: The file's bytes.

    Returns:
        The text, without the mark.

    Raises:
        UnicodeDecodeError: If it is no such text.

    Example:
        >>> decode_text(b'\xef\xbb\xbfid'), decode_text('id'.encode('utf-16'))
        ('id', 'id')
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding)
    return data.decode('utf-8')


def read_text(path: _Readable) -> str:
    """Read a text file that a user gave; see :func:`decode_text`.

    Args:
        path: A ``pathlib.Path``, or a path of a storage.

    Raises:
        OSError: If it cannot be read.
        UnicodeDecodeError: If it is no text.
    """
    return decode_text(path.read_bytes())
