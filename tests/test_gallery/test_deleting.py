"""Deleting people: by source, camera, time and person, for good."""

from __future__ import annotations

import json
import runpy
import sqlite3
import warnings
from dataclasses import replace

import numpy as np
import pytest

from mmclsa.errors import ConfigError, DataError, UserError
from mmclsa.gallery import GalleryIndex, SearchFilter
from mmclsa.gallery.database import Database
from mmclsa.gallery.record_store import RecordStore
from tests.fakes.footage import write
from tests.helpers import REPO
from tests.test_gallery.people import (
    BACKENDS,
    MODEL,
    fill,
    literal_search,
    make_people,
    needs_milvus,
    passes,
    same_records,
)
from tests.test_gallery.stored import manifest_of

TOOL = 'tools/prune_gallery.py'
WHERE = [
    SearchFilter(sources=['été 2/clip.mp4', 'no such source']),
    SearchFilter(cameras=['cam 1']),
    SearchFilter(time_from=100.0, time_to=201.0),
    SearchFilter(cameras=['cam 0', ''], time_to=400.0),
]


@pytest.mark.parametrize(('where', 'optimized'), [*zip(WHERE, [True, False, True, False])])
def test_nobody_else_goes(folder, people, backend, where, optimized):
    kept = [row for row, record in enumerate(people.records) if not passes(record, where)]
    with GalleryIndex.create(folder, MODEL, backend) as index:
        fill(index, people, [250, 600])
        if optimized:
            index.optimize()
        assert index.find(where).tolist() == sorted(set(range(600)) - set(kept))
        assert index.delete(index.find(where)) == 600 - len(kept)
        assert index.delete(index.find(where)) == 0
        check_rows(index, people, kept)
        if optimized:
            index.optimize()
            check_rows(index, people, kept)
    with GalleryIndex.open(folder, MODEL) as index:
        check_rows(index, people, kept)
        assert index.shards() == {'part 0', 'part 250'}


def check_rows(index, people, kept):
    """These rows are in the index, found as a literal search finds them, and no others."""
    index.verify()
    assert len(index) == len(kept)
    assert index.rows().tolist() == kept
    assert same_records(index.records(), [people.records[row] for row in kept])
    assert same_records(index.records(kept[5:9]), [people.records[row] for row in kept[5:9]])
    assert np.allclose(index.embeddings(kept), people.vectors[kept], atol=0.03)
    for row, hits in zip(kept[::40], index.search(people.vectors[kept[::40]], 8)):
        exact = [n for n in literal_search(people, people.vectors[row], 600) if n in set(kept)]
        assert hits[0].row == row
        assert len({hit.row for hit in hits} & set(exact[:8])) >= 6
        assert all(same_records([hit.record], [people.records[hit.row]]) for hit in hits)
    where = SearchFilter(cameras=['cam 2'])
    (hits,) = index.search(people.vectors[:1], 600, where)
    allowed = [row for row in kept if passes(people.records[row], where)]
    assert sorted(hit.row for hit in hits) == allowed


def test_those_who_come_later_have_numbers_of_their_own(folder, people, backend):
    with GalleryIndex.create(folder, MODEL, backend) as index:
        fill(index, people, [100])
        index.add(people.vectors[100:110], people.records[100:110])  # not yet committed
        assert index.delete([109, 3, 3, 50]) == 3
        kept = [row for row in range(110) if row not in (3, 50, 109)]
        index.add(people.vectors[110:130], people.records[110:130], 'more')
        assert index.rows().tolist() == [*kept, *range(110, 130)]
        assert index.search(people.vectors[[120]], 1)[0][0].row == 120
        index.commit()
        assert index.rows().tolist() == [*kept, *range(110, 130)]
        assert index.delete([120]) == 1
        for wrong in (3, 109, 120, 130, -1):
            with pytest.raises(DataError, match=f'no row {wrong}'):
                index.embeddings([wrong])
            with pytest.raises(DataError, match=f'no row {wrong}'):
                index.delete([0, wrong])
        fill(index, people, [600], start=130)
        index.optimize()
    with GalleryIndex.open(folder, MODEL) as index:
        check_rows(index, people, [*kept, *range(110, 120), *range(121, 600)])


def test_everybody_may_go(folder, people, backend):
    with GalleryIndex.create(folder, MODEL, backend) as index:
        fill(index, people, [200])
        index.optimize()
        everybody = SearchFilter(sources=[f'été {n}/clip.mp4' for n in range(5)])
        assert index.delete(index.find(everybody)) == 200
        assert len(index) == 0
        assert index.search(people.vectors[:2]) == [[], []]
        index.add(people.vectors[:9], people.records[:9], 'part 0')  # is a finished unit
        assert len(index) == 0
        index.add(people.vectors[:9], people.records[:9], 'again')
        index.commit()
    with GalleryIndex.open(folder, MODEL) as index:
        assert index.rows().tolist() == list(range(200, 209))


