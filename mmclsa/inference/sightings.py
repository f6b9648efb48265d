"""Which rows of an index are one sighting, and which pictures it is in."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from mmclsa.gallery import GalleryRecord
from mmclsa.gallery.index_reader import IndexReader

__all__ = ['boxes_by_picture', 'sightings_of']


def sightings_of(records: Sequence[GalleryRecord]) -> list[np.ndarray]:
    """Put the records of each track together.

    Args:
        records: Of an index.

    Returns:
        Places in ``records`` of each sighting, shape (k,), in order of appearance.
    """
    found: dict[Hashable, list[int]] = {}
    for number, record in enumerate(records):
        track = (record.source, record.track_id) if record.track_id >= 0 else number
        found.setdefault(track, []).append(number)
    return [np.array(members) for members in found.values()]


def boxes_by_picture(
    index: IndexReader,
    rows: np.ndarray,
    records: Sequence[GalleryRecord],
    sightings: Sequence[np.ndarray],
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Number the pictures that each sighting is in, and tell where in them.

    Args:
        index: The index.
        rows: Rows of it, shape (n,).
        records: Their records.
        sightings: See :func:`sightings_of`.

    Returns:
        Numbers of pictures of each, shape (k,), and its boxes there, shape
        (k, 4), as :func:`~mmclsa.evaluation.functional.seen_together` takes
        them.
    """
    numbers: dict[tuple[str, int], int] = {}
    places, boxes = [], []
    for members in sightings:
        own: dict[int, Sequence[float]] = {}
        for member in members.tolist():
            record = records[member]
            seen = [(record.frame, record.box)]
            if record.stay is not None:
                behind = index.behind(int(rows[member]))
                seen = list(zip(behind.frames.tolist(), behind.boxes.tolist()))
            for frame, box in seen:
                own[numbers.setdefault((record.source, frame), len(numbers))] = box
        places.append(np.array(list(own), np.int64))
        boxes.append(np.array(list(own.values()), np.float64))
    return places, boxes
