"""The record of a person found: a plain dataclass, and its Parquet columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclsa.errors import DataError
from mmclsa.utils.optional import import_optional

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    'GalleryRecord',
    'Hit',
    'as_table',
    'conform_table',
    'decode_rows',
    'record_schema',
    'records_to_table',
    'table_to_records',
]


@dataclass(frozen=True)
class GalleryRecord:
    """One person found somewhere.

    Attributes:
        source: Path or name of the image or video, as it was given, with
            forward slashes.
        frame: Number of the frame, 0-based; 0 for an image.
        time: Seconds since the epoch (UTC), or since the video's start; NaN
            if unknown.
        box: x1 y1 x2 y2 in pixels of the upright picture.
        score: Confidence of the detection, in [0, 1].
        camera: Name of the camera, empty if unknown.
        track_id: Number of the track within the source, -1 if unknown.
    """

    source: str
    frame: int
    time: float
    box: tuple[float, float, float, float]
    score: float
    camera: str = ''
    track_id: int = -1


@dataclass(frozen=True)
class Hit:
    """A record that a search found.

    Attributes:
        row: Its number in the index, in the order of adding.
        similarity: Cosine of the angle between query and embedding.
        record: The record.
    """

    row: int
    similarity: float
    record: GalleryRecord


def record_schema() -> pa.Schema:
    """Give the columns in which records are kept.

    Returns:
        ``source``, ``frame``, ``time``, ``x1``, ``y1``, ``x2``, ``y2``,
        ``score``, ``camera``, ``track_id``; none of them may be null.

    Raises:
        UserError: If pyarrow is not installed.

    Example:
        >>> record_schema().names[:3]
        ['source', 'frame', 'time']
    """
    pa = import_optional('pyarrow', 'gallery')
    text = pa.dictionary(pa.int32(), pa.string())
    columns = [('source', text), ('frame', pa.int64()), ('time', pa.float64())]
    columns += [(name, pa.float64()) for name in ('x1', 'y1', 'x2', 'y2', 'score')]
    columns += [('camera', text), ('track_id', pa.int64())]
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns])


def records_to_table(records: Iterable[GalleryRecord]) -> pa.Table:
    """Put records into columns.

    Args:
        records: Any number of records.

    Returns:
        A table of :func:`record_schema`, one row per record, same order.

    Raises:
        UserError: If pyarrow is not installed.

    Example:
        >>> table = records_to_table([GalleryRecord('a.jpg', 0, 3.0, (0, 0, 4, 9), 0.5)])
        >>> table.num_rows, table['x2'].to_pylist()
        (1, [4.0])
    """
    pa = import_optional('pyarrow', 'gallery')
    records = list(records)
    boxes = list(zip(*(record.box for record in records))) or [()] * 4
    columns = {
        'source': [record.source for record in records],
        'frame': [record.frame for record in records],
        'time': [record.time for record in records],
        **dict(zip(('x1', 'y1', 'x2', 'y2'), boxes)),
        'score': [record.score for record in records],
        'camera': [record.camera for record in records],
        'track_id': [record.track_id for record in records],
    }
    schema = record_schema()
    return pa.table(
        {name: pa.array(columns[name], schema.field(name).type) for name in schema.names},
        schema=schema,
    )


def table_to_records(table: pa.Table) -> list[GalleryRecord]:
    """Read records out of columns, the inverse of :func:`records_to_table`.

    Args:
        table: Columns of :func:`record_schema`, in any order.

    Returns:
        One record per row, same order.

    Raises:
        DataError: If a column is missing, has nulls or is of another type.

    Example:
        >>> record = GalleryRecord('a.jpg', 0, 3.0, (0.0, 0.0, 4.0, 9.0), 0.5, 'door', 7)
        >>> table_to_records(records_to_table([record])) == [record]
        True
    """
    return decode_rows(conform_table(table))


def as_table(records: Sequence[GalleryRecord] | pa.Table) -> pa.Table:
    """Bring records to a table of the schema, whatever they come as.

    Args:
        records: Records, or a table of them.

    Returns:
        A table of :func:`record_schema`.

    Raises:
        DataError: If a column is missing, has nulls or is of another type.

    Example:
        >>> as_table([GalleryRecord('a.jpg', 0, 3.0, (0, 0, 4, 9), 0.5)]).num_rows
        1
    """
    arrow = import_optional('pyarrow', 'gallery')
    is_table = isinstance(records, arrow.Table)
    return conform_table(records if is_table else records_to_table(records))


def decode_rows(table: pa.Table) -> list[GalleryRecord]:
    """Read records out of a table that is known to fit the schema.

    Args:
        table: Exactly the columns of :func:`record_schema`.

    Returns:
        One record per row, same order.
    """
    columns = {name: table[name].to_pylist() for name in table.column_names}
    boxes = zip(*(columns.pop(name) for name in ('x1', 'y1', 'x2', 'y2')))
    columns['box'] = list(boxes)
    return [GalleryRecord(**dict(zip(columns, values))) for values in zip(*columns.values())]


def conform_table(table: pa.Table, where: str = 'the table of records') -> pa.Table:
    """Bring a table to the schema, or refuse it.

    Args:
        table: Any table.
        where: What the table is, for the message.

    Returns:
        The same rows in the columns of :func:`record_schema`, in its order;
        columns beyond the schema are dropped.

    Raises:
        DataError: If a column is missing, has nulls, is of another type, or
            holds a box, score or frame that is none.

    Example:
        >>> conform_table(records_to_table([]).drop_columns(['score']))
        Traceback (most recent call last):
        mmclsa.errors.DataError: the table of records has no column ... "score"
    """
    pa = import_optional('pyarrow', 'gallery')
    schema = record_schema()
    for name in schema.names:
        if table.schema.get_field_index(name) < 0:
            raise DataError(f'{where} has no column (or more than one) of the name "{name}"')
    table = table.select(schema.names)
    for name in schema.names:
        if table[name].null_count:
            raise DataError(f'column "{name}" of {where} must not have empty values')
    try:
        table = pa.table([_cast(table[field.name], field.type) for field in schema], schema=schema)
    except (pa.ArrowException, ValueError, TypeError) as error:
        expected = ', '.join(f'{field.name}: {field.type}' for field in schema)
        raise DataError(f'{where} must have the columns {expected} ({error})') from error
    for name in ('x1', 'y1', 'x2', 'y2', 'score'):
        if not _all_finite(table[name]):
            raise DataError(f'column "{name}" of {where} must be finite')
    return table


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Cast a column; text goes to its dictionary over plain text."""
    pa = import_optional('pyarrow', 'gallery')
    if column.type == kind:
        return column
    if pa.types.is_dictionary(kind):
        # From one width of indices to another there is no direct way.
        return column.cast(pa.string()).dictionary_encode().cast(kind)
    return column.cast(kind)


def _all_finite(column: pa.ChunkedArray) -> bool:
    """Whether no value is NaN or infinite."""
    compute = import_optional('pyarrow.compute', 'gallery')
    return bool(compute.all(compute.is_finite(column), min_count=0).as_py())
