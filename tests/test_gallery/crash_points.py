"""Kill a writer at every point at which its files change; run by test_faults.py.

Everything happens in forks of a process that does nothing itself: libraries
with threads do not survive a fork. Prints the number of points at which a
writer was killed.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from mmclsa.gallery import GalleryIndex, GalleryRecord, SearchFilter, database, record_store
from mmclsa.registry import INDEXES
from tests.test_gallery.people import BACKENDS, MODEL, make_people, same_records
from tests.test_gallery.sighted import (
    counts_of,
    crop_of,
    extras,
    frames_of,
    same_frames,
    sighted,
)
from tests.test_gallery.version_2 import to_version_2

PARTS, SIZE = 15, 10
# The second time there is a structure to go on from.
OPTIMIZE_AFTER = (11, 13)
DELETE_AFTER = 12
DELETED = SearchFilter(sources=['été 3/clip.mp4'], time_to=99.0)
CHANGES = ('fsync', 'replace', 'unlink', 'ftruncate', 'open')


def in_fork(function: Callable[[], None]) -> int:
    """Give the wait status of a fork that runs a function."""
    pid = os.fork()
    if not pid:
        try:
            function()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def write(folder: Path, backend: dict) -> None:
    """Build an index, or go on with it, as anybody would."""
    people = make_people(PARTS * SIZE)
    records = sighted(people)
    if (folder / 'index.sqlite').exists():
        index = GalleryIndex.open(folder, MODEL, writable=True)
    else:
        index = GalleryIndex.create(folder, MODEL, backend)
    with index:
        for part in range(PARTS):
            span = slice(part * SIZE, (part + 1) * SIZE)
            rows = range(span.start, span.stop)
            beside = extras(rows, records)
            index.add(people.vectors[span], records[span], f'part {part}', **beside)
            index.commit()
            if part in OPTIMIZE_AFTER:
                index.optimize()
            if part == DELETE_AFTER:
                index.delete(index.find(DELETED))


class Deadly(sqlite3.Connection):
    """Dies before a statement, with pages of a transaction on the disk already."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        super().execute('PRAGMA cache_size = 2')

    def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
        if 'cache_size' in sql:
            return super().execute('SELECT 1')
        if not sql.startswith(('SELECT', 'PRAGMA')):
            deadly.step()
        return super().execute(sql, *args)

    def executescript(self, script: str) -> sqlite3.Cursor:
        deadly.step()
        cursor = super().executescript(script)
        deadly.step()
        return cursor

    def executemany(self, sql: str, rows: object) -> sqlite3.Cursor:
        deadly.step()
        cursor = super().executemany(sql, rows)
        deadly.step()
        return cursor


class deadly:  # noqa: N801
    """Counts the changes of the file system, and kills this process before one of them."""

    seen, point = 0, 0

    @classmethod
    def step(cls) -> None:
        cls.seen += 1
        if cls.seen == cls.point:
            os.kill(os.getpid(), signal.SIGKILL)

    @classmethod
    def at(cls, point: int) -> None:
        cls.point = point
        for name in CHANGES:
            setattr(os, name, cls._stepping(getattr(os, name)))
        connect = sqlite3.connect
        sqlite3.connect = lambda *args, **kwargs: connect(*args, **kwargs, factory=Deadly)

    @classmethod
    def _stepping(cls, function: Callable) -> Callable:
        def call(*args: object, **kwargs: object) -> object:
            cls.step()
            return function(*args, **kwargs)

        return call


def check(folder: Path, complete: bool) -> None:
    """What is there is whole: the first parts, each once, all findable."""
    if not complete and not (folder / 'index.sqlite').exists():
        return
    people = make_people(PARTS * SIZE)
    records = sighted(people)
    with GalleryIndex.open(folder, MODEL, writable=complete) as index:
        index.verify()
        parts = len(index.shards())
        assert index.shards() == {f'part {part}' for part in range(parts)}
        assert parts == PARTS or not complete
        rows = list(range(parts * SIZE))
        if complete or len(index) < len(rows):
            assert parts > DELETE_AFTER
            rows = [row for row in rows if not is_deleted(records[row])]
        assert index.rows().tolist() == rows
        assert same_records(index.records(), [records[row] for row in rows])
        check_beside(index, records, rows, parts)
        for row, hits in zip(rows, index.search(people.vectors[rows], 1)):
            assert [hit.row for hit in hits] == [row]
        if complete:
            files = index._manifest.file_names
            assert {path.name for path in folder.iterdir()} == files | {'index.sqlite', 'lock'}
            assert not len(index._records.doomed())


