"""People seen for a while: stays, crops and the frames behind them, made up."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mmclsa.gallery import GalleryRecord
from mmclsa.structures.sightings import PAIR_BINS, PairCounts, Stay, TrackFrames
from tests.test_gallery.people import People


def sighted(people: People) -> list[GalleryRecord]:
    """Their records, each with a stay of its own; every seventh has none."""
    return [_stayed(row, record) for row, record in enumerate(people.records)]


def _stayed(row: int, record: GalleryRecord) -> GalleryRecord:
    if row % 7 == 6:
        return record
    before, after = row % 3, row % 4
    times = (record.time - 10 * before, record.time + 10 * after)
    return replace(record, stay=Stay(row, row + before + after, *times, 1 + before + after))


def crop_of(row: int) -> bytes:
    """A file that stands for a JPEG; every fifth person has none."""
    return b'' if row % 5 == 4 else b'\xff\xd8' + np.random.default_rng(row).bytes(300 + row % 50)


def frames_of(row: int, record: GalleryRecord) -> TrackFrames | None:
    if record.stay is None:
        return None
    rng = np.random.default_rng(row)
    count = record.stay.num_frames
    return TrackFrames(
        np.arange(row, row + count),
        np.linspace(record.time_from, record.time_to, count),
        rng.uniform(0, 900, (count, 4)).astype(np.float32),
        rng.uniform(size=count).astype(np.float32),
    )


def counts_of(unit: int) -> PairCounts:
    rng = np.random.default_rng(unit)
    return PairCounts(rng.integers(0, 9, PAIR_BINS), rng.integers(0, 9, PAIR_BINS))


def extras(rows: range, records: list[GalleryRecord]) -> dict:
    """Arguments of GalleryIndex.add for these rows."""
    return dict(
        crops=[crop_of(row) for row in rows],
        behind=[frames_of(row, records[row]) for row in rows],
        pairs=counts_of(rows.start),
    )


def same_frames(one: TrackFrames, other: TrackFrames) -> bool:
    return all(
        a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)
        for a, b in zip(vars(one).values(), vars(other).values())
    )


def overlaps(record: GalleryRecord, start: float, end: float) -> bool:
    """Frame by frame: whether it was there at any time from start to end."""
    if math.isnan(record.time):
        return False
    return record.time_from <= end and record.time_to >= start
