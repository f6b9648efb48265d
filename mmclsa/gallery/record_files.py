"""Records of one segment in a Parquet file, with the shards they came from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmclsa.errors import DataError
from mmclsa.gallery.files import check_file, describe_file, new_file
from mmclsa.gallery.manifest import FileEntry, Segment
from mmclsa.gallery.records import conform_table, record_schema
from mmclsa.utils.optional import import_optional

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ['RecordFile', 'one_chunk', 'write_columns', 'write_records']

_SHARDS = b'mmclsa.shards'
_ROWS_PER_GROUP = 1 << 16


def write_records(path: Path, tables: Iterable[pa.Table], shards: Iterable[str]) -> FileEntry:
    """Write a Parquet file of records.

    Args:
        path: The file, which is new.
        tables: Tables of :func:`~mmclsa.gallery.record_schema`.
        shards: Keys of the finished units of work that gave these records.

    Returns:
        What the manifest keeps about the file.

    Raises:
        OSError: If the disk is full.
    """
    parquet = import_optional('pyarrow.parquet', 'gallery')
    metadata = {_SHARDS: json.dumps(sorted(shards)).encode()}
    schema = record_schema().with_metadata(metadata)
    with new_file(path), parquet.ParquetWriter(path, schema, compression='zstd') as writer:
        for table in tables:
            labelled = table.replace_schema_metadata(metadata)
            writer.write_table(labelled, row_group_size=_ROWS_PER_GROUP)
    return describe_file(path)


def write_columns(path: Path, table: pa.Table) -> FileEntry:
    """Write records in Arrow's file format, which is mapped, not read.

    Args:
        path: The file, which is new.
        table: What :func:`one_chunk` gave.

    Returns:
        What the manifest keeps about the file.

    Raises:
        OSError: If the disk is full.
    """
    ipc = import_optional('pyarrow.ipc', 'gallery')
    with new_file(path), ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    return describe_file(path)


def one_chunk(tables: Sequence[pa.Table]) -> pa.Table:
    """Join tables into one whose rows are quickly picked.

    Args:
        tables: Tables of :func:`~mmclsa.gallery.record_schema`; may be none.

    Returns:
        One table in which each column is a single array.
    """
    pa = import_optional('pyarrow', 'gallery')
    table = pa.concat_tables([record_schema().empty_table(), *tables])
    return table.unify_dictionaries().combine_chunks()


class RecordFile:
    """The records of a segment, read when they are first asked for.

    Where the segment has its records a second time in Arrow's format, that
    file is mapped and no more of it is read than is used.

    Args:
        folder: Folder of the index.
        segment: What the manifest says.

    Attributes:
        shards: The units of work that gave these records.

    Raises:
        DataError: If the file is broken.
        MissingFileError: If it is not there.
    """

    def __init__(self, folder: Path, segment: Segment) -> None:
        arrow = import_optional('pyarrow', 'gallery')
        parquet = import_optional('pyarrow.parquet', 'gallery')
        self._path = check_file(folder, segment.files['records'])
        self._table = _map_columns(folder, segment) if 'columns' in segment.files else None
        try:
            # The open file outlives its name when another process compacts.
            self._file = parquet.ParquetFile(arrow.memory_map(str(self._path)))
            rows = self._file.metadata.num_rows
            self.shards = _parse_shards((self._file.schema_arrow.metadata or {})[_SHARDS])
        except (arrow.ArrowException, OSError, KeyError, ValueError) as error:
            raise DataError(
                f'{self._path} is broken: it is no file of records ({error}).'
            ) from error
        if rows != segment.rows:
            raise DataError(f'{self._path} is broken: {rows} rows instead of {segment.rows}.')

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def table(self) -> pa.Table:
        """Give all records, and keep them in memory.

        Raises:
            DataError: If the file is broken.
        """
        if self._table is None:
            self._table = one_chunk(list(self.tables()))
        return self._table

    def tables(self) -> Iterable[pa.Table]:
        """Read the records group by group, without keeping them.

        Yields:
            Tables of :func:`~mmclsa.gallery.record_schema`.

        Raises:
            DataError: If the file is broken.
        """
        pa = import_optional('pyarrow', 'gallery')
        for group in range(self._file.num_row_groups):
            try:
                table = self._file.read_row_group(group)
            except (pa.ArrowException, OSError) as error:
                raise DataError(f'{self._path} is broken: {error}.') from error
            yield conform_table(table, str(self._path))


def _map_columns(folder: Path, segment: Segment) -> pa.Table:
    """Open the records in Arrow's format, without touching them."""
    arrow = import_optional('pyarrow', 'gallery')
    ipc = import_optional('pyarrow.ipc', 'gallery')
    path = check_file(folder, segment.files['columns'])
    try:
        table = ipc.open_file(arrow.memory_map(str(path))).read_all()
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f'{path} is broken: {error}.') from error
    if table.num_rows != segment.rows or not table.schema.equals(record_schema()):
        raise DataError(f'{path} is broken: it does not hold {segment.rows} records.')
    return table


def _parse_shards(text: bytes) -> frozenset[str]:
    shards = json.loads(text)
    if not isinstance(shards, list) or not all(isinstance(shard, str) for shard in shards):
        raise ValueError('its shards are no list of names')
    return frozenset(shards)
