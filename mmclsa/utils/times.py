"""Points in time on the command line and in tables."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

from mmclsa.errors import ConfigError

__all__ = ['DATES_FROM', 'FIRST_DATE', 'format_date', 'format_time', 'is_date', 'parse_time']

#: Seconds since 1970 are years away from the seconds since a video's start.
DATES_FROM = 10 * 365 * 86400
#: And those of the first of January of the year 1; no calendar goes further back.
FIRST_DATE = -62_135_596_800
_YEAR_10000 = 253_402_300_800  # nor forward


def parse_time(text: str, name: str = '') -> float:
    """Read a point in time.

    Args:
        text: Seconds; ``[h:]mm:ss`` since a video's start; or an ISO date,
            with or without time, in UTC where it has no zone.
        name: What it was given as, such as ``--from``, for the message.

    Returns:
        Seconds since the video's start, or since 1970.

    Raises:
        ConfigError: If it is none of these, or after the year 9999.

    Example:
        >>> parse_time('12.5'), parse_time('1:02:03'), parse_time('2009-06-11T12:00')
        (12.5, 3723.0, 1244721600.0)
    """
    try:
        seconds = float(text)
        if abs(seconds) < _YEAR_10000:  # milliseconds since 1970 are beyond
            return seconds
    except ValueError:
        pass
    try:
        if ':' in text and '-' not in text:
            parts = [float(part) for part in text.split(':')]
            if 2 <= len(parts) <= 3 and all(0 <= part < 60 for part in parts[1:]):
                return sum(part * 60**power for power, part in enumerate(reversed(parts)))
        moment = datetime.fromisoformat(text.replace('Z', '+00:00'))
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f'{name}{name and ": "}a time must be seconds, h:mm:ss or an ISO date such as '
            f'2024-05-06T07:08:09, but is {text!r}'
        ) from error


def is_date(seconds: float) -> bool:
    """Tell seconds since 1970 from those since a video's start.

    Example:
        >>> is_date(3723.0), is_date(1244721600.0)
        (False, True)
    """
    return seconds >= DATES_FROM


def format_time(seconds: float) -> str:
    """Write a point in time.

    Args:
        seconds: Since a video's start, or since 1970; NaN for unknown.

    Returns:
        ``h:mm:ss.s`` or an ISO date in UTC; empty if unknown.

    Example:
        >>> format_time(3723.0), format_time(1244721600.0), format_time(float('nan'))
        ('1:02:03.0', '2009-06-11T12:00:00Z', '')
    """
    if not math.isfinite(seconds):
        return ''
    if not is_date(seconds):
        minutes, rest = divmod(round(seconds, 1), 60)
        return f'{int(minutes) // 60}:{int(minutes) % 60:02d}:{rest:04.1f}'
    return format_date(seconds)


def format_date(seconds: float) -> str:
    """Write a date, be it before 1970.

    Args:
        seconds: Since 1970, from :data:`FIRST_DATE` on.

    Returns:
        An ISO date in UTC.

    Example:
        >>> format_date(-86400.0)
        '1969-12-31T00:00:00Z'
    """
    moment = datetime(1970, 1, 1) + timedelta(seconds=round(seconds))
    return f'{moment.isoformat()}Z'
