"""Records, and the columns in which they are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmclsa.errors import DataError
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.records import checksum, decode_record, encode_record
from mmclsa.structures.sightings import Stay
from tests.test_gallery.people import MODEL, same_records
from tests.test_gallery.stored import database


def test_tables_are_those_of_the_files_out_there(folder):
    """Whoever changes them changes the format and must raise its version."""
    GalleryIndex.create(folder, MODEL).close()
    with database(folder) as connection:
        columns = connection.execute(
            'SELECT name, type, "notnull" FROM pragma_table_info(?)', ('people',)
        )
        assert columns.fetchall() == [
            ('row', 'INTEGER', 0),
            ('source', 'INTEGER', 1),
            ('frame', 'INTEGER', 1),
            ('time', 'REAL', 0),
            *((name, 'REAL', 1) for name in ('x1', 'y1', 'x2', 'y2', 'score')),
            ('camera', 'INTEGER', 1),
            ('track_id', 'INTEGER', 1),
            ('first_frame', 'INTEGER', 0),
            ('last_frame', 'INTEGER', 0),
            ('time_from', 'REAL', 0),
            ('time_to', 'REAL', 0),
            ('num_frames', 'INTEGER', 0),
            ('checksum', 'INTEGER', 1),
        ]
        # And an index of its own, so that a search finds the tracks of its hits at once.
        tables = connection.execute('SELECT name FROM sqlite_master WHERE sql IS NOT NULL')
        assert [name for (name,) in tables] == [
            'manifest', 'names', 'people', 'units', 'doomed', 'records', 'crops', 'behind',
            'pairs', 'tracks',
        ]  # fmt: skip


def test_the_view_is_readable_by_anybody(folder, people):
    with GalleryIndex.create(folder, MODEL) as index:
        index.add(people.vectors[:3], people.records[:3])
        index.commit()
    with database(folder) as connection:
        found = connection.execute('SELECT source, frame, camera FROM records ORDER BY row')
        assert found.fetchall() == [(r.source, r.frame, r.camera) for r in people.records[:3]]


def test_numbers_of_numpy_are_taken(people):
    record = people.records[3]
    other = replace(
        record,
        source=np.str_(record.source),
        frame=np.int32(record.frame),
        time=np.float64(record.time),
        box=np.array(record.box),
        track_id=np.int64(record.track_id),
        stay=Stay(np.int64(1), np.int32(5), np.float32(0.5), np.float64(2.5), np.int16(3)),
    )
    record = replace(record, stay=Stay(1, 5, 0.5, 2.5, 3))
    assert same_records([decode_record(encode_record(other))], [record])
    kinds = {type(value) for value in encode_record(other)}
    assert kinds == {str, int, float}


def test_the_checksum_sees_every_value(people):
    values = encode_record(replace(people.records[3], stay=Stay(1, 5, 0.5, 2.5, 3)))
    seen = {checksum(values, b'code'), checksum(values, b'code.'), checksum(values)}
    for place, value in enumerate(values):
        changed = f'{value}.' if isinstance(value, str) else value + 1
        seen.add(checksum([*values[:place], changed, *values[place + 1 :]], b'code'))
    assert len(seen) == 18
    # That of a record without a stay is the one that older versions wrote.
    plain = encode_record(people.records[3])
    assert checksum(plain, b'code') == checksum(plain[:10], b'code') not in seen


@pytest.mark.parametrize(
    ('column', 'value', 'word'),
    [
        ('score', None, 'float'),
        ('score', float('inf'), 'finite'),
        ('box', (float('nan'), 0.0, 1.0, 2.0), 'finite'),
        ('box', (0.0, 1.0, 2.0), 'expected'),
        ('frame', 'one', 'integer'),
        ('frame', 1.5, 'integer'),
        ('track_id', 2**63, ': '),
        ('camera', b'\xff\xfe', 'no text'),
        ('source', None, 'no text'),
        ('source', '\udcff', 'surrogates'),
        ('stay', Stay(5, 4, 1.0, 2.0, 1), 'before it ends'),
        ('stay', Stay(4, 5, 3.0, 2.0, 1), 'before it ends'),
        ('stay', Stay(4, 5, 1.0, 2.0, 0), 'frames'),
        ('stay', Stay(4, 5.5, 1.0, 2.0, 1), 'integer'),
    ],
)
def test_records_without_meaning(folder, people, column, value, word):
    record = replace(people.records[0], **{column: value})
    with GalleryIndex.create(folder, MODEL) as index:
        with pytest.raises(DataError, match=f'no record of a person.*{word}'):
            index.add(people.vectors[:2], [people.records[1], record])
        assert len(index) == 0
