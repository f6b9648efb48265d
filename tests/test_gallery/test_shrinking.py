"""Much is deleted from a large database, and others read it all the while."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest

from mmclsa.gallery import GalleryIndex, database, record_store
from tests.test_gallery.people import MODEL, make_people
from tests.test_gallery.sighted import crop_of, extras, sighted

PEOPLE, FIRST = 300, 100  # the first are deleted


@pytest.fixture
def index(folder, monkeypatch):
    monkeypatch.setattr(database, '_SMALL', 0)
    monkeypatch.setattr(database, '_PAGES', 4, raising=False)
    monkeypatch.setattr(record_store, '_STEP', 25, raising=False)
    people = make_people(PEOPLE)
    records = sighted(people)
    with GalleryIndex.create(folder, MODEL) as index:
        beside = extras(range(PEOPLE), records)
        beside['crops'] = [3 * crop for crop in beside['crops']]
        index.add(people.vectors, records, 'part 0', **beside)
        index.commit()
        yield index


def ask(path, question):
    with closing(sqlite3.connect(path, timeout=0)) as reader:
        return reader.execute(question).fetchall()


def test_others_have_their_turn(index, folder, monkeypatch):
    """After each few crops, and after each few pages that are given back."""
    path = folder / 'index.sqlite'
    seen, statements = [], []

    def sleep(seconds):
        assert 0 <= seconds <= 0.1
        ((crops, people),) = ask(path, 'SELECT (SELECT count(*) FROM crops), count(*) FROM people')
        seen.append((crops, people, path.stat().st_size))

    clock = SimpleNamespace(sleep=sleep, monotonic=database.time.monotonic)
    monkeypatch.setattr(database, 'time', clock)
    index._database._connection.set_trace_callback(statements.append)
    index.delete(range(FIRST))
    assert not [sql for sql in statements if sql.startswith('VACUUM')]
    assert [people for _, people, _ in seen] == [PEOPLE - FIRST] * len(seen)
    crops, _, sizes = zip(*seen)
    assert [240 - count for count in crops[:4]] == [20, 40, 60, 80]
    assert len(sizes) - 4 >= 6
    assert max(one - other for one, other in zip(sizes[4:], sizes[5:])) <= 5 * 4096
    assert sizes[-1] < 0.75 * sizes[0]
    assert ask(path, 'PRAGMA freelist_count') == [(0,)]
    index.verify()
    kept = range(FIRST, PEOPLE)
    assert index.crops(kept) == {row: 3 * crop_of(row) for row in kept if crop_of(row)}


def test_who_lay_among_others(folder, monkeypatch):
    """Of every other record no page becomes free: the file is written anew."""
    monkeypatch.setattr(database, '_SMALL', 0)
    people = make_people(1500)
    with GalleryIndex.create(folder, MODEL) as index:
        index.add(people.vectors, people.records)
        index.commit()
        size = (folder / 'index.sqlite').stat().st_size
        index.delete(range(0, 1500, 2))
        assert (folder / 'index.sqlite').stat().st_size < 0.7 * size
        index.verify()


def test_one_of_an_older_mmclsa_is_written_anew_once(index, folder):
    connection = index._database._connection
    connection.execute('PRAGMA auto_vacuum = NONE')
    connection.execute('VACUUM')
    size = (folder / 'index.sqlite').stat().st_size
    index.delete(range(FIRST))
    assert (folder / 'index.sqlite').stat().st_size < 0.75 * size
    assert ask(folder / 'index.sqlite', 'PRAGMA auto_vacuum') == [(2,)]
    index.verify()


def test_a_killed_writer_leaves_crops_to_the_next(index, folder, monkeypatch):
    """They are nobody's for readers, and no fault of the file."""
    monkeypatch.setattr(record_store.RecordStore, 'forget_doomed', lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        index.delete(range(FIRST))
    monkeypatch.undo()
    index.close()
    with GalleryIndex.open(folder) as reader:
        reader.verify()
        assert len(reader) == PEOPLE - FIRST
    GalleryIndex.open(folder, writable=True).close()
    assert ask(folder / 'index.sqlite', 'SELECT count(*) FROM crops') == [(160,)]
    assert ask(folder / 'index.sqlite', 'SELECT count(*) FROM doomed') == [(0,)]
