"""Which records a search may return."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmclsa.errors import ConfigError
from mmclsa.utils.optional import import_optional

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ['SearchFilter', 'filter_mask']


@dataclass(frozen=True)
class SearchFilter:
    """Which records a search may return; what is None allows everything.

    Attributes:
        cameras: Names of cameras, one of which a record must have.
        time_from: Earliest time, inclusive. A record of unknown time meets
            no condition on time.
        time_to: Latest time, inclusive.
        sources: Sources, one of which a record must have.

    Raises:
        ConfigError: If the names are one text instead of several, or the
            times are no numbers.
    """

    cameras: Sequence[str] | None = None
    time_from: float | None = None
    time_to: float | None = None
    sources: Sequence[str] | None = None

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
        for name in ('time_from', 'time_to'):
            value = getattr(self, name)
            if value is not None and math.isnan(value):
                raise ConfigError(f'{name} of a SearchFilter must be a number of seconds, not NaN')

    @property
    def timed(self) -> bool:
        """Whether there is a condition on the time."""
        return self.time_from is not None or self.time_to is not None

    @property
    def passes_all(self) -> bool:
        """Whether there is no condition at all."""
        return self.cameras is None and self.sources is None and not self.timed


def filter_mask(table: pa.Table, where: SearchFilter) -> np.ndarray:
    """Tell which records a filter lets through.

    Args:
        table: Records; the columns ``camera``, ``source`` and ``time`` are
            read as far as the filter has a condition on them.
        where: The filter.

    Returns:
        Shape (rows,), bool.

    Example:
        >>> from mmclsa.gallery import GalleryRecord, records_to_table
        >>> table = records_to_table(
        ...     [GalleryRecord('a.mp4', 0, t, (0, 0, 1, 1), 1.0, 'door') for t in (1.0, 2.0)]
        ... )
        >>> filter_mask(table, SearchFilter(cameras=['door'], time_from=1.5))
        array([False,  True])
    """
    pa = import_optional('pyarrow', 'gallery')
    compute = import_optional('pyarrow.compute', 'gallery')
    mask = np.ones(table.num_rows, dtype=bool)
    for column, allowed in (('camera', where.cameras), ('source', where.sources)):
        if allowed is not None:
            values = pa.array(list(allowed), pa.string())
            mask &= compute.is_in(table[column], value_set=values).to_numpy()
    if where.timed:
        times = table['time'].to_numpy()
        # Comparisons with NaN are false, so unknown times drop out.
        mask &= times >= (-math.inf if where.time_from is None else where.time_from)
        mask &= times <= (math.inf if where.time_to is None else where.time_to)
    return mask
