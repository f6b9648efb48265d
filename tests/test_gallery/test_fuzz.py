"""Readers of manifests and records against arbitrary content."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmclsa.errors import DataError, UserError
from mmclsa.gallery import GalleryIndex, GalleryRecord, records_to_table, table_to_records
from mmclsa.gallery.files import describe_file
from mmclsa.gallery.manifest import VERSION, Manifest, Segment, parse_manifest
from mmclsa.gallery.record_files import RecordFile, write_records
from tests.test_gallery.people import MODEL, fill, make_people, same_records

FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
RECORDS = st.builds(
    GalleryRecord,
    source=st.text(),
    frame=st.integers(0, 2**40),
    time=NUMBERS | st.just(float('nan')),
    box=st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    score=st.floats(0, 1),
    camera=st.text(),
    track_id=st.integers(-1, 2**40),
)


@pytest.fixture(scope='module')
def small(tmp_path_factory) -> Path:
    """An index of two segments."""
    folder = tmp_path_factory.mktemp('small') / 'index'
    with GalleryIndex.create(folder, MODEL, {'type': 'FaissBackend', 'storage': 'int8'}) as index:
        fill(index, make_people(40), [15, 40])
    return folder


def outcome(function: Callable) -> tuple[Any, str]:
    """What a function gives, or what it says is wrong; anything else is raised."""
    try:
        return function(), ''
    except UserError as error:
        return None, str(error)


def open_and_read(folder: Path) -> int:
    with GalleryIndex.open(folder) as index:
        assert index.records().num_rows == len(index)
        assert len(index.embeddings(range(len(index)))) == len(index)
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
    with pytest.raises(DataError, match=r'manifest\.json'):
        parse_manifest(content, 'manifest.json')


@settings(FEW, max_examples=300)
@given(data=st.data())
def test_manifest_with_another_value_somewhere(small, data):
    """It is refused, or the index that it then describes can be read."""
    path = small / 'manifest.json'
    whole = path.read_text()
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
        path.write_text(json.dumps(content))
        outcome(lambda: open_and_read(small))
    finally:
        path.write_text(whole)


@FEW
@given(data=st.data())
def test_index_with_a_broken_manifest(small, data):
    """Opening it gives one sentence, whatever bytes there are."""
    path = small / 'manifest.json'
    whole = path.read_bytes()
    spoilt = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        spoilt[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    try:
        path.write_bytes(bytes(spoilt[:cut]) if data.draw(st.booleans()) else bytes(spoilt))
        rows, problem = outcome(lambda: open_and_read(small))
        assert rows == 40 or problem
    finally:
        path.write_bytes(whole)


def test_newer_version(small):
    path = small / 'manifest.json'
    whole = path.read_text()
    try:
        path.write_text(whole.replace(f'"version": {VERSION}', '"version": 99'))
        with pytest.raises(DataError, match='newer mmclsa: its version is 99'):
            GalleryIndex.open(small)
    finally:
        path.write_text(whole)


def test_no_index(tmp_path):
    for folder in (tmp_path, tmp_path / 'nowhere'):
        with pytest.raises(DataError, match='no index in'):
            GalleryIndex.open(folder)
    (tmp_path / 'manifest.json').write_text('[' * 100_000)
    with pytest.raises(DataError, match='no JSON'):
        Manifest.read(tmp_path)


@FEW
@given(records=st.lists(RECORDS, max_size=8))
def test_records_come_back_from_parquet(tmp_path, records):
    path = tmp_path / 'records-1.parquet'
    entry = write_records(path, [records_to_table(records)], ['a', 'ü'])
    file = RecordFile(tmp_path, Segment('1', len(records), {'records': entry}))
    assert same_records(table_to_records(file.table()), records)
    assert file.shards == {'a', 'ü'}


@settings(FEW, max_examples=200)
@given(data=st.data())
def test_spoilt_parquet(tmp_path, data):
    """Read past the digest, it is refused or has as many rows as it should."""
    path = tmp_path / 'records-1.parquet'
    write_records(path, [records_to_table(make_people(50).records)], ['shard'])
    spoilt = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        # Most of it is data; the end, where the structure is, must get its share.
        place = data.draw(st.integers(0, len(spoilt) - 1) | st.integers(-900, -1))
        spoilt[place] = data.draw(st.integers(0, 255))
    path.write_bytes(spoilt[: data.draw(st.integers(0, len(spoilt)))])
    segment = Segment('1', 50, {'records': describe_file(path)})
    table, problem = outcome(lambda: RecordFile(tmp_path, segment).table())
    if problem:
        assert 'records-1.parquet' in problem
    else:
        assert len(table_to_records(table)) == 50
