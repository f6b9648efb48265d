"""Which rows of an index are one sighting, and which pictures it is in."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from mmclsa.gallery import GalleryRecord
from mmclsa.gallery.index_reader import IndexReader

__all__ = ['places_of', 'sightings_of']


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


def places_of(
    index: IndexReader,
    rows: np.ndarray,
    records: Sequence[GalleryRecord],
    sightings: Sequence[np.ndarray],
) -> list[np.ndarray]:
    """Number the pictures that each sighting is in.

    Args:
        index: The index.
        rows: Rows of it, shape (n,).
        records: Their records.
        sightings: See :func:`sightings_of`.

    Returns:
        Numbers of pictures of each, shape (k,), as
        :func:`~mmclsa.evaluation.functional.seen_together` takes them.
    """
    numbers: dict[tuple[str, int], int] = {}
    places = []
    for members in sightings:
        own = set()
        for member in members.tolist():
            record = records[member]
            frames = [record.frame]
            if record.stay is not None:
                frames = index.behind(int(rows[member])).frames.tolist()
            own |= {numbers.setdefault((record.source, frame), len(numbers)) for frame in frames}
        places.append(np.array(sorted(own), np.int64))
    return places
