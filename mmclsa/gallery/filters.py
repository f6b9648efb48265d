"""Which records a search may return."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mmclsa.errors import ConfigError

__all__ = ['SearchFilter', 'filter_condition']


@dataclass(frozen=True)
class SearchFilter:
    """Which records a search may return; what is None allows everything.

    Attributes:
        cameras: Names of cameras, one of which a record must have.
        time_from: Earliest time, inclusive: who was still seen then or later.
            A record of unknown time meets no condition on time.
        time_to: Latest time, inclusive: who was first seen by then.
        sources: Sources, one of which a record must have.
        gone_before: Who was last seen before this time.

    Raises:
        ConfigError: If the names are one text instead of several, or the
            times are no numbers.
    """

    cameras: Sequence[str] | None = None
    time_from: float | None = None
    time_to: float | None = None
    sources: Sequence[str] | None = None
    gone_before: float | None = None

    def __post_init__(self) -> None:
        for name in ('cameras', 'sources'):
            if isinstance(getattr(self, name), str):
                raise ConfigError(
                    f'{name} of a SearchFilter must be several names, not the text '
                    f'"{getattr(self, name)}"'
                )
            if getattr(self, name) is not None:
                # Filters are compared and kept, so they must not change.
                object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ('time_from', 'time_to', 'gone_before'):
            value = getattr(self, name)
            if value is not None and math.isnan(value):
                raise ConfigError(f'{name} of a SearchFilter must be a number of seconds, not NaN')

    @property
    def timed(self) -> bool:
        """Whether there is a condition on the time."""
        return (self.time_from, self.time_to, self.gone_before) != (None, None, None)

    @property
    def passes_all(self) -> bool:
        """Whether there is no condition at all."""
        return self.cameras is None and self.sources is None and not self.timed

    def passes(
        self, source: str, camera: str, time: float | None, time_to: float | None = None
    ) -> bool:
        """Tell whether it lets a record through.

        Args:
            source: The record's source.
            camera: Its camera.
            time: Its time, or that at which it was first seen; None if unknown.
            time_to: When it was last seen, if that is another time.

        Returns:
            Whether it does.

        Example:
            >>> SearchFilter(time_from=3.0).passes('a.mp4', 'door', None)
            False
        """
        if self.cameras is not None and camera not in self.cameras:
            return False
        if self.sources is not None and source not in self.sources:
            return False
        if not self.timed:
            return True
        first = math.nan if time is None else time
        last = first if time_to is None else time_to
        return bool(
            (self.time_from is None or last >= self.time_from)
            and (self.time_to is None or first <= self.time_to)
            and (self.gone_before is None or last < self.gone_before)
        )


def filter_condition(
    where: SearchFilter, name_ids: Callable[[Iterable[str]], Mapping[str, int]]
) -> tuple[str, list[float]]:
    """Put a filter into SQL.

    Args:
        where: The filter.
        name_ids: Gives the numbers of those of some names that are in the index.

    Returns:
        A condition on the table ``people``, and what stands for its question
        marks.

    Example:
        >>> filter_condition(SearchFilter(cameras=['door'], time_to=5), lambda names: {'door': 3})
        ('camera IN (3) AND coalesce(time_from, time) <= ?', [5.0])
    """
    parts = []
    for column, allowed in (('camera', where.cameras), ('source', where.sources)):
        if allowed is not None:
            numbers = sorted(name_ids(allowed).values())
            parts.append(f'{column} IN ({", ".join(map(str, numbers))})')
    limits = [
        ('coalesce(time_to, time) >=', where.time_from),
        ('coalesce(time_from, time) <=', where.time_to),
        ('coalesce(time_to, time) <', where.gone_before),
    ]
    parameters = []
    for condition, limit in limits:
        if limit is not None:
            parts.append(f'{condition} ?')
            parameters.append(float(limit))
    return ' AND '.join(parts or ['TRUE']), parameters