@pytest.mark.parametrize('backend', ['flat-fp32', 'hnsw-fp16', 'ivf_pq-fp32'], indirect=True)
def test_nothing_of_them_is_left_in_the_folder(folder, backend):
    """Neither embedding nor name, in any file; and their space is given back."""
    people = make_people(3000)
    kind = np.float16 if 'storage' in backend else np.float32
    codes = {row: people.vectors[row].astype(kind) for row in (3, 4)}
    with GalleryIndex.create(folder, MODEL, backend) as index:
        fill(index, people, [3000])
        index.optimize()
        before = {path.name: path.stat().st_size for path in folder.iterdir()}
        assert present(folder, codes[3].tobytes())
        assert present(folder, 'été 3/'.encode())
        index.delete(index.find(SearchFilter(sources=['été 3/clip.mp4', 'été 0/clip.mp4'])))
        assert not list(folder.glob('structure-*'))
        index.optimize()
    assert not present(folder, codes[3].tobytes())
    assert not present(folder, 'été 3/'.encode())
    assert present(folder, codes[4].tobytes())
    after = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert after['index.sqlite'] < 0.7 * before['index.sqlite']
    assert sum(after.values()) < 0.75 * sum(before.values())


def present(folder, content: bytes) -> bool:
    return any(content in path.read_bytes() for path in folder.iterdir())


def test_a_reader_finds_nobody_who_was_deleted(folder, people):
    with GalleryIndex.create(folder, MODEL, BACKENDS['hnsw-fp16']) as writer:
        fill(writer, people, [300])
        writer.optimize()
        with GalleryIndex.open(folder, MODEL) as reader:
            assert reader.search(people.vectors[[7]], 1)[0][0].row == 7
            writer.delete([7])
            assert len(reader) == 300
            (hits,) = reader.search(people.vectors[[7]], 10)
            assert len(reader) == 299
            assert 7 not in [hit.row for hit in hits]
            assert len(hits) == 10
            assert reader.records([8, 299])[0] == people.records[8]


@pytest.mark.parametrize('backend', ['flat-fp32', 'milvus'])
def test_the_next_writer_ends_what_a_killed_one_has_begun(folder, people, backend, monkeypatch):
    """Between the commit and the backend's own deletion nobody is found who is deleted."""
    if backend == 'milvus':
        pytest.importorskip('milvus_lite')
    with GalleryIndex.create(folder, MODEL, BACKENDS[backend]) as index:
        fill(index, people, [60])
        with monkeypatch.context() as patch:
            patch.setattr(GalleryIndex, '_finish_deletion', lambda self: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                index.delete([7])
    told = pytest.warns(
        UserWarning, match='^1 person was deleted .* crops are not yet: unless a pro'
    )
    with told as warned:
        index = GalleryIndex.open(folder, MODEL)
    assert warned[0].filename == __file__
    with index:
        (hits,) = index.search(people.vectors[[7]], 60)
        assert 7 not in [hit.row for hit in hits]
        assert len(hits) >= 58  # Milvus may have found him still
    with GalleryIndex.open(folder, MODEL, writable=True) as index:
        assert not len(index._records.doomed())
        (hits,) = index.search(people.vectors[[7]], 60)
        assert sorted(hit.row for hit in hits) == [*range(7), *range(8, 60)]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        GalleryIndex.open(folder, MODEL).close()


def test_opening_says_that_crops_of_deleted_people_are_left(folder, people, monkeypatch):
    with GalleryIndex.create(folder, MODEL) as index:
        fill(index, people, [10])

    def full(*_):
        raise sqlite3.OperationalError('disk is full')

    monkeypatch.setattr(GalleryIndex, '_finish_deletion', full)
    with pytest.warns(UserWarning, match='crops or space could not be: disk is full'):
        GalleryIndex.open(folder, MODEL, writable=True).close()


def test_nobody_and_reading_alone(folder, people):
    with GalleryIndex.create(folder, MODEL) as index:
        fill(index, people, [10])
        assert index.delete([]) == 0
    with GalleryIndex.open(folder) as index, pytest.raises(ConfigError, match='for writing'):
        index.delete([1])


@needs_milvus
def test_milvus_that_does_not_answer(folder, people, monkeypatch):
    """What is deleted is deleted; the rest is done by the next one."""
    with GalleryIndex.create(folder, MODEL, BACKENDS['milvus']) as index:
        fill(index, people, [10])
        index._backend.erase = lambda rows: (_ for _ in ()).throw(UserError('Milvus is gone'))
        with pytest.raises(UserError, match='is gone'):
            index.delete([7])
        assert len(index) == 9
    with GalleryIndex.open(folder, MODEL, writable=True) as index:
        assert index.rows().tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 9]


