"""Kill a writer at every point at which its files change; run by test_faults.py.

Everything happens in forks of a process that does nothing itself: libraries
with threads do not survive a fork. Prints the number of points at which a
writer was killed.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from mmclsa.gallery import GalleryIndex, table_to_records
from mmclsa.registry import INDEXES
from tests.test_gallery.people import BACKENDS, MODEL, make_people, same_records

PARTS, SIZE = 15, 10
# The second time there is a structure to go on from.
OPTIMIZE_AFTER = (11, 13)
CHANGES = ('fsync', 'replace', 'unlink', 'open')


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
    if (folder / 'manifest.json').exists():
        index = GalleryIndex.open(folder, MODEL, writable=True)
    else:
        index = GalleryIndex.create(folder, MODEL, backend)
    with index:
        for part in range(PARTS):
            span = slice(part * SIZE, (part + 1) * SIZE)
            index.add(people.vectors[span], people.records[span], f'part {part}')
            index.commit()
            if part in OPTIMIZE_AFTER:
                index.optimize()


def die_at(point: int) -> None:
    """Kill this process before its ``point``-th change of the file system."""
    seen = 0

    def deadly(function: Callable) -> Callable:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal seen
            seen += 1
            if seen == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    for name in CHANGES:
        setattr(os, name, deadly(getattr(os, name)))


def check(folder: Path, complete: bool) -> None:
    """What is there is whole: the first parts, each once, all findable."""
    if not complete and not (folder / 'manifest.json').exists():
        return
    people = make_people(PARTS * SIZE)
    with GalleryIndex.open(folder, MODEL, writable=complete) as index:
        index.verify()
        parts = len(index.shards())
        assert index.shards() == {f'part {part}' for part in range(parts)}
        assert len(index) == parts * SIZE
        assert parts == PARTS or not complete
        assert same_records(table_to_records(index.records()), people.records[: len(index)])
        for row, hits in enumerate(index.search(people.vectors[: len(index)], 1)):
            assert [hit.row for hit in hits] == [row]
        if complete:
            files = {entry.name for entry in index._manifest.all_files()}
            assert {path.name for path in folder.iterdir()} == files | {'manifest.json', 'lock'}


def main(root: Path, backend: dict, step: int) -> int:
    # Imported once, not in every fork.
    INDEXES.build(backend)
    importlib.import_module('pyarrow.parquet')
    importlib.import_module('faiss')
    for killed, point in enumerate(range(1, 10_000, step)):
        folder = root / str(point)

        def write_and_die(folder: Path = folder, point: int = point) -> None:
            die_at(point)
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
    print('killed', main(Path(sys.argv[1]), BACKENDS[sys.argv[2]], int(sys.argv[3])))
