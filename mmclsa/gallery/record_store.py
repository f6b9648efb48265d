"""All records of an index: those of its segments and those not yet committed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmclsa.gallery.filters import SearchFilter, filter_mask
from mmclsa.gallery.manifest import FileEntry, Segment
from mmclsa.gallery.record_files import RecordFile, one_chunk, write_columns, write_records
from mmclsa.gallery.records import GalleryRecord, decode_rows
from mmclsa.utils.optional import import_optional

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ['RecordStore']

# From so many rows on, records are mapped instead of read into memory.
_MAPPED_FROM = 1_000_000
# Whoever searches with a filter mostly does so more than once.
_MASKS_KEPT = 4


class RecordStore:
    """Records by row number, in the order of adding.

    Args:
        folder: Folder of the index.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, RecordFile] = {}
        self._committed_shards: set[str] = set()
        self._forget_pending()

    def _forget_pending(self) -> None:
        self._masks: dict[SearchFilter, np.ndarray] = {}
        self._tables: list[pa.Table] = []
        self._joined: pa.Table | None = None
        self._shards: set[str] = set()

    def __len__(self) -> int:
        return sum(map(len, self._files.values())) + self.pending_rows

    @property
    def pending_rows(self) -> int:
        """How many rows are not yet committed."""
        return sum(table.num_rows for table in self._tables)

    @property
    def changed(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self._tables or self._shards)

    def shards(self) -> set[str]:
        """Give the finished units of work, those not yet committed included."""
        return self._committed_shards | self._shards

    def has_shard(self, shard: str) -> bool:
        """Tell whether a unit of work is finished.

        Args:
            shard: Its key.

        Returns:
            Whether it is there, committed or not.
        """
        return shard in self._committed_shards or shard in self._shards

    def load(self, segments: Sequence[Segment]) -> None:
        """Take over a committed state: these rows, and no others.

        Args:
            segments: The segments of the manifest, in order.

        Raises:
            MissingFileError: If a file is not there.
            DataError: If one is broken.
        """
        self._files = {
            segment.name: self._files.get(segment.name) or RecordFile(self._folder, segment)
            for segment in segments
        }
        self._committed_shards = set().union(*(file.shards for file in self._files.values()))
        self._forget_pending()

    def append(self, table: pa.Table, shard: str | None) -> None:
        """Take rows beyond the committed ones.

        Args:
            table: Records; may be none.
            shard: Key of the unit of work that gave them.
        """
        if table.num_rows:
            self._tables.append(table)
            self._joined = None
            self._masks.clear()
        if shard is not None:
            self._shards.add(shard)

    def flush(self, name: str) -> Mapping[str, FileEntry]:
        """Write the rows that are not yet committed.

        Args:
            name: Name of their segment.

        Returns:
            Its file.

        Raises:
            OSError: If the disk is full.
        """
        return self._write(name, self._tables, self._shards)

    def merge(self, name: str, segments: Sequence[Segment]) -> Mapping[str, FileEntry]:
        """Write the rows of several segments as one.

        Args:
            name: Name of the new segment.
            segments: Committed ones, in order.

        Returns:
            Its file.

        Raises:
            OSError: If the disk is full.
        """
        files = [self._files[segment.name] for segment in segments]
        tables = (table for file in files for table in file.tables())
        return self._write(name, tables, set().union(*(file.shards for file in files)))

    def build(self, segment: Segment) -> Mapping[str, FileEntry]:
        """Write what lets the records of a large segment be mapped.

        Args:
            segment: A committed segment.

        Returns:
            The new file, if there is one.

        Raises:
            OSError: If the disk is full.
        """
        if segment.rows < _MAPPED_FROM or 'columns' in segment.files:
            return {}
        path = self._folder / f'columns-{segment.name}.arrow'
        return {'columns': write_columns(path, self._files[segment.name].table())}

    def take(self, rows: np.ndarray) -> pa.Table:
        """Pick rows.

        Args:
            rows: Shape (n,), row numbers that exist.

        Returns:
            Their records, same order.
        """
        arrow = import_optional('pyarrow', 'gallery')
        picked, places = [], []
        for table, here, numbers in self._spread(rows):
            picked.append(table.take(arrow.array(numbers)))
            places.append(here)
        if len(picked) <= 1:
            return picked[0] if picked else one_chunk([])
        return one_chunk(picked).take(arrow.array(np.argsort(np.concatenate(places))))

    def records(self, rows: np.ndarray) -> list[GalleryRecord]:
        """Pick few rows, as records.

        Args:
            rows: Shape (n,), row numbers that exist.

        Returns:
            Their records, same order.
        """
        arrow = import_optional('pyarrow', 'gallery')
        found: dict[int, GalleryRecord] = {}
        for table, here, numbers in self._spread(rows):
            found.update(zip(here.tolist(), decode_rows(table.take(arrow.array(numbers)))))
        return [found[place] for place in range(len(rows))]

    def all(self) -> pa.Table:
        """Give all records as one table."""
        return one_chunk(self._all_tables())

    def mask(self, where: SearchFilter) -> np.ndarray:
        """Tell which rows a filter lets through.

        Args:
            where: The filter.

        Returns:
            Shape (rows,), bool.
        """
        if where not in self._masks:
            parts = [filter_mask(table, where) for table in self._all_tables()]
            while len(self._masks) >= _MASKS_KEPT:
                del self._masks[next(iter(self._masks))]
            self._masks[where] = np.concatenate(parts)
        return self._masks[where]

    def close(self) -> None:
        """Let go of the files."""
        self._files = {}
        self._forget_pending()

    def _write(
        self, name: str, tables: Iterator[pa.Table] | Sequence[pa.Table], shards: set[str]
    ) -> Mapping[str, FileEntry]:
        path = self._folder / f'records-{name}.parquet'
        return {'records': write_records(path, tables, shards)}

    def _all_tables(self) -> list[pa.Table]:
        if self._joined is None:
            self._joined = one_chunk(self._tables)
        return [*(file.table() for file in self._files.values()), self._joined]

    def _spread(self, rows: np.ndarray) -> Iterator[tuple[pa.Table, np.ndarray, np.ndarray]]:
        """Say where rows are: table, places in ``rows``, numbers in the table."""
        tables = self._all_tables()
        starts = np.cumsum([0, *(table.num_rows for table in tables)])
        owners = np.searchsorted(starts, rows, side='right') - 1
        for owner in np.unique(owners):
            here = np.flatnonzero(owners == owner)
            yield tables[owner], here, rows[here] - starts[owner]
