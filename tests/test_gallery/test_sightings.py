"""Sightings in an index: stays, crops, the frames behind them and counts of pairs."""

from __future__ import annotations

import json
import math
import re
import sqlite3
import zlib
from dataclasses import replace

import numpy as np
import pytest

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery import GalleryIndex, ModelFingerprint, SearchFilter
from mmclsa.structures.sightings import PAIR_BINS, PairCounts, TrackFrames
from tests.test_gallery.people import BACKENDS, MODEL, fill, needs_milvus, same_records
from tests.test_gallery.sighted import (
    counts_of,
    crop_of,
    extras,
    frames_of,
    overlaps,
    same_frames,
    sighted,
)
from tests.test_gallery.stored import database

PARTS = [range(70), range(70, 71), range(71, 200)]


@pytest.fixture
def records(people):
    return sighted(people)


def build(folder, people, records, backend=None) -> None:
    with GalleryIndex.create(folder, MODEL, backend) as index:
        for part in PARTS:
            span = slice(part.start, part.stop)
            index.add(
                people.vectors[span], records[span], f'part {part.start}', **extras(part, records)
            )
            index.commit()


def check(index: GalleryIndex, records, kept, units) -> None:
    """All of these rows is there, and nothing of others."""
    assert index.rows().tolist() == kept
    assert same_records(index.records(), [records[row] for row in kept])
    crops = {row: crop_of(row) for row in kept if crop_of(row)}
    assert index.crops(kept) == crops
    assert index.has_crops == bool(crops)
    for row in kept:
        expected = frames_of(row, records[row])
        if expected is None:
            (expected,) = single(records[row])
        assert same_frames(index.behind(row), expected)
    counts = index.pair_counts()
    assert counts.same.tolist() == sum((counts_of(u).same for u in units), 0 * counts.same).tolist()
    assert counts.different.sum() == sum(counts_of(u).different.sum() for u in units)


def single(record):
    yield TrackFrames(
        np.array([record.frame]),
        np.array([record.time]),
        np.array([record.box], np.float32),
        np.array([record.score], np.float32),
    )


def test_everything_comes_back(folder, people, records, backend):
    with GalleryIndex.create(folder, MODEL, backend) as index:
        for part in PARTS:
            span = slice(part.start, part.stop)
            index.add(people.vectors[span], records[span], str(part), **extras(part, records))
            check(
                index, records, [*range(part.stop)], [p.start for p in PARTS if p.stop <= part.stop]
            )
            if part == PARTS[0]:
                index.commit()
    with GalleryIndex.open(folder) as index:  # what was not committed is gone
        check(index, records, [*PARTS[0]], [0])
        index.verify()
        assert index.contents().sightings == 60


def test_deleting_takes_everything_along(folder, people, records):
    """Crops, the frames behind, and with a unit its counts; the space is given back."""
    build(folder, people, records)
    gone = [row for row in range(200) if row % 2 or row == 70]
    kept = sorted(set(range(200)) - set(gone))
    before = (folder / 'index.sqlite').stat().st_size
    with GalleryIndex.open(folder, writable=True) as index:
        index.delete(gone, ['part 70'])
        check(index, records, kept, [0, 71])
        for row in (71, 0):
            assert present(folder, crop_of(row)[5:200]) == (row == 0)
    assert (folder / 'index.sqlite').stat().st_size < 0.72 * before  # a page of pointers stays
    with GalleryIndex.open(folder, writable=True) as index:
        index.verify()
        check(index, records, kept, [0, 71])
        assert index.shards() == {'part 0', 'part 71'}
        index.add(people.vectors[70:71], records[70:71], 'part 70', **extras(PARTS[1], records))
        index.commit()
        assert index.crops([200]) == {200: crop_of(70)}
        assert index.pair_counts().same.sum() == sum(counts_of(p.start).same.sum() for p in PARTS)


def test_a_large_database_is_written_anew_only_if_it_is_worth_it(
    folder, people, records, monkeypatch
):
    """Of who goes nothing can be read before either."""
    monkeypatch.setattr('mmclsa.gallery.database._SMALL', 0)
    build(folder, people, records)
    size = (folder / 'index.sqlite').stat().st_size
    with GalleryIndex.open(folder, writable=True) as index:
        index.delete([0, 5])
        assert (folder / 'index.sqlite').stat().st_size == size
        assert not any(present(folder, crop_of(row)[5:200]) for row in (0, 5))
        index.delete(range(10, 100))
        assert (folder / 'index.sqlite').stat().st_size < 0.8 * size


