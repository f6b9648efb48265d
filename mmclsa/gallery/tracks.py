"""What the database of an index says of whole tracks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmclsa.gallery.database import Database
from mmclsa.structures.sightings import Stay

__all__ = ['count_sightings', 'track_stays']


def track_stays(database: Database, rows: np.ndarray, next_row: int) -> dict[tuple[str, int], Stay]:
    """Tell from when to when the tracks of some people were seen.

    Args:
        database: Database of an index.
        rows: Their row numbers, shape (n,).
        next_row: Rows from this number on do not count.

    Returns:
        By source and number of the track; those of single detections are not
        in it.

    Raises:
        DataError: If the database is broken.
    """
    people = database.tables['people']
    wanted = ', '.join(map(str, rows.tolist()))
    found = database.read(
        'SELECT name, track_id, min(coalesce(first_frame, frame)), '
        'max(coalesce(last_frame, frame)), min(coalesce(time_from, time)), '
        f'max(coalesce(time_to, time)), sum(coalesce(num_frames, 1)) FROM {people} '
        'JOIN names ON id = source WHERE row < ? AND (source, track_id) IN '
        f'(SELECT source, track_id FROM {people} WHERE track_id >= 0 AND row IN ({wanted})) '
        'GROUP BY source, track_id HAVING count(num_frames) > 0',
        (next_row,),
    )
    return {
        (source, track): Stay(first, last, _or_nan(start), _or_nan(end), count)
        for source, track, first, last, start, end, count in found
    }


def _or_nan(time: float | None) -> float:
    return math.nan if time is None else time


def count_sightings(
    database: Database, next_row: int, condition: str, parameters: Sequence[Any]
) -> int:
    """Count people, all rows of a track as one.

    Args:
        database: Database of an index.
        next_row: Rows from this number on do not count.
        condition: What :func:`~mmclsa.gallery.filters.filter_condition` gave.
        parameters: And what stands for its question marks.

    Returns:
        How many there are.

    Raises:
        DataError: If the database is broken.
    """
    ((count,),) = database.read(
        'SELECT count(*) FROM (SELECT DISTINCT source, '
        'CASE WHEN track_id < 0 THEN -1 - row ELSE track_id END '
        f'FROM {database.tables["people"]} WHERE row < ? AND {condition})',
        (next_row, *parameters),
    )
    return int(count)