def no_room(*_):
    raise sqlite3.OperationalError('database or disk is full')


@pytest.mark.parametrize('name', ['Database.shrink', 'RecordStore.forget_doomed'])
def test_no_room_to_give_the_space_back(folder, people, backend, monkeypatch, name):
    """Who is deleted is gone, and that is what is said."""
    with GalleryIndex.create(folder, MODEL, backend) as index:
        fill(index, people, [100])
        with monkeypatch.context() as patch:
            owner, method = name.split('.')
            patch.setattr(Database if owner == 'Database' else RecordStore, method, no_room)
            with pytest.warns(UserWarning, match='2 people were deleted .* disk is full'):
                assert index.delete([7, 9]) == 2
            index.optimize()
    with GalleryIndex.open(folder, MODEL, writable=True) as index:
        check_rows(index, people, [row for row in range(100) if row not in (7, 9)])
        assert not len(index._records.doomed())
        ((free,),) = index._database.read('SELECT * FROM pragma_freelist_count')
        assert free == 0


class TestTool:
    @pytest.fixture
    def index(self, folder, people):
        with GalleryIndex.create(folder, MODEL, BACKENDS['ivf_pq-fp32']) as index:
            fill(index, people, [600])
            index.optimize()
        return folder

    @pytest.mark.parametrize(
        ('options', 'goes'),
        [
            (['--source', 'été 2/clip.mp4'], lambda row, r: row % 5 == 2),
            (
                ['--camera', 'cam 1', '', '--before', '301'],
                lambda row, r: r.camera in ('cam 1', '') and r.time < 301,
            ),
            (['--from', '0:05:01'], lambda row, r: r.time >= 301),
            (['--rows', '5', '9', '5'], lambda row, r: row in (5, 9)),
            (  # tracks are numbered within their source
                ['--rows', '4', '5', '--tracks'],
                lambda row, r: (row % 11, row % 5) in ((4, 4), (5, 0)),
            ),
            (['--rows', '11', '--tracks'], lambda row, r: row == 11),  # of no track
        ],
    )
    def test_conditions(self, run_tool_here, index, people, options, goes):
        gone = [row for row, record in enumerate(people.records) if goes(row, record)]
        said = run_tool_here(TOOL, index, *options, '--dry-run')
        assert f'{len(gone)} of 600 people would be deleted' in said
        assert manifest_of(index).people == 600
        said = run_tool_here(TOOL, index, *options)
        words = '1 person was' if len(gone) == 1 else f'{len(gone)} people were'
        assert f'{words} deleted, {600 - len(gone)} are left' in said
        assert manifest_of(index).structure is not None
        with GalleryIndex.open(index) as opened:
            assert opened.rows().tolist() == sorted(set(range(600)) - set(gone))

    @pytest.mark.parametrize('rows', [[], ['--rows', '11', '3']])
    def test_a_person(self, run_tool_here, index, tmp_path, rows):
        """A long track has several rows, of which the hits have one; --rows are these rows."""
        results = tmp_path / 'results.json'
        results.write_text(json.dumps({'hits': [{'row': 8}, {'row': 2}]}))
        run_tool_here(TOOL, index, '--person', results, *rows)
        gone = {row for row in range(600) if (row % 11, row % 5) in ((8, 3), (2, 2))}
        gone |= {int(row) for row in rows[1:]}
        with GalleryIndex.open(index) as opened:
            assert opened.rows().tolist() == sorted(set(range(600)) - gone)

    @pytest.mark.parametrize('option', ['--from', '--before'])
    def test_a_time_that_is_empty(self, index, option, capsys, monkeypatch):
        """*Seen*: of a shell's variable that was not set, everybody of the camera was deleted."""
        monkeypatch.setattr('sys.argv', [TOOL, str(index), '--camera', 'cam 1', option, ''])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPO / TOOL), run_name='__main__')
        assert ended.value.code == 2
        assert f'{option}: a time is expected, but the text is empty' in capsys.readouterr().err
        assert manifest_of(index).people == 600

    def test_files_that_are_gone(self, run_tool_here, folder, people, tmp_path):
        """Only those, and the other conditions still hold."""
        here = write(tmp_path / 'here.png', np.zeros((8, 8, 3), np.uint8))
        names = [str(here), '/gone/a.mp4', '/gone/b.mp4']
        records = [replace(r, source=names[n % 3]) for n, r in enumerate(people.records[:30])]
        with GalleryIndex.create(folder, MODEL) as index:
            index.add(people.vectors[:30], records)
            index.commit()
        assert '20 of 30 people would' in run_tool_here(TOOL, folder, '--gone', '--dry-run')
        few = [n for n, r in enumerate(records) if n % 3 and r.camera == 'cam 1']
        said = run_tool_here(TOOL, folder, '--gone', '--camera', 'cam 1')
        assert f'{len(few)} people were deleted' in said
        run_tool_here(TOOL, folder, '--gone')
        with GalleryIndex.open(folder) as index:
            assert index.rows().tolist() == list(range(0, 30, 3))
        assert '0 people were deleted, 10 are left' in run_tool_here(TOOL, folder, '--gone')

    def test_hits_of_another_index(self, run_tool_to_its_error, index, people, tmp_path):
        """Their rows are other people here."""
        results = tmp_path / 'results.json'
        hits = [{'row': row, 'source': people.records[row].source, 'frame': row} for row in (8, 2)]
        hits[1]['frame'] = 3
        results.write_text(json.dumps({'hits': hits}))
        said = run_tool_to_its_error(TOOL, index, '--person', results)
        assert 'is of another index: row 2 is été 2/clip.mp4, frame 3 there' in said
        assert manifest_of(index).people == 600

    def test_hits_that_are_not_there(self, run_tool_to_its_error, index, tmp_path):
        said = run_tool_to_its_error(TOOL, index, '--person', tmp_path / 'no.json')
        assert 'no.json cannot be read (No such file' in said

    def test_a_file_as_one_types_it(self, run_tool_here, folder, people, tmp_path, monkeypatch):
        """The index has whole paths."""
        whole = [replace(r, source=str(tmp_path / r.source)) for r in people.records[:50]]
        with GalleryIndex.create(folder, MODEL) as index:
            index.add(people.vectors[:50], whole)
            index.commit()
        monkeypatch.chdir(tmp_path)
        said = run_tool_here(TOOL, folder, '--source', 'été 2/clip.mp4')
        assert '10 people were deleted, 40 are left' in said

    @pytest.mark.parametrize(
        ('options', 'goes'),
        [
            (['--before', '2009-06-11'], lambda row: 20 <= row < 30),
            (['--from', '2009-06-11'], lambda row: row >= 30),
            (['--from', '10'], lambda row: 10 <= row < 20),
            (['--before', '10'], lambda row: 0 < row < 10),
            (['--from', '5', '--before', '10'], lambda row: 5 <= row < 10),
        ],
    )
    def test_dates_and_times_of_videos_in_one_index(
        self, run_tool_here, folder, people, options, goes
    ):
        """Seconds since a video's start are not before a date."""
        date = 1244678400.0
        times = [*range(20), *(date - 1 - n for n in range(10)), *(date + n for n in range(10))]
        records = [replace(r, time=float(t)) for r, t in zip(people.records, times)]
        records[0] = replace(records[0], time=float('nan'))
        with GalleryIndex.create(folder, MODEL) as index:
            index.add(people.vectors[:40], records)
            index.commit()
        run_tool_here(TOOL, folder, *options)
        with GalleryIndex.open(folder) as index:
            assert index.rows().tolist() == [row for row in range(40) if not goes(row)]

    @pytest.mark.parametrize(
        ('options', 'word'),
        [
            ([], 'either'),
            (['--rows', '1', '--camera', 'cam 1'], 'either'),
            (['--rows', '600'], 'no row 600'),
            (['--rows', '600', '--dry-run'], 'no row 600'),
            (['--rows', '5', f'{10**20}'], f'has 600 rows, and no row {10**20}'),
            (['--rows', f'-{2**70}'], f'and no row -{2**70}'),
            (['--camera', 'cam 1', '--tracks'], '--tracks goes with --rows'),
            (['--person', 'nowhere.json'], 'nowhere.json'),
            (['--before', 'noon'], '--before: a time must be seconds, h:mm:ss or an ISO date'),
            (['--from', '9', '--before', '1'], '--from must not be after --before'),
            (['--keep-days', '3'], 'not dates'),
            (['--before', '2024-05-01'], 'a time since the start of the video'),
            (['--camera', 'cam 9'], 'no camera "cam 9" in the index, which has'),
            (['--source', 'été 9/clip.mp4'], 'nobody in the index is of the file été 9/clip.mp4'),
            (['--keep-days', '3', '--before', '301'], 'not both'),
            (['--gone', '--source', 'été 2/clip.mp4'], 'either --source or --gone'),
            (['--gone', '--rows', '1'], 'either'),
            (['--camera', 'cam 1', '--person', ''], 'either'),
            (['--person', ''], '--person must name a results.json, but is empty'),
        ],
    )
    def test_mistakes(self, run_tool_to_its_error, index, options, word):
        assert word in run_tool_to_its_error(TOOL, index, *options)
        assert manifest_of(index).people == 600