def test_the_next_writer_gives_back_what_a_killed_one_did_not(folder, people, records, monkeypatch):
    build(folder, people, records)
    size = (folder / 'index.sqlite').stat().st_size
    with GalleryIndex.open(folder, writable=True) as index, monkeypatch.context() as patch:
        patch.setattr('mmclsa.gallery.database.Database.shrink', lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            index.delete(range(100))
    assert (folder / 'index.sqlite').stat().st_size == size
    with monkeypatch.context() as patch:  # the disk is full, which is no reason not to open
        patch.setattr('mmclsa.gallery.database.Database.shrink', say_that_it_is_full)
        GalleryIndex.open(folder, writable=True).close()
    GalleryIndex.open(folder, writable=True).close()
    assert (folder / 'index.sqlite').stat().st_size < 0.72 * size
    with GalleryIndex.open(folder) as index:
        check(index, records, [*range(100, 200)], [0, 70, 71])


def say_that_it_is_full(*_):
    raise sqlite3.OperationalError('database or disk is full')


def present(folder, content: bytes) -> bool:
    return content in (folder / 'index.sqlite').read_bytes()


def test_counts_without_a_unit_and_of_one_unit_add_up(folder, people):
    with GalleryIndex.create(folder, MODEL) as index:
        index.add(people.vectors[:1], people.records[:1], pairs=counts_of(1))
        index.add(people.vectors[:1], people.records[:1], pairs=counts_of(2))
        index.commit()
        index.add(people.vectors[:0], [], pairs=counts_of(3))
        assert index.pair_counts().same.sum() == sum(counts_of(n).same.sum() for n in (1, 2, 3))
        index.commit()
    with GalleryIndex.open(folder) as index:
        assert index.pair_counts().same.sum() == sum(counts_of(n).same.sum() for n in (1, 2, 3))


def test_a_unit_that_is_there_is_not_taken_again(folder, people, records):
    with GalleryIndex.create(folder, MODEL) as index:
        for _ in range(2):
            index.add(people.vectors[:70], records[:70], 'u', **extras(PARTS[0], records))
            index.commit()
        check(index, records, [*range(70)], [0])


LIMITS = [
    SearchFilter(time_from=100.0),
    SearchFilter(time_to=50.0),
    SearchFilter(time_from=81.0, time_to=83.0),
    SearchFilter(time_from=83.0, time_to=81.0),
    SearchFilter(gone_before=57.0),
    SearchFilter(cameras=['cam 1', ''], time_from=20.0, gone_before=150.0),
    SearchFilter(time_from=-math.inf, time_to=math.inf),
]


def literal(record, where: SearchFilter) -> bool:
    start = -math.inf if where.time_from is None else where.time_from
    end = math.inf if where.time_to is None else where.time_to
    gone = math.inf if where.gone_before is None else where.gone_before
    camera = where.cameras is None or record.camera in where.cameras
    return camera and overlaps(record, start, end) and record.time_to < gone


@pytest.mark.parametrize('backend', ['flat-fp32', 'milvus'], indirect=True)
def test_who_was_there_within_the_limits_is_found(folder, people, records, backend):
    """Not only those whose best frame is."""
    with GalleryIndex.create(folder, MODEL, backend) as index:
        index.add(people.vectors[:120], records[:120])
        index.commit()
        index.delete([7, 81])
        index.add(people.vectors[120:200], records[120:200])  # not committed
        left = [row for row in range(200) if row not in (7, 81)]
        for where in LIMITS:
            (hits,) = index.search(people.vectors[:1], 200, where)
            found = sorted(hit.row for hit in hits)
            assert found == [row for row in left if literal(records[row], where)], where
            assert index.find(where).tolist() == [row for row in found if row < 120]
    assert len({tuple(literal(r, where) for r in records) for where in LIMITS}) == len(LIMITS)


def test_contents_are_from_the_first_to_the_last_seen(folder, people, records):
    build(folder, people, records)
    with GalleryIndex.open(folder) as index:
        contents = index.contents()
        assert contents.time_from == min(r.time_from for r in records[:200] if r.time == r.time)
        assert contents.time_to == max(r.time_to for r in records[:200] if r.time == r.time)
        assert contents.sightings == sum(r.stay is not None for r in records[:200])


def test_a_record_without_a_stay_is_seen_once(people, records):
    plain, seen = people.records[8], records[8]
    assert (plain.first_frame, plain.last_frame, plain.num_frames) == (8, 8, 1)
    assert (plain.time_from, plain.time_to) == (8.0, 8.0)
    assert (seen.first_frame, seen.last_frame, seen.num_frames) == (8, 10, 3)
    assert (seen.time_from, seen.time_to) == (-12.0, 8.0)
    undated = replace(seen, stay=replace(seen.stay, time_from=math.nan))
    assert undated.time_from == 8.0


NOBODY = dict(dict.fromkeys(('frames', 'times', 'scores'), np.zeros(0)), boxes=np.zeros((0, 4)))


class TestMistakes:
    """Nothing of them is taken."""

    @pytest.fixture
    def index(self, folder):
        with GalleryIndex.create(folder, MODEL) as index:
            yield index

    @pytest.mark.parametrize(
        ('options', 'words'),
        [
            (dict(crops=[b'a']), '2 records came with 1 crops'),
            (dict(crops=[b'a', 'b']), 'bytes of a JPEG file, not str'),
            (dict(behind=[None]), '2 records came with the frames behind 1'),
            (dict(pairs=PairCounts(np.zeros(3, int), np.zeros(PAIR_BINS, int))), 'counts of pairs'),
            (dict(pairs=PairCounts(np.zeros(PAIR_BINS), np.zeros(PAIR_BINS))), 'counts of pairs'),
            (dict(pairs=PairCounts(-np.ones(PAIR_BINS, int))), 'counts of pairs'),
        ],
    )
    def test_of_number_and_kind(self, index, people, options, words):
        with pytest.raises(DataError, match=words):
            index.add(people.vectors[:2], people.records[:2], **options)
        assert len(index) == 0

    @pytest.mark.parametrize(
        ('change', 'words'),
        [
            (dict(times=np.zeros(2)), 'do not fit each other'),
            (dict(boxes=np.zeros((3, 5))), 'do not fit each other'),
            (dict(frames=np.array([1, 3, 3])), 'order of their numbers'),
            (NOBODY, 'must have 1 to'),
        ],
    )
    def test_of_frames(self, index, people, records, change, words):
        frames = frames_of(8, records[8])
        with pytest.raises(DataError, match=words):
            index.add(people.vectors[:1], records[8:9], behind=[replace(frames, **change)])
        assert len(index) == 0

    def test_rows_that_are_not_there(self, folder, people, records):
        build(folder, people, records)
        with GalleryIndex.open(folder) as index:
            for ask in (lambda: index.crops([3, 200]), lambda: index.behind(200)):
                with pytest.raises(DataError, match='no row 200'):
                    ask()
            with GalleryIndex.open(folder, writable=True) as writer:
                writer.delete([8])
            assert index.crops([8]) == {}
            with pytest.raises(DataError, match=r'row 8 of the index .* has been deleted'):
                index.behind(8)


@pytest.mark.parametrize(
    ('statement', 'word'),
    [
        ('UPDATE crops SET jpeg = substr(jpeg, 1, 100) WHERE row = 8', 'crops of 8'),
        ("UPDATE crops SET jpeg = 'text' WHERE row = 8", 'crops of 8'),
        ('UPDATE crops SET row = 1008 WHERE row = 8', 'crops of 1008'),
        ('UPDATE behind SET frames = substr(frames, 1, 20) WHERE row = 8', 'behind of 8'),
        ('UPDATE behind SET frames = (SELECT frames FROM behind WHERE row = 9) WHERE row = 8',
         'behind of 8'),
        ("UPDATE pairs SET counts = x'00' WHERE unit = 'part 70'", "pairs of 'part 70'"),
        ('UPDATE people SET time_to = time_to + 1 WHERE row = 8', 'row 8 is not what was written'),
        ('UPDATE people SET num_frames = NULL WHERE row = 8', 'row 8 is not what was written'),
        ("UPDATE people SET last_frame = 'x' WHERE row = 8", 'no record of a person'),
    ],
)  # fmt: skip
def test_what_is_broken_names_the_file(folder, people, records, statement, word):
    build(folder, people, records)
    with database(folder) as connection:
        connection.execute(statement)
    with pytest.raises(DataError, match=r'index\.sqlite') as said:
        ask_everything(folder)
    assert word in str(said.value)


def test_a_crop_of_nobody(folder, people, records):
    build(folder, people, records)
    with database(folder) as connection:
        connection.execute('INSERT INTO crops VALUES (1008, ?, ?)', (b'a', zlib.crc32(b'a', 1008)))
    with pytest.raises(
        DataError, match=r'index\.sqlite is broken: crops has row 1008, which is nob'
    ):
        ask_everything(folder)


def ask_everything(folder) -> None:
    with GalleryIndex.open(folder) as index:
        index.pair_counts()
        index.crops([row for row in index.rows() if row < 200])
        for row in index.rows():
            index.behind(row)
        index.verify()


def test_check_model(folder, people):
    """It says what opening with the model would say."""
    other = ModelFingerprint('a' * 64, 'c' * 64, MODEL.dims)
    with GalleryIndex.create(folder, MODEL) as index:
        fill(index, people, [9])
        index.check_model(MODEL)
        with pytest.raises(ConfigError) as said:
            index.check_model(other)
    with pytest.raises(ConfigError, match=re.escape(str(said.value))):
        GalleryIndex.open(folder, other)


def test_changed_on_disk(folder, people):
    with GalleryIndex.create(folder, MODEL) as writer:
        fill(writer, people, [9])
        with GalleryIndex.open(folder) as reader:
            seen = set()
            for change in (
                lambda: fill(writer, people, [20], start=9),
                lambda: writer.commit(tracks={4: 77}),
                lambda: writer.delete([3]),
                lambda: writer.optimize(),
            ):
                assert not reader.changed_on_disk()
                seen.add(reader.generation)
                change()
                assert reader.changed_on_disk() == (len(seen) < 4)  # flat: nothing is built
                reader.refresh()
            assert len(seen) == 4
            assert reader.generation == writer.generation


@needs_milvus
def test_a_collection_of_an_older_mmclsa(folder, people, records):
    """It has one time a person: what filters need is asked of the database then."""
    with GalleryIndex.create(folder, MODEL, BACKENDS['milvus']) as index:
        recreate_with_one_time(index._backend)
        index._backend._knows_spans = False
        index.add(people.vectors[:100], people.records[:100])
        index.commit()
    with GalleryIndex.open(folder, MODEL, writable=True) as index:
        index.delete([5])
        index.add(people.vectors[100:200], records[100:200], **extras(range(100, 200), records))
        mixed = [*people.records[:100], *records[100:200]]
        for where in [*LIMITS, SearchFilter(cameras=['cam 1'])]:
            (hits,) = index.search(people.vectors[:1], 200, where)
            allowed = [
                row for row in range(200) if row != 5 and literal_or_timeless(mixed[row], where)
            ]
            assert sorted(hit.row for hit in hits) == allowed, where


def literal_or_timeless(record, where) -> bool:
    return literal(record, where) if where.timed else record.camera in where.cameras


def recreate_with_one_time(backend) -> None:
    import pymilvus

    client, name = backend._client, backend._collection
    client.drop_collection(name)
    schema = pymilvus.MilvusClient.create_schema(auto_id=False)
    schema.add_field('row', pymilvus.DataType.INT64, is_primary=True)
    schema.add_field('vector', pymilvus.DataType.FLOAT_VECTOR, dim=MODEL.dims)
    for field in ('source', 'camera'):
        schema.add_field(field, pymilvus.DataType.VARCHAR, max_length=4096)
    schema.add_field('time', pymilvus.DataType.DOUBLE)
    params = client.prepare_index_params()
    params.add_index('vector', metric_type='IP', index_type='FLAT')
    client.create_collection(name, schema=schema, index_params=params, consistency_level='Strong')


def test_sizes(folder, people, records, run_tool_here):
    build(folder, people, records, BACKENDS['flat-fp16'])
    with GalleryIndex.open(folder) as index:
        sizes = index.sizes()
    crops = [len(crop_of(row)) for row in range(200) if crop_of(row)]
    assert (sizes.crops, sizes.num_crops) == (sum(crops), len(crops))
    assert sizes.vectors == 200 * MODEL.dims * 2
    assert sizes.num_behind == sum(record.stay is not None for record in records[:200])
    files = ['index.sqlite', *(path.name for path in folder.glob('vectors-*'))]
    assert sizes.total == sum((folder / name).stat().st_size for name in files)
    tool = 'tools/misc/gallery_info.py'
    said = run_tool_here(tool, folder, '--verify')
    assert 'people: 200, of these sightings: 172\nfiles: 5\n' in said
    assert f'crops: {sum(crops):,}, {sum(crops) / len(crops):,.0f} for each of 160' in said
    told = json.loads(run_tool_here(tool, folder, '--json'))
    assert told['cameras']['cam 1'] > 10
    assert told['bytes']['total'] == sizes.total
