"""Arrays of an index as bytes of its database: small, and of no use once they are broken."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from mmclsa.errors import DataError
from mmclsa.structures.sightings import PAIR_BINS, PairCounts, TrackFrames

__all__ = ['blob_checksum', 'pack_frames', 'pack_pairs', 'unpack_frames', 'unpack_pairs']

_COUNT = struct.Struct('<I')
_LAYOUT = (('<i8', 1), ('<f8', 1), ('<f4', 4), ('<f4', 1))
_BYTES = sum(np.dtype(kind).itemsize * width for kind, width in _LAYOUT)
# More frames than a person is seen in without a break: a day at 30 a second.
_MOST_FRAMES = 30 * 86_400
_PAIR_KIND = np.dtype('<i8')


def blob_checksum(row: int, blob: bytes) -> int:
    """Compute a number that tells whether bytes are those of a row.

    Args:
        row: Row number.
        blob: The bytes.

    Returns:
        CRC-32 of both.

    Example:
        >>> blob_checksum(7, b'12') == blob_checksum(8, b'12')
        False
    """
    return zlib.crc32(blob, row & 0xFFFFFFFF)


def pack_frames(frames: TrackFrames) -> bytes:
    """Make bytes of the frames behind a sighting, exactly.

    Differences of frame numbers, and bytes of like weight side by side,
    compress well.

    Args:
        frames: The frames.

    Returns:
        The bytes.

    Raises:
        DataError: If the arrays do not fit each other, there are none or too
            many frames, or their numbers do not ascend.

    Example:
        >>> one = TrackFrames(*(np.ones((1, 4)) if n == 2 else np.ones(1) for n in range(4)))
        >>> unpack_frames(pack_frames(one)).boxes.tolist()
        [[1.0, 1.0, 1.0, 1.0]]
    """
    numbers = np.asarray(frames.frames)
    count = len(numbers)
    shapes = [np.shape(array) for array in (frames.times, frames.boxes, frames.scores)]
    if numbers.shape != (count,) or shapes != [(count,), (count, 4), (count,)]:
        raise DataError(f'the frames behind a sighting do not fit each other: {shapes} of {count}')
    if not 0 < count <= _MOST_FRAMES:
        raise DataError(f'a sighting must have 1 to {_MOST_FRAMES} frames, not {count}')
    steps = np.diff(numbers.astype('<i8'), prepend=0)
    if (steps[1:] <= 0).any():
        raise DataError('the frames behind a sighting must be in the order of their numbers')
    arrays = (steps, frames.times, frames.boxes, frames.scores)
    parts = []
    for array, (kind, _) in zip(arrays, _LAYOUT):
        plain = np.ascontiguousarray(array, dtype=kind).reshape(count, -1)
        parts.append(plain.view(np.uint8).T.tobytes())
    return _COUNT.pack(count) + zlib.compress(b''.join(parts), 9)


def unpack_frames(blob: bytes) -> TrackFrames:
    """Undo :func:`pack_frames`.

    Args:
        blob: Bytes, which may be anything.

    Returns:
        The frames.

    Raises:
        DataError: If it is none.
    """
    try:
        (count,) = _COUNT.unpack_from(blob)
        if not 0 < count <= _MOST_FRAMES:
            raise ValueError(f'there are {count} frames')
        plain = np.frombuffer(_decompress(blob[_COUNT.size :], count * _BYTES), np.uint8)
    except (TypeError, ValueError, struct.error, zlib.error) as error:
        raise DataError(f'these are no frames of a sighting: {error}') from error
    arrays, start = [], 0
    for kind, width in _LAYOUT:
        size = np.dtype(kind).itemsize * width
        part = plain[start : start + count * size].reshape(size, count).T
        arrays.append(np.ascontiguousarray(part).view(kind))
        start += count * size
    steps, times, boxes, scores = arrays
    return TrackFrames(
        np.cumsum(steps[:, 0], dtype=np.int64),
        times[:, 0].astype(np.float64),
        boxes.astype(np.float32),
        scores[:, 0].astype(np.float32),
    )


def _decompress(data: bytes, size: int) -> bytes:
    """Decompress exactly so many bytes, whatever more the data would give."""
    stream = zlib.decompressobj()
    plain = stream.decompress(data, size)
    # What is left over may still be the end with its checksum, which gives nothing.
    rest = b'' if stream.eof else stream.decompress(stream.unconsumed_tail, 1)
    if len(plain) != size or rest or not stream.eof or stream.unused_data:
        raise ValueError('they are cut short or too long')
    return plain


def pack_pairs(pairs: PairCounts) -> bytes:
    """Make bytes of counts of pairs.

    Args:
        pairs: The counts.

    Returns:
        The bytes.

    Raises:
        DataError: If they are of another shape, no integers or negative.

    Example:
        >>> int(unpack_pairs(pack_pairs(PairCounts())).same.sum())
        0
    """
    for counts in (pairs.same, pairs.different):
        array = np.asarray(counts)
        if array.shape != (PAIR_BINS,) or array.dtype.kind not in 'iu' or (array < 0).any():
            raise DataError(f'counts of pairs must be {PAIR_BINS} numbers from 0 on')
    tracks = [] if pairs.num_tracks is None else [pairs.num_tracks]
    if min(tracks, default=0) < 0:
        raise DataError(f'the number of tracks of pairs must be 0 or more, not {tracks[0]}')
    counts = np.concatenate([pairs.same, pairs.different, tracks]).astype(_PAIR_KIND)
    return zlib.compress(counts.tobytes(), 9)


def unpack_pairs(blob: bytes) -> PairCounts:
    """Undo :func:`pack_pairs`.

    Args:
        blob: Bytes, which may be anything.

    Returns:
        The counts.

    Raises:
        DataError: If they are none.
    """
    size = 2 * PAIR_BINS * _PAIR_KIND.itemsize
    try:
        try:
            plain = _decompress(blob, size + _PAIR_KIND.itemsize)
        except ValueError:  # an older mmclsa did not count tracks
            plain = _decompress(blob, size)
    except (TypeError, ValueError, zlib.error) as error:
        raise DataError(f'these are no counts of pairs: {error}') from error
    counts = np.frombuffer(plain, _PAIR_KIND).astype(np.int64)
    if counts.min() < 0:
        raise DataError('these are no counts of pairs: some are negative')
    same, different, tracks = np.split(counts, [PAIR_BINS, 2 * PAIR_BINS])
    return PairCounts(same, different, int(tracks[0]) if len(tracks) else None)
