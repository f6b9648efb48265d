"""Indexes of version 2: read as they are, upgraded when they are written to."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from mmclsa.errors import UserError
from mmclsa.gallery import GalleryIndex, SearchFilter
from mmclsa.gallery.adopting import adopt_index
from mmclsa.gallery.database import Database
from tests.helpers import run_python
from tests.test_gallery.people import BACKENDS, MODEL, fill, passes, same_records
from tests.test_gallery.sighted import counts_of, crop_of, extras, sighted
from tests.test_gallery.stored import database, manifest_text
from tests.test_gallery.version_2 import to_version_2

WHERE = SearchFilter(cameras=['cam 1'], time_from=20.0, time_to=150.0)


@pytest.fixture(params=['flat-fp16', 'ivf_pq-int8'])
def old(folder, people, request):
    """200 people of whom one was deleted."""
    with GalleryIndex.create(folder, MODEL, BACKENDS[request.param]) as index:
        fill(index, people, [120, 200])
        index.delete([7])
        index.optimize()
    to_version_2(folder)
    return folder


def check(index, people, count=200) -> None:
    kept = [row for row in range(count) if row != 7]
    assert index.rows().tolist() == kept
    assert same_records(index.records(), [people.records[row] for row in kept])
    assert [hits[0].row for hits in index.search(people.vectors[kept], 1)] == kept
    allowed = [row for row in kept if passes(people.records[row], WHERE)]
    assert index.find(WHERE).tolist() == allowed
    (hits,) = index.search(people.vectors[:1], count, WHERE)
    assert sorted(hit.row for hit in hits) == allowed
    assert index.shards() >= {'part 0', 'part 120'}
    index.verify()


def test_reading_changes_nothing(old, people):
    before = (old / 'index.sqlite').read_bytes()
    with GalleryIndex.open(old, MODEL) as index:
        check(index, people)
        assert not index.has_crops
        assert index.crops([0, 3]) == {}
        assert index.behind(3).frames.tolist() == [3]
        assert not index.pair_counts().same.any()
        contents = index.contents()
        assert (contents.people, contents.sightings, contents.time_to) == (199, 0, 199.0)
    assert (old / 'index.sqlite').read_bytes() == before


def test_writing_upgrades(old, people):
    records = [*people.records[:200], *sighted(people)[200:]]
    with GalleryIndex.open(old, writable=True) as index:
        check(index, people)
        assert json.loads(manifest_text(old))['version'] == 3
        part = range(200, 240)
        index.add(people.vectors[200:240], records[200:240], 'new', **extras(part, records))
        index.commit()
        index.delete([9])
    with GalleryIndex.open(old, MODEL) as index:
        index.verify()
        kept = [row for row in range(240) if row not in (7, 9)]
        assert same_records(index.records(), [records[row] for row in kept])
        assert index.crops([3, 201]) == {201: crop_of(201)}
        assert index.pair_counts().same.tolist() == counts_of(200).same.tolist()


def test_an_upgraded_index_has_the_tables_of_a_new_one(old, tmp_path):
    GalleryIndex.open(old, writable=True).close()
    GalleryIndex.create(tmp_path / 'new', MODEL).close()
    shapes = []
    for folder in (old, tmp_path / 'new'):
        with database(folder) as connection:
            found = connection.execute('SELECT name, sql FROM sqlite_master ORDER BY name')
            shapes.append(found.fetchall())
            assert not connection.execute('PRAGMA freelist_count').fetchone()[0]
    assert shapes[0] == shapes[1]


def test_a_reader_goes_on_while_a_writer_upgrades(old, people):
    with GalleryIndex.open(old) as reader, GalleryIndex.open(old, writable=True) as writer:
        check(reader, people)
        writer.add(people.vectors[200:210], people.records[200:210], crops=[b'a'] * 10)
        writer.commit()
        check(reader, people)
        assert reader.changed_on_disk()
        reader.refresh()
        check(reader, people, 210)
        assert reader.crops([200]) == {200: b'a'}


def test_two_writers_that_both_saw_the_old_one(old, people):
    """The second finds it upgraded, and written to, when its turn comes."""
    with closing(Database(old, writable=True)) as late:
        with GalleryIndex.open(old, writable=True) as first:
            first.add(people.vectors[200:210], people.records[200:210], crops=[b'a'] * 10)
            first.commit()
        late.upgrade()
    with GalleryIndex.open(old, writable=True) as index:
        check(index, people, 210)
        assert index.crops([200]) == {200: b'a'}


def test_an_upgrade_that_fails_leaves_the_old_one(old, people, monkeypatch):
    before = (old / 'index.sqlite').read_bytes()
    monkeypatch.setattr(
        'mmclsa.gallery.database.UPGRADE', ['DROP VIEW records', 'INSERT INTO nowhere VALUES (1)']
    )
    with pytest.raises(UserError, match='as it was at its last commit'):
        GalleryIndex.open(old, writable=True)
    assert (old / 'index.sqlite').read_bytes() == before
    monkeypatch.undo()
    with GalleryIndex.open(old, writable=True) as index:
        check(index, people)


def test_adopting(old, people):
    adopt_index(old)
    with GalleryIndex.open(old) as index:
        check(index, people)


def test_killed_while_upgrading(tmp_path):
    """At any statement: it is an index of the one version or of the other."""
    result = run_python('-m', 'tests.test_gallery.crash_points', tmp_path, 'flat-fp16', 'upgrade')
    assert result.returncode == 0, result.stderr
    assert int(result.stdout.split()[-1]) >= 8


def test_of_a_version_that_never_was(old):
    with database(old) as connection:
        connection.execute('UPDATE manifest SET content = replace(content, ?, ?)', (': 2,', ': 1,'))
    with pytest.raises(UserError, match='version is 1'):
        GalleryIndex.open(old)
