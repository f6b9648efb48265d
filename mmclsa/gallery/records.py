"""The record of a person found, and what the database keeps of it."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmclsa.errors import DataError

__all__ = ['GalleryRecord', 'Hit', 'checksum', 'decode_record', 'encode_record']

_NUMBERS = struct.Struct('<qd5dq')


@dataclass(frozen=True)
class GalleryRecord:
    """One person found somewhere.

    Attributes:
        source: Path or name of the image or video, as it was given, with
            forward slashes.
        frame: Number of the frame, 0-based; 0 for an image.
        time: Seconds since the epoch (UTC), or since the video's start; NaN
            if unknown.
        box: x1 y1 x2 y2 in pixels of the upright picture.
        score: Confidence of the detection, in [0, 1].
        camera: Name of the camera, empty if unknown.
        track_id: Number of the track within the source, -1 if unknown.
    """

    source: str
    frame: int
    time: float
    box: tuple[float, float, float, float]
    score: float
    camera: str = ''
    track_id: int = -1


@dataclass(frozen=True)
class Hit:
    """A record that a search found.

    Attributes:
        row: Its number in the index, in the order of adding. It stays the
            same, and no other person ever has it.
        similarity: Cosine of the angle between query and embedding.
        record: The record.
        probability: That it is the same person, by what the index has taught
            itself (``fit_calibration``); None if it could not.
    """

    row: int
    similarity: float
    record: GalleryRecord
    probability: float | None = None


def encode_record(record: GalleryRecord) -> tuple[Any, ...]:
    """Put a record into columns: source, frame, time, box, score, camera, track.

    Args:
        record: The record.

    Returns:
        Ten values that SQLite knows; an unknown time is None.

    Raises:
        DataError: If a value is of another type, or a box or score is not
            finite.

    Example:
        >>> encode_record(GalleryRecord('a.jpg', 0, float('nan'), (0, 0, 4, 9), 0.5))
        ('a.jpg', 0, None, 0.0, 0.0, 4.0, 9.0, 0.5, '', -1)
    """
    try:
        return _encode(record)
    except (TypeError, ValueError, struct.error, AttributeError) as error:
        raise DataError(f'{record!r} is no record of a person: {error}') from error


def _encode(record: GalleryRecord) -> tuple[Any, ...]:
    for text in (record.source, record.camera):
        if not isinstance(text, str):
            raise TypeError(f'{text!r} is no text')
        text.encode()
    # Checks that the integers are such, and makes Python's numbers of NumPy's.
    frame, time, *place, track = _NUMBERS.unpack(
        _NUMBERS.pack(record.frame, record.time, *record.box, record.score, record.track_id)
    )
    if not all(map(math.isfinite, place)):
        raise ValueError('box and score must be finite')
    # SQLite has no NaN and no negative zero.
    known = None if math.isnan(time) else time + 0.0
    place = [value + 0.0 for value in place]
    return (str(record.source), frame, known, *place, str(record.camera), track)


def decode_record(values: Sequence[Any]) -> GalleryRecord:
    """Read a record out of columns, the inverse of :func:`encode_record`.

    Args:
        values: Ten values, which may come from anybody's file.

    Returns:
        The record.

    Raises:
        DataError: If a value is of another type.

    Example:
        >>> decode_record(('a.jpg', 0, None, 0.0, 0.0, 4.0, 9.0, 0.5, 'door', -1)).camera
        'door'
    """
    source, frame, time, x1, y1, x2, y2, score, camera, track = values
    known = math.nan if time is None else time
    record = GalleryRecord(source, frame, known, (x1, y1, x2, y2), score, camera, track)
    encode_record(record)
    return record


def checksum(values: Sequence[Any], code: bytes | memoryview = b'') -> int:
    """Compute a number that tells whether a person is as he was written.

    Args:
        values: What :func:`encode_record` gave.
        code: The stored embedding.

    Returns:
        CRC-32 of both.

    Example:
        >>> checksum(('a.jpg', 0, None, 0.0, 0.0, 4.0, 9.0, 0.5, '', -1), b'12')
        951280936
    """
    source, frame, time, *place, camera, track = values
    numbers = _NUMBERS.pack(frame, math.nan if time is None else time, *place, track)
    return zlib.crc32(f'{source}\0{camera}'.encode(), zlib.crc32(numbers, zlib.crc32(code)))
