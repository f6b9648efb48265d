"""The record of a person found, and what the database keeps of it."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmclsa.errors import DataError
from mmclsa.structures.sightings import Stay

__all__ = [
    'COLUMNS',
    'GalleryRecord',
    'Hit',
    'checksum',
    'decode_record',
    'encode_record',
    'span_of',
]

#: What a record is kept as, in the order of :func:`encode_record`.
COLUMNS = (
    'source', 'frame', 'time', 'x1', 'y1', 'x2', 'y2', 'score', 'camera', 'track_id',
    'first_frame', 'last_frame', 'time_from', 'time_to', 'num_frames',
)  # fmt: skip
_NUMBERS = struct.Struct('<qd5dq')
_STAY = struct.Struct('<qqddq')
_NO_STAY = (None,) * 5


@dataclass(frozen=True)
class GalleryRecord:
    """One person found somewhere: in a picture, or for a while in a video (a sighting).

    Attributes:
        source: Path or name of the image or video, as it was given, with
            forward slashes.
        frame: Number of the frame, 0-based; 0 for an image. Of a sighting,
            this, the time, the box and the score are those of its best frame.
        time: Seconds since the epoch (UTC), or since the video's start; NaN
            if unknown.
        box: x1 y1 x2 y2 in pixels of the upright picture.
        score: Confidence of the detection, in [0, 1].
        camera: Name of the camera, empty if unknown.
        track_id: Number of the track within the source, -1 if unknown.
        stay: From when to when it was seen; None if in this frame alone.
    """

    source: str
    frame: int
    time: float
    box: tuple[float, float, float, float]
    score: float
    camera: str = ''
    track_id: int = -1
    stay: Stay | None = None

    @property
    def first_frame(self) -> int:
        """Number of the first frame in which it was seen."""
        return self.frame if self.stay is None else self.stay.first_frame

    @property
    def last_frame(self) -> int:
        """Number of the last one."""
        return self.frame if self.stay is None else self.stay.last_frame

    @property
    def time_from(self) -> float:
        """When it was first seen, as ``time``."""
        return self._known_time(None if self.stay is None else self.stay.time_from)

    @property
    def time_to(self) -> float:
        """When it was last seen."""
        return self._known_time(None if self.stay is None else self.stay.time_to)

    @property
    def num_frames(self) -> int:
        """In how many frames it was seen."""
        return 1 if self.stay is None else self.stay.num_frames

    def _known_time(self, time: float | None) -> float:
        return self.time if time is None or math.isnan(time) else time


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
    """Put a record into columns, those of :data:`COLUMNS`.

    Args:
        record: The record.

    Returns:
        Fifteen values that SQLite knows. An unknown time is None; the last
        five are where there is no stay.

    Raises:
        DataError: If a value is of another type, a box or score is not
            finite, or a stay ends before it begins.

    Example:
        >>> encode_record(GalleryRecord('a.jpg', 0, float('nan'), (0, 0, 4, 9), 0.5))[:10]
        ('a.jpg', 0, None, 0.0, 0.0, 4.0, 9.0, 0.5, '', -1)
        >>> stay = Stay(3, 7, 0.12, 0.28, 5)
        >>> encode_record(GalleryRecord('a.avi', 3, 0.12, (0, 0, 4, 9), 0.5, stay=stay))[10:]
        (3, 7, 0.12, 0.28, 5)
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
    place = [value + 0.0 for value in place]
    stay = _NO_STAY if record.stay is None else _encode_stay(record.stay)
    return (str(record.source), frame, _known(time), *place, str(record.camera), track, *stay)


def _encode_stay(stay: Stay) -> tuple[Any, ...]:
    first, last, start, end, count = _STAY.unpack(
        _STAY.pack(stay.first_frame, stay.last_frame, stay.time_from, stay.time_to, stay.num_frames)
    )
    if first > last or start > end or count < 1:
        raise ValueError('a stay must begin before it ends, and have frames')
    return (first, last, _known(start), _known(end), count)


def _known(time: float) -> float | None:
    # SQLite has no NaN and no negative zero.
    return None if math.isnan(time) else time + 0.0


def decode_record(values: Sequence[Any]) -> GalleryRecord:
    """Read a record out of columns, the inverse of :func:`encode_record`.

    Args:
        values: Fifteen values, which may come from anybody's file; or the
            first ten, of a record without a stay.

    Returns:
        The record.

    Raises:
        DataError: If a value is of another type.

    Example:
        >>> decode_record(('a.jpg', 0, None, 0.0, 0.0, 4.0, 9.0, 0.5, 'door', -1)).camera
        'door'
    """
    source, frame, time, x1, y1, x2, y2, score, camera, track, *rest = values
    record = GalleryRecord(
        source, frame, _or_nan(time), (x1, y1, x2, y2), score, camera, track, _decode_stay(*rest)
    )
    encode_record(record)
    return record


def _decode_stay(
    first: Any = None, last: Any = None, start: Any = None, end: Any = None, count: Any = None
) -> Stay | None:
    return None if count is None else Stay(first, last, _or_nan(start), _or_nan(end), count)


def _or_nan(time: Any) -> Any:
    return math.nan if time is None else time


def span_of(values: Sequence[Any]) -> tuple[float | None, float | None]:
    """Tell when somebody was first and last seen, out of columns.

    Args:
        values: What :func:`encode_record` gave.

    Returns:
        Two times; None where unknown.

    Example:
        >>> span_of(encode_record(GalleryRecord('a.jpg', 0, 5.0, (0, 0, 4, 9), 0.5)))
        (5.0, 5.0)
    """
    time, start, end = values[2], values[12], values[13]
    return (time if start is None else start, time if end is None else end)


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
    source, frame, time, *place, camera, track = values[:10]
    numbers = _NUMBERS.pack(frame, _or_nan(time), *place, track)
    if len(values) > 10 and values[14] is not None:
        first, last, start, end, count = values[10:]
        # A record without a stay has the number that older versions gave it.
        numbers += _STAY.pack(first, last, _or_nan(start), _or_nan(end), count)
    return zlib.crc32(f'{source}\0{camera}'.encode(), zlib.crc32(numbers, zlib.crc32(code)))
