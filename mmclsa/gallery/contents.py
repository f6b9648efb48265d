"""Summing up what is in an index."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mmclsa.gallery.database import Database
from mmclsa.utils.times import DATES_FROM

__all__ = ['Contents', 'sum_up']


@dataclass(frozen=True)
class Contents:
    """What is in an index.

    Attributes:
        people: How many people.
        sources: In how many files.
        cameras: How many people each camera has, by its name.
        time_from: Earliest time; NaN if none is known.
        time_to: Latest time.
        sightings: How many of the people were seen for a while, not in one
            frame alone.
        untimed: Of how many people of each camera no time is known.
        since_start: Of how many the time is since the start of a video, no
            date.
    """

    people: int
    sources: int
    cameras: dict[str, int] = field(default_factory=dict)
    time_from: float = math.nan
    time_to: float = math.nan
    sightings: int = 0
    untimed: dict[str, int] = field(default_factory=dict, compare=False)
    since_start: dict[str, int] = field(default_factory=dict, compare=False)


def sum_up(database: Database, next_row: int, count: int) -> Contents:
    """Go through all of an index.

    Args:
        database: Its database.
        next_row: Rows from this number on do not count.
        count: How many there are below.

    Returns:
        What is in it.

    Raises:
        DataError: If the database is broken.
    """
    people = database.tables['people']
    ((sources, start, end, sightings),) = database.read(
        'SELECT count(DISTINCT source), min(coalesce(time_from, time)), '
        f'max(coalesce(time_to, time)), count(num_frames) FROM {people} WHERE row < ?',
        (next_row,),
    )
    cameras = database.read(
        'SELECT name, count(*), count(*) - count(coalesce(time_to, time)), '
        f'coalesce(sum(coalesce(time_to, time) < ?), 0) FROM {people} '
        'JOIN names ON id = camera WHERE row < ? GROUP BY camera ORDER BY name',
        (DATES_FROM, next_row),
    )
    return Contents(
        count,
        sources,
        {name: number for name, number, *_ in cameras},
        math.nan if start is None else start,
        math.nan if end is None else end,
        sightings,
        {name: untimed for name, _, untimed, _ in cameras},
        {name: since_start for name, *_, since_start in cameras},
    )
