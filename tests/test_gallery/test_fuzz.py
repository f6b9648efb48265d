"""Readers of manifests and records against arbitrary content."""

from __future__ import annotations

import json
import sqlite3
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmclsa.errors import DataError, UserError
from mmclsa.gallery import GalleryIndex, GalleryRecord
from mmclsa.gallery.blobs import blob_checksum, unpack_frames, unpack_pairs
from mmclsa.gallery.manifest import VERSION, read_manifest
from mmclsa.structures.sightings import Stay
from tests.test_gallery.people import DIMS, MODEL, make_people, same_records
from tests.test_gallery.sighted import crop_of, extras, sighted
from tests.test_gallery.stored import change_manifest, database, manifest_text, write_manifest

FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
# SQLite has no negative zero.
NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)
TIMES = NUMBERS | st.just(float('nan'))
STAYS = st.builds(
    lambda frames, times, count: Stay(*sorted(frames), *sorted(times), count),
    st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)),
    st.tuples(TIMES, TIMES),
    st.integers(1, 2**40),
)
RECORDS = st.builds(
    GalleryRecord,
    source=st.text(),
    frame=st.integers(0, 2**40),
    time=TIMES,
    box=st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    score=st.floats(0, 1).map(abs),
    camera=st.text(),
    track_id=st.integers(-1, 2**40),
    stay=st.none() | STAYS,
)


@pytest.fixture(scope='module')
def small(tmp_path_factory) -> Path:
    """An index of two commits, with all that belongs to sightings."""
    folder = tmp_path_factory.mktemp('small') / 'index'
    people = make_people(40)
    records = sighted(people)
    with GalleryIndex.create(folder, MODEL, {'type': 'FaissBackend', 'storage': 'int8'}) as index:
        for part in (range(15), range(15, 40)):
            span = slice(part.start, part.stop)
            index.add(people.vectors[span], records[span], str(part), **extras(part, records))
            index.commit()
    return folder


def outcome(function: Callable) -> tuple[Any, str]:
    """What a function gives, or what it says is wrong; anything else is raised."""
    try:
        return function(), ''
    except UserError as error:
        return None, str(error)


def open_and_read(folder: Path) -> int:
    with GalleryIndex.open(folder) as index:
        assert len(index.records()) == len(index)
        assert len(index.embeddings(index.rows())) == len(index)
        assert all(crop_of(row) == crop for row, crop in index.crops(index.rows()).items())
        for row in index.rows():
            frames = index.behind(row)
            assert frames.boxes.shape == (len(frames.frames), 4)
        assert index.pair_counts().same.min() >= 0
        return len(index)


def paths_in(content: object, prefix: tuple = ()) -> list[tuple]:
    """Keys that lead to every value of a JSON document."""
    items: list = []
    if isinstance(content, dict):
        items = list(content.items())
    elif isinstance(content, list):
        items = list(enumerate(content))
    found = [prefix] if prefix else []
    for key, value in items:
        found += paths_in(value, (*prefix, key))
    return found


@FEW
@given(content=JSON)
def test_arbitrary_json_is_no_manifest(content):
    with pytest.raises(DataError, match=r'index\.sqlite'):
        read_manifest(json.dumps(content), 'index.sqlite')


@settings(FEW, max_examples=300)
@given(data=st.data())
def test_manifest_with_another_value_somewhere(small, data):
    """It is refused, or the index that it then describes can be read."""
    whole = manifest_text(small)
    content = json.loads(whole)
    *way, last = data.draw(st.sampled_from(paths_in(content)))
    place = content
    for key in way:
        place = place[key]
    if data.draw(st.booleans()):
        del place[last]
    else:
        place[last] = data.draw(JSON)
    try:
        write_manifest(small, json.dumps(content))
        outcome(lambda: open_and_read(small))
    finally:
        write_manifest(small, whole)


@FEW
@given(data=st.data())
def test_index_with_a_broken_manifest(small, data):
    """Opening it gives one sentence, whatever bytes there are."""
    whole = manifest_text(small)
    spoilt = bytearray(whole.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        spoilt[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    try:
        write_manifest(small, bytes(spoilt[:cut]) if data.draw(st.booleans()) else bytes(spoilt))
        rows, problem = outcome(lambda: open_and_read(small))
        assert rows == 40 or problem
    finally:
        write_manifest(small, whole)


@settings(FEW, max_examples=300)
@given(data=st.data())
def test_spoilt_database(small, data):
    """Whatever bytes there are in its file, it is refused or read whole."""
    path = small / 'index.sqlite'
    whole = path.read_bytes()
    spoilt = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        # The first page says what is where.
        place = data.draw(st.integers(0, len(whole) - 1) | st.integers(0, 4000))
        spoilt[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole))) if data.draw(st.booleans()) else None
    try:
        path.write_bytes(bytes(spoilt[:cut]))
        rows, problem = outcome(lambda: open_and_read(small))
        assert rows == 40 or problem
    finally:
        path.write_bytes(whole)


COLUMNS = ['source', 'frame', 'time', 'x1', 'camera', 'row', 'last_frame', 'time_to', 'num_frames']
VALUES = st.none() | st.integers(-(2**40), 2**40) | st.floats() | st.text() | st.binary(max_size=9)


