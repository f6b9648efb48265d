"""Records and tables of them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mmclsa.errors import DataError
from mmclsa.gallery import record_schema, records_to_table, table_to_records
from mmclsa.gallery.records import conform_table
from tests.test_gallery.people import same_records


def test_schema_is_the_one_of_the_files_out_there():
    """Whoever changes it changes the format and must raise its version."""
    assert str(record_schema()).splitlines() == [
        'source: dictionary<values=string, indices=int32, ordered=0> not null',
        'frame: int64 not null',
        'time: double not null',
        'x1: double not null',
        'y1: double not null',
        'x2: double not null',
        'y2: double not null',
        'score: double not null',
        'camera: dictionary<values=string, indices=int32, ordered=0> not null',
        'track_id: int64 not null',
    ]


def test_foreign_tables_are_brought_to_the_schema(people):
    table = records_to_table(people.records[:30])
    plain = pa.table(
        {name: table[name].to_pylist() for name in reversed(table.column_names)}
    ).append_column('note', pa.array(['x'] * 30))
    assert same_records(table_to_records(plain), people.records[:30])
    assert conform_table(plain).schema.equals(record_schema())


@pytest.mark.parametrize(
    ('column', 'values', 'word'),
    [
        ('score', None, 'no column'),
        ('score', [None], 'empty values'),
        ('x1', [float('nan')], 'finite'),
        ('frame', ['one'], 'must have the columns'),
        ('frame', [1.5], 'must have the columns'),
        ('camera', [b'\xff\xfe'], 'must have the columns'),
    ],
)
def test_tables_without_meaning(people, column, values, word):
    table = records_to_table(people.records[:1])
    place = table.column_names.index(column)
    table = table.remove_column(place)
    if values is not None:
        table = table.append_column(column, pa.array(values))
    with pytest.raises(DataError, match=f'{word}'):
        table_to_records(table)
