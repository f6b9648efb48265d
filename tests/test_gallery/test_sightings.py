"""Sightings in an index: stays, crops, the frames behind them and counts of pairs."""

from __future__ import annotations

import numpy as np
import pytest

from mmclsa.gallery import GalleryIndex
from mmclsa.structures.sightings import TrackFrames
from tests.test_gallery.people import MODEL, same_records
from tests.test_gallery.sighted import (
    counts_of,
    crop_of,
    extras,
    frames_of,
    same_frames,
    sighted,
)

PARTS = [range(70), range(70, 71), range(71, 200)]


@pytest.fixture
def records(people):
    return sighted(people)


def build(folder, people, records, backend=None) -> None:
    with GalleryIndex.create(folder, MODEL, backend) as index:
        for part in PARTS:
            span = slice(part.start, part.stop)
            index.add(
                people.vectors[span], records[span], f'part {part.start}', **extras(part, records)
            )
            index.commit()


def check(index: GalleryIndex, records, kept, units) -> None:
    """All of these rows is there, and nothing of others."""
    assert index.rows().tolist() == kept
    assert same_records(index.records(), [records[row] for row in kept])
    crops = {row: crop_of(row) for row in kept if crop_of(row)}
    assert index.crops(kept) == crops
    assert index.has_crops == bool(crops)
    for row in kept:
        expected = frames_of(row, records[row])
        if expected is None:
            (expected,) = single(records[row])
        assert same_frames(index.behind(row), expected)
    counts = index.pair_counts()
    assert counts.same.tolist() == sum((counts_of(u).same for u in units), 0 * counts.same).tolist()
    assert counts.different.sum() == sum(counts_of(u).different.sum() for u in units)


def single(record):
    yield TrackFrames(
        np.array([record.frame]),
        np.array([record.time]),
        np.array([record.box], np.float32),
        np.array([record.score], np.float32),
    )


def test_everything_comes_back(folder, people, records, backend):
    with GalleryIndex.create(folder, MODEL, backend) as index:
        for part in PARTS:
            span = slice(part.start, part.stop)
            index.add(people.vectors[span], records[span], str(part), **extras(part, records))
            check(
                index, records, [*range(part.stop)], [p.start for p in PARTS if p.stop <= part.stop]
            )
            if part == PARTS[0]:
                index.commit()
    with GalleryIndex.open(folder) as index:  # what was not committed is gone
        check(index, records, [*PARTS[0]], [0])
        index.verify()
        assert index.contents().sightings == 60