@FEW
@given(value=VALUES, column=st.sampled_from(COLUMNS))
def test_another_value_in_a_record(small, value, column):
    """SQLite keeps anything in any column; whoever reads it does not."""
    path = small / 'index.sqlite'
    whole = path.read_bytes()
    try:
        with database(small) as connection:
            try:
                connection.execute(f'UPDATE people SET {column} = ? WHERE row = 17', (value,))
            except sqlite3.Error:
                return
        rows, problem = outcome(lambda: open_and_read(small))
        assert rows == 40 or problem
    finally:
        path.write_bytes(whole)


@FEW
@given(value=VALUES, place=st.sampled_from(['crops.jpeg', 'behind.frames', 'pairs.counts']))
def test_other_bytes_beside_a_record(small, value, place):
    """With a checksum that fits them, so that they are looked at."""
    path = small / 'index.sqlite'
    whole = path.read_bytes()
    table, column = place.split('.')
    blob = value if isinstance(value, bytes) else b''
    try:
        with database(small) as connection:
            try:
                connection.execute(f'UPDATE {table} SET {column} = ?', (value,))
                if table != 'pairs':
                    connection.create_function('crc', 1, lambda row: blob_checksum(row, blob))
                    connection.execute(f'UPDATE {table} SET checksum = crc(row)')
            except sqlite3.Error:
                return
        _, problem = outcome(lambda: ask_beside(small))
        assert 'index.sqlite is broken' in problem or isinstance(value, bytes)
    finally:
        path.write_bytes(whole)


def ask_beside(folder: Path) -> None:
    with GalleryIndex.open(folder) as index:
        index.crops(index.rows())
        for row in index.rows():
            index.behind(row)
        index.pair_counts()


@FEW
@given(blob=st.binary(max_size=60), count=st.integers(0, 2**32 - 1), size=st.integers(0, 4000))
def test_bytes_that_are_no_frames_and_no_counts(blob, count, size):
    """Neither a length that is said nor one that decompresses is believed."""
    packed = zlib.compress(bytes(size))
    for data in (blob, packed, struct.pack('<I', count) + packed, struct.pack('<I', 3) + blob):
        frames, problem = outcome(lambda data=data: unpack_frames(data))
        assert problem or len(frames.frames) * 36 == size
        _, problem = outcome(lambda data=data: unpack_pairs(data))
        assert problem or size == 6400
    for part in (packed[:-1], packed + b'x'):
        assert outcome(lambda part=part: unpack_frames(struct.pack('<I', 1) + part))[1]


@pytest.mark.parametrize(
    'statement',
    [
        'CREATE TABLE more (a)',
        'CREATE VIEW more AS SELECT load_extension("evil.so")',
        'CREATE TRIGGER more AFTER INSERT ON people BEGIN DELETE FROM people; END',
        'DROP VIEW records',
        'ALTER TABLE people ADD COLUMN more AS (hex(row))',
        'CREATE INDEX more ON people (abs(frame))',
    ],
)
def test_a_database_with_other_things_in_it(small, statement):
    """Nothing that a stranger has defined is ever looked at."""
    path = small / 'index.sqlite'
    whole = path.read_bytes()
    try:
        with database(small) as connection:
            connection.execute(statement)
        with pytest.raises(DataError, match='does not have the tables of an index'):
            GalleryIndex.open(small)
    finally:
        path.write_bytes(whole)


def test_newer_version(small):
    whole = manifest_text(small)
    try:
        write_manifest(small, whole.replace(f'"version": {VERSION}', '"version": 99'))
        with pytest.raises(DataError, match='newer mmclsa: its version is 99'):
            GalleryIndex.open(small)
    finally:
        write_manifest(small, whole)


def test_no_index(tmp_path):
    for folder in (tmp_path, tmp_path / 'nowhere'):
        with pytest.raises(DataError, match='no index in'):
            GalleryIndex.open(folder)
    (tmp_path / 'index.sqlite').write_text('[' * 100_000)
    with pytest.raises(DataError, match='broken'):
        GalleryIndex.open(tmp_path)
    with pytest.raises(DataError, match='no JSON'):
        read_manifest('[' * 100_000, 'index.sqlite')


@FEW
@given(records=st.lists(RECORDS, max_size=8))
def test_records_come_back(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp('records')
    vectors = make_people(8).vectors[: len(records)]
    with GalleryIndex.create(folder, MODEL) as index:
        index.add(vectors.reshape(-1, DIMS), records, 'ü')
        assert same_records(index.records(), records)
        index.commit()
    with GalleryIndex.open(folder) as index:
        index.verify()
        assert same_records(index.records(), records)
        assert same_records([index.records([row])[0] for row in index.rows()], records)
        assert index.shards() == {'ü'}


@pytest.mark.parametrize('dims', [0, -1, 2**31, 2**62, 24.0, True])
def test_embeddings_of_a_length_that_is_none(small, dims):
    """FAISS would be asked for as much."""
    whole = json.loads(manifest_text(small))
    try:
        change_manifest(small, model={**whole['model'], 'dims': dims})
        with pytest.raises(UserError, match='dims'):
            GalleryIndex.open(small)
    finally:
        write_manifest(small, json.dumps(whole))
