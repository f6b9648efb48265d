"""From when to when, for records with and without a stay."""

from __future__ import annotations

import numpy as np

from mmclsa.gallery import GalleryIndex, GalleryRecord
from mmclsa.structures.sightings import Stay, TrackFrames

__all__ = ['behind_of', 'crops_of', 'state_of', 'stay_of']


def stay_of(record: GalleryRecord) -> Stay:
    """Give the stay of a record."""
    stay = getattr(record, 'stay', None)
    return stay or Stay(record.frame, record.frame, record.time, record.time, 1)


def behind_of(index: GalleryIndex, row: int, record: GalleryRecord) -> TrackFrames:
    """Give the frames behind a record."""
    if hasattr(index, 'behind'):
        return index.behind(row)
    return TrackFrames(
        np.array([record.frame]),
        np.array([record.time]),
        np.array([record.box], np.float32),
        np.array([record.score], np.float32),
    )


def crops_of(index: GalleryIndex, rows: list[int]) -> dict[int, bytes]:
    """Give crops."""
    return index.crops(rows) if hasattr(index, 'crops') else {}


def state_of(index: GalleryIndex) -> str:
    """Give a text that changes when the index does."""
    return f'{index._manifest.generation}-{index._manifest.next_row}-{len(index)}'
