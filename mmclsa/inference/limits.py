"""Cameras and times that a search is limited to, checked against what is there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from mmclsa.errors import ConfigError
from mmclsa.gallery import Contents, SearchFilter
from mmclsa.gallery.index_reader import IndexReader
from mmclsa.utils.times import DATES_FROM, format_time, is_date, parse_time

__all__ = ['Clock', 'clock_of', 'search_filter', 'undated_sentence']

_LAST = math.nextafter(DATES_FROM, 0)  # the last time since the start of a video

Clock = Literal['utc', 'video', 'both', 'none']
_LISTED = 20  # names in a message


def clock_of(contents: Contents) -> Clock:
    """Say what the times of an index are.

    Args:
        contents: Of the index.

    Returns:
        ``utc`` for dates, ``video`` for times since a video's start, ``both``,
        or ``none`` where no time is known.

    Example:
        >>> clock_of(Contents(1, 1, {}, 0.0, 3.0)), clock_of(Contents(1, 1))
        ('video', 'none')
    """
    if not math.isfinite(contents.time_from):
        return 'none'
    first, last = is_date(contents.time_from), is_date(contents.time_to)
    return ('utc' if first else 'video') if first == last else 'both'


def search_filter(
    contents: Contents | IndexReader,
    cameras: Sequence[str] | None = None,
    time_from: str | float | None = None,
    time_to: str | float | None = None,
    names: tuple[str, str] = ('"from"', '"to"'),
) -> SearchFilter:
    """Make a filter, and refuse one that lets nothing through by mistake.

    Args:
        contents: Of the index; or the index, which is asked for them if there is any limit.
        cameras: Only these; None or none for all.
        time_from: Not before, as the command line takes it; None or empty for any.
        time_to: Not after, as the command line takes it; None or empty for any.
        names: What the user knows the two times as, for messages.

    Returns:
        The filter.

    Raises:
        ConfigError: If a camera is not in the index, the times are no times,
            of another clock than those of the index, or the wrong way round.

    Example:
        >>> search_filter(Contents(1, 1, {'door': 1}, 0.0, 9.0), ['dor'])
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: there is no camera "dor" in the index, which has "door"
    """
    if isinstance(contents, IndexReader):
        if not cameras and time_from is None and time_to is None:
            return SearchFilter()
        contents = contents.contents()  # goes through all of the index
    for name in cameras or ():
        if name not in contents.cameras:
            raise ConfigError(
                f'there is no camera "{name}" in the index, which has {_names(contents)}'
            )
    start = _time(names[0], time_from, contents)
    end = _time(names[1], time_to, contents)
    if start is not None and end is not None and start > end:
        raise ConfigError(
            f'{names[0]} must not be after {names[1]}, but {time_from} is after {time_to}: '
            'exchange the two'
        )
    if clock_of(contents) == 'both':
        start, end = _own_clock(start, end)
    return SearchFilter(list(cameras) if cameras else None, start, end)


def undated_sentence(contents: Contents | IndexReader, where: SearchFilter | None) -> str:
    """Say whom a condition on the time leaves out without looking at when they were seen.

    Args:
        contents: Of the index that is searched; or the index.
        where: Of the search.

    Returns:
        How many have no time, or one of another clock; empty without a
        condition on the time, and where there is nobody of them.

    Example:
        >>> contents = Contents(5, 2, {'door': 5}, untimed={'door': 2}, since_start={'door': 3})
        >>> undated_sentence(contents, SearchFilter(time_to=9.0))
        'sightings of unknown time, which are left out: 2'
    """
    if where is None or not where.timed:
        return ''
    if isinstance(contents, IndexReader):
        contents = contents.contents()
    chosen = set(contents.cameras if where.cameras is None else where.cameras)
    everybody, untimed, since_start = (
        sum(counts.get(name, 0) for name in chosen)
        for counts in (contents.cameras, contents.untimed, contents.since_start)
    )
    told = [('of unknown time', untimed)]
    start, end = _own_clock(where.time_from, where.time_to)
    if start is not None and start >= DATES_FROM:
        told.append(('with a time of a video', since_start))
    elif end is not None and end < DATES_FROM:
        told.append(('with a date', everybody - untimed - since_start))
    return '; '.join(f'sightings {who}, which are left out: {many}' for who, many in told if many)


def _own_clock(start: float | None, end: float | None) -> tuple[float | None, float | None]:
    """Close an open side, so that no time of the other clock lies between the limits.

    Seconds since the start of a video are less than those of any date.
    """
    starts, ends = start not in (None, -math.inf), end not in (None, math.inf)
    if not starts and ends and end is not None and is_date(end):
        return DATES_FROM, end
    if not ends and starts and start is not None and not is_date(start):
        return start, _LAST
    return start, end


def _names(contents: Contents) -> str:
    names = [f'"{name}"' if name else 'one without a name' for name in contents.cameras]
    more = f' and {len(names) - _LISTED} more' if len(names) > _LISTED else ''
    return (', '.join(names[:_LISTED]) or 'none') + more


def _time(name: str, given: str | float | None, contents: Contents) -> float | None:
    """Read one limit, and compare its clock with that of the index."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    seconds = parse_time(given.strip(), name) if isinstance(given, str) else float(given)
    if math.isnan(seconds):
        raise ConfigError(f'{name} must be a number of seconds, not NaN')
    if math.isinf(seconds):
        return seconds
    clock = clock_of(contents)
    span = f'{format_time(contents.time_from)} to {format_time(contents.time_to)}'
    if clock == 'none':
        raise ConfigError(f'{name} is given, but no time is known of anybody in the index')
    if clock == 'utc' and not is_date(seconds):
        raise ConfigError(
            f'{name} must be a date such as {format_time(contents.time_from)}, for the index '
            f'has dates ({span}), but is {given}'
        )
    if clock == 'video' and is_date(seconds):
        raise ConfigError(
            f'{name} must be a time since the start of the video such as '
            f'{format_time(contents.time_to)}, for the index has no dates ({span}), but is {given}'
        )
    return seconds