def is_deleted(record: GalleryRecord) -> bool:
    return record.source in DELETED.sources and record.time_from <= DELETED.time_to


def check_beside(index: GalleryIndex, records: list, rows: list[int], parts: int) -> None:
    """Crops, the frames behind and the counts are those of these rows."""
    assert index.crops(rows) == {row: crop_of(row) for row in rows if crop_of(row)}
    for row in rows:
        expected = frames_of(row, records[row])
        assert expected is None or same_frames(index.behind(row), expected)
    same = sum(counts_of(part * SIZE).same.sum() for part in range(parts))
    assert index.pair_counts().same.sum() == same
    with sqlite3.connect(index.path / 'index.sqlite') as connection:
        ((beside,),) = connection.execute(
            'SELECT count(*) FROM behind WHERE row NOT IN (SELECT row FROM doomed)'
        )
    assert beside == sum(records[row].stay is not None for row in rows)


def upgrade(folder: Path) -> None:
    """Open an index of the older version for writing."""
    GalleryIndex.open(folder, MODEL, writable=True).close()


def check_upgraded(folder: Path) -> None:
    """It is whole, of whichever version."""
    people = make_people(PARTS * SIZE)
    for writable in (False, True):
        with GalleryIndex.open(folder, MODEL, writable=writable) as index:
            index.verify()
            assert same_records(index.records(), people.records)
            assert [hit[0].row for hit in index.search(people.vectors, 1)] == [*range(len(index))]


def main_upgrade(root: Path, backend: dict) -> int:
    """Kill an upgrade before each of its statements."""
    INDEXES.build(backend)
    importlib.import_module('faiss')
    people = make_people(PARTS * SIZE)
    with GalleryIndex.create(root / 'old', MODEL, backend) as index:
        index.add(people.vectors, people.records)
        index.commit()
    to_version_2(root / 'old')
    for point in range(1, 1000):
        folder = root / str(point)
        shutil.copytree(root / 'old', folder)

        def upgrade_and_die(folder: Path = folder, point: int = point) -> None:
            deadly.at(point)
            upgrade(folder)

        status = in_fork(upgrade_and_die)
        assert os.WIFSIGNALED(status) or status == 0
        assert in_fork(lambda folder=folder: check_upgraded(folder)) == 0
        if not status:
            return point - 1
    raise AssertionError('an upgrade never came to its end')


def main(root: Path, backend: dict, step: int) -> int:
    # Imported once, not in every fork.
    INDEXES.build(backend)
    importlib.import_module('faiss')
    # Space is given back, and crops are deleted, in steps.
    database._SMALL, database._PAGES, record_store._STEP = 0, 5, 10
    # The first are those at which the index is made.
    for killed, point in enumerate([*range(1, 11, 3), *range(11, 10_000, step)]):
        folder = root / str(point)

        def write_and_die(folder: Path = folder, point: int = point) -> None:
            deadly.at(point)
            write(folder, backend)

        status = in_fork(write_and_die)
        if not os.WIFSIGNALED(status):
            assert status == 0
            return killed
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert in_fork(lambda folder=folder: check(folder, complete=False)) == 0
        assert in_fork(lambda folder=folder: write(folder, backend)) == 0
        assert in_fork(lambda folder=folder: check(folder, complete=True)) == 0
    raise AssertionError('a writer never came to its end')


if __name__ == '__main__':
    root, backend, step = Path(sys.argv[1]), BACKENDS[sys.argv[2]], sys.argv[3]
    print(
        'killed',
        main_upgrade(root, backend) if step == 'upgrade' else main(root, backend, int(step)),
    )
