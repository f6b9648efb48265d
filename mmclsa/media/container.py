"""What the container of a video says of the whole: when it was made, how long it is.

ISO base media (MP4, MOV, 3GP; ISO/IEC 14496-12) and Matroska (MKV, WebM; RFC 9559) say so;
OpenCV does not pass it on.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

__all__ = ['Container', 'read_container']

_FROM_1904 = 2_082_844_800  # seconds up to 1970
_FROM_2001 = 978_307_200  # seconds since 1970
_EARLIEST = 631_152_000.0  # 1990: what is before was never set
_EBML, _SEGMENT, _INFO, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x1F43B675
_SCALE, _DURATION, _DATE = 0x2AD7B1, 0x4489, 0x4461
_MOST_PARTS = 10_000


class Container(NamedTuple):
    """What a container says.

    Args:
        created: Seconds since 1970 in UTC; None if it does not say.
        duration: Seconds; None if it does not say.
    """

    created: float | None = None
    duration: float | None = None


def read_container(path: str | Path) -> Container:
    """Read what the container of a video says, from its headers alone.

    Args:
        path: Any file.

    Returns:
        What it says; nothing of a container of another kind, or a broken one.

    Example:
        >>> read_container('no such file')
        Container(created=None, duration=None)
    """
    try:
        with open(path, 'rb') as stream:
            head = stream.read(8)
            stream.seek(0)
            if head[4:8] in (b'ftyp', b'moov', b'mdat', b'wide', b'free', b'skip'):
                return _read_iso(stream)
            if head[:4] == _EBML.to_bytes(4, 'big'):
                return _read_matroska(stream)
    except (OSError, struct.error, ValueError, IndexError, OverflowError, ArithmeticError):
        pass
    return Container()


def _checked(created: float, duration: float) -> Container:
    return Container(
        created if created >= _EARLIEST else None, duration if 0 < duration < 1e9 else None
    )


def _read_iso(stream: IO[bytes]) -> Container:
    for kind, stop in _boxes(stream, os.fstat(stream.fileno()).st_size):
        if kind != b'moov':
            continue
        for inner, _ in _boxes(stream, stop):
            if inner == b'mvhd':
                version = stream.read(4)[0]
                form = '>QQIQ' if version == 1 else '>IIII'
                created, _, scale, length = struct.unpack(form, stream.read(struct.calcsize(form)))
                unknown = length == (2**64 if version == 1 else 2**32) - 1
                return _checked(float(created - _FROM_1904), 0.0 if unknown else length / scale)
    return Container()


def _boxes(stream: IO[bytes], stop: int) -> Iterator[tuple[bytes, int]]:
    """Go through the boxes up to a place: kind and end, the stream being at its content."""
    for _ in range(_MOST_PARTS):
        start = stream.tell()
        if start + 8 > stop:
            return
        size, kind = struct.unpack('>I4s', stream.read(8))
        if size == 1:
            (size,) = struct.unpack('>Q', stream.read(8))
        end = stop if size == 0 else start + size
        if end <= start:
            return
        yield kind, end
        stream.seek(end)


def _read_matroska(stream: IO[bytes]) -> Container:
    stop = os.fstat(stream.fileno()).st_size
    for kind, end in _elements(stream, stop):
        if kind != _SEGMENT:
            continue
        for inner, inner_end in _elements(stream, end):
            if inner == _CLUSTER:
                return Container()
            if inner == _INFO:
                return _read_info(stream, inner_end)
    return Container()


def _read_info(stream: IO[bytes], stop: int) -> Container:
    scale, created, duration = 1_000_000, 0.0, 0.0
    for kind, end in _elements(stream, stop):
        data = stream.read(min(8, end - stream.tell()))
        if kind == _SCALE:
            scale = int.from_bytes(data, 'big')
        elif kind == _DURATION:
            (duration,) = struct.unpack('>f' if len(data) == 4 else '>d', data)
        elif kind == _DATE and len(data) == 8:
            created = _FROM_2001 + int.from_bytes(data, 'big', signed=True) / 1e9
    return _checked(created, duration * scale / 1e9)


def _elements(stream: IO[bytes], stop: int) -> Iterator[tuple[int, int]]:
    """Go through the elements up to a place: id and end, the stream being at its content."""
    for _ in range(_MOST_PARTS):
        if stream.tell() + 2 > stop:
            return
        kind, _ = _number(stream, keep_marker=True)
        size, unknown = _number(stream)
        end = stop if unknown else min(stop, stream.tell() + size)
        yield kind, end
        stream.seek(end)


def _number(stream: IO[bytes], keep_marker: bool = False) -> tuple[int, bool]:
    """Read a number of one to eight bytes; and whether it means "unknown"."""
    first = stream.read(1)[0]
    if not first:
        raise ValueError('no number of Matroska')
    length = 9 - first.bit_length()
    value = int.from_bytes(bytes([first]) + stream.read(length - 1), 'big')
    marker = 1 << 7 * length
    content = value & (marker - 1)
    return (value if keep_marker else content), content == marker - 1
