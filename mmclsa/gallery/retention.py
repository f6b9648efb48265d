"""Forgetting people after some days."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

from mmclsa.errors import ConfigError
from mmclsa.gallery.filters import SearchFilter
from mmclsa.gallery.index import GalleryIndex
from mmclsa.gallery.index_reader import IndexReader
from mmclsa.utils.text import counted
from mmclsa.utils.times import FIRST_DATE, format_date, format_time, is_date

__all__ = ['Forgotten', 'check_days', 'forget_older_than', 'older_than']

_DAY = 86_400.0


class Forgotten(NamedTuple):
    """What a retention rule did.

    Args:
        deleted: How many people were deleted.
        left: How many are left.
        undated: How many of those have no time, so that nobody knows how old
            they are.
        before: They were last seen before this time, seconds since 1970.
    """

    deleted: int
    left: int
    undated: int
    before: float

    def __str__(self) -> str:
        when = f'last seen before {format_date(self.before)}'
        gone = counted(self.deleted, f'person {when} was deleted', f'people {when} were deleted')
        left = counted(self.left, 'is left', 'are left')
        undated = counted(
            self.undated, 'of these has no time and stays', 'of these have no time and stay'
        )
        return f'{gone}, {left}{f"; {undated}" if self.undated else ""}'


def check_days(days: float) -> None:
    """Refuse days that nobody can be kept for.

    Args:
        days: How many days are kept.

    Raises:
        ConfigError: If the number is not positive, or not finite.
    """
    if not 0 < days < math.inf:
        raise ConfigError(f'the days to keep (--keep-days) must be a number above 0, not {days:g}')


def older_than(index: IndexReader, days: float, now: float | None = None) -> SearchFilter:
    """Make the filter of who was last seen longer ago than some days.

    Args:
        index: The index.
        days: How many days.
        now: Seconds since 1970 in UTC; None for the clock of this machine.

    Returns:
        The filter.

    Raises:
        ConfigError: If ``days`` is not positive, or the times of the index are
            not all of a calendar: seconds since a video's start are old at
            any time.
    """
    check_days(days)
    contents = index.contents()
    if contents.people and not is_date(contents.time_from):
        if math.isnan(contents.time_from):
            found = 'no person in it has a time'
        else:
            found = f'some are times since the start of a video ({format_time(contents.time_from)})'
        raise ConfigError(
            f'the index {index.path} cannot be kept to {days:g} days: {found}, not dates; build it '
            'with --start-time, or delete by --source'
        )
    moment = time.time() if now is None else now
    return SearchFilter(gone_before=max(moment - days * _DAY, FIRST_DATE))


def forget_older_than(index: GalleryIndex, days: float, now: float | None = None) -> Forgotten:
    """Delete who was last seen longer ago than some days, for good.

    The index is optimized then, if anybody was deleted. People without a time
    stay.

    Args:
        index: Opened for writing.
        days: How many days are kept.
        now: Seconds since 1970 in UTC; None for the clock of this machine.

    Returns:
        How many were deleted, and how many are left.

    Raises:
        ConfigError: If ``days`` is not positive, the index was not opened for
            writing, or its times are not all of a calendar.
        UserError: If the disk is full or fails.
    """
    index.commit()
    where = older_than(index, days, now)
    deleted = index.delete(index.find(where))
    if deleted:
        index.optimize()
    dated = len(index.find(SearchFilter(time_from=-math.inf)))
    return Forgotten(deleted, len(index), len(index) - dated, where.gone_before or 0.0)
