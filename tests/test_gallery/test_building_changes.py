"""Files that have grown or were replaced since they were indexed."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from mmclsa.gallery import GalleryIndex, GalleryRecord, SearchFilter, record_store
from mmclsa.gallery.building import build_gallery, plan_units, print_report
from mmclsa.gallery.building.units import Unit
from mmclsa.gallery.gone import gone_sources
from mmclsa.structures import PairCounts
from tests.fakes.footage import scene, write, write_scenes, write_video
from tests.helpers import REPO
from tests.test_gallery.fakes import FakeEmbedder
from tests.test_gallery.people import BACKENDS, needs_milvus
from tests.test_gallery.test_building_builder import build, content


@pytest.fixture
def footage(tmp_path) -> list[Path]:
    write_scenes(tmp_path / 'f', 4)
    return [tmp_path / 'f', write_video(tmp_path / 'v.avi', 20)]


def as_if_new(tmp_path: Path, footage: list[Path]) -> dict:
    build(tmp_path / 'whole', *footage)
    return content(tmp_path / 'whole')


@pytest.mark.parametrize(
    'backend',
    [pytest.param(name, marks=[needs_milvus] * (name == 'milvus')) for name in BACKENDS],
)
def test_a_file_that_was_replaced(tmp_path, footage, backend):
    embedder = FakeEmbedder()
    index = GalleryIndex.create(tmp_path / 'index', embedder.fingerprint, BACKENDS[backend])
    with index:
        build_gallery(index, embedder, plan_units(footage))
        write(footage[0] / '0001.png', scene(77))
        report = build_gallery(index, embedder, plan_units(footage))
        assert report.renewed == [str(footage[0] / '0001.png')]
        assert (report.pictures, report.known) == (1, 4)
        found = {(r.source, r.frame, r.box) for r in index.records()}
        assert len(found) == len(index)
    expected = as_if_new(tmp_path, footage)
    assert found == {(r.source, r.frame, r.box) for r in expected}


@pytest.mark.parametrize('frames', [25, 8, 3])
def test_a_video_that_has_grown_or_shrunk(tmp_path, footage, frames, monkeypatch):
    monkeypatch.setattr('mmclsa.gallery.building.units.FRAMES_PER_UNIT', 6)
    build(tmp_path / 'index', *footage)
    write_video(footage[1], frames)
    report, embedder = build(tmp_path / 'index', *footage)
    assert sum(embedder.batches) == frames
    assert (report.known, report.renewed) == (4, [str(footage[1])])
    assert content(tmp_path / 'index') == as_if_new(tmp_path, footage)
    assert build(tmp_path / 'index', *footage)[0].pictures == 0


def test_one_that_has_nobody_now(tmp_path, footage):
    build(tmp_path / 'index', *footage)
    write(footage[0] / '0001.png', np.zeros((64, 96, 3), np.uint8))
    build(tmp_path / 'index', *footage)
    assert content(tmp_path / 'index') == as_if_new(tmp_path, footage)
    write(footage[0] / '0001.png', scene(5))  # and somebody again, of whom there is no record
    build(tmp_path / 'index', *footage)
    build(tmp_path / 'again', *footage)
    assert content(tmp_path / 'index') == content(tmp_path / 'again')


def test_same_size_other_time(tmp_path, footage):
    build(tmp_path / 'index', *footage)
    os.utime(footage[0] / '0001.png', ns=(1, 1))
    report, _ = build(tmp_path / 'index', *footage)
    assert report.pictures == 1
    assert content(tmp_path / 'index') == as_if_new(tmp_path, footage)


def test_who_was_deleted_does_not_come_back_unless_the_file_changes(tmp_path, footage):
    build(tmp_path / 'index', *footage)
    path = footage[0] / '0001.png'
    with GalleryIndex.open(tmp_path / 'index', writable=True) as index:
        index.delete(index.find(SearchFilter(sources=[str(path)])))
    assert build(tmp_path / 'index', *footage)[0].pictures == 0
    write(path, scene(9))
    assert build(tmp_path / 'index', *footage)[0].pictures == 1
    assert content(tmp_path / 'index') == as_if_new(tmp_path, footage)


def test_one_that_is_gone_is_told_and_stays(tmp_path, footage):
    """*Seen*: of a file that was renamed there was no word, and its people were in it twice."""
    build(tmp_path / 'index', *footage)
    before = content(tmp_path / 'index')
    (footage[0] / '0001.png').rename(footage[0] / 'a [1] é.png')
    (footage[0] / '0002.png').unlink()
    report, _ = build(tmp_path / 'index', *footage)
    assert report.gone == [str(footage[0] / name) for name in ('0001.png', '0002.png')]
    assert report.pictures == 1
    assert before.keys() < content(tmp_path / 'index').keys()
    assert tell(report) == (
        f'2 files of the index are no longer there (such as {report.gone[0]}): the people stay in '
        'it until tools/prune_gallery.py INDEX_DIR --gone deletes them'
    )
    with GalleryIndex.open(tmp_path / 'index', writable=True) as index:
        assert gone_sources(index) == report.gone
        index.delete(index.find(SearchFilter(sources=report.gone[:1])))
    report, _ = build(tmp_path / 'index', footage[1])  # whatever the sources of the command
    assert tell(report).startswith(f'1 file of the index is no longer there ({report.gone[0]}): ')
    with GalleryIndex.open(tmp_path / 'index', writable=True) as index:
        index.delete(index.find(SearchFilter(sources=gone_sources(index))))
    report, _ = build(tmp_path / 'index', *footage)
    assert (report.gone, tell(report)) == ([], '')
    assert content(tmp_path / 'index') == as_if_new(tmp_path, footage)


def test_one_that_comes_back(tmp_path, footage, run_tool_here, monkeypatch):
    """A disk that was not mounted: what --gone has deleted is looked at again, as if new."""
    monkeypatch.setattr('mmclsa.gallery.building.units.FRAMES_PER_UNIT', 6)
    build(tmp_path / 'index', *footage)
    expected, learnt = content(tmp_path / 'index'), pairs(tmp_path / 'index')
    assert learnt.different.sum() > 0
    footage[1].rename(tmp_path / 'b.avi')
    build(tmp_path / 'index', tmp_path / 'b.avi')
    assert pairs(tmp_path / 'index').different.sum() == 2 * learnt.different.sum()
    run_tool_here('tools/prune_gallery.py', tmp_path / 'index', '--gone', '--from', '0:01')
    assert build(tmp_path / 'index', tmp_path / 'b.avi')[0].gone == [str(footage[1])]
    run_tool_here('tools/prune_gallery.py', tmp_path / 'index', '--gone')
    # Each look counts once.
    assert pairs(tmp_path / 'index').different.tolist() == learnt.different.tolist()
    (tmp_path / 'b.avi').rename(footage[1])
    run_tool_here('tools/prune_gallery.py', tmp_path / 'index', '--gone')
    report, _ = build(tmp_path / 'index', *footage)
    assert (report.pictures, report.gone) == (20, [])
    assert content(tmp_path / 'index') == expected
    assert pairs(tmp_path / 'index').different.tolist() == learnt.different.tolist()


def pairs(path: Path) -> PairCounts:
    with GalleryIndex.open(path) as index:
        return index.pair_counts()


def tell(report) -> str:
    console = Console(file=io.StringIO(), width=40)
    print_report(report, 9, console)
    lines = console.file.getvalue().splitlines()
    return ''.join(line for line in lines if 'no longer there' in line)


def test_what_is_there_or_may_be(tmp_path, monkeypatch):
    """A link, a folder that may not be entered, and names that are no paths of this machine."""
    write(tmp_path / 'a.png', scene(0))
    (tmp_path / 'link.png').symlink_to(tmp_path / 'a.png')
    (tmp_path / 'dangling.png').symlink_to(tmp_path / 'none.png')
    names = [str(tmp_path / name) for name in ('a.png', 'a.png/b.png', 'dangling.png', 'link.png')]
    names += ['/locked/a.png', 'camera 3', 's3://footage/a.mp4', 'relative/a.png']
    embedder = FakeEmbedder()
    with GalleryIndex.create(tmp_path / 'index', embedder.fingerprint) as index:
        records = [GalleryRecord(name, 0, float('nan'), (0, 0, 9, 9), 0.5) for name in names]
        index.add(np.eye(8)[: len(names)], records)
        assert gone_sources(index) == index.sources() == []  # before it is committed
        index.commit()
        real = os.stat

        def locked(path, *args, **kwargs):
            if str(path).startswith('/locked'):
                raise PermissionError(13, 'no', path)
            return real(path, *args, **kwargs)

        monkeypatch.setattr(os, 'stat', locked)
        assert gone_sources(index) == names[1:3]
        assert gone_sources(index, there=names[1:2]) == names[2:3]
        assert index.sources() == sorted(names)


def test_as_many_files_as_there_are(tmp_path, monkeypatch):
    """A question to the database is not as long as one likes."""
    build(tmp_path / 'index', *write_scenes(tmp_path / 'f', 7))
    with GalleryIndex.open(tmp_path / 'index') as index:
        where = SearchFilter(sources=index.sources()[1:])
        expected = index.find(where)
        monkeypatch.setattr(record_store, '_SOURCES_AT_ONCE', 2)
        assert index.find(where).tolist() == expected.tolist() != []


def test_an_index_that_does_not_know_how_files_were(tmp_path, footage, monkeypatch):
    """Of an mmclsa before: what it has stays, until it is known to have changed."""
    with monkeypatch.context() as before:
        before.setattr(Unit, 'key', Unit.place)
        build(tmp_path / 'index', *footage)
    with GalleryIndex.open(tmp_path / 'index') as index:
        assert not any('//' in key for key in index.shards())
    expected = content(tmp_path / 'index')
    write(footage[0] / '0001.png', scene(77))
    report, _ = build(tmp_path / 'index', *footage)
    assert (report.pictures, report.known) == (0, 5)
    assert content(tmp_path / 'index') == expected


def test_paths_that_look_like_keys():
    units = [
        Unit(source, source.endswith('avi'), 500, stamp='3-4')
        for source in ('//nas/a.jpg', '/f/a#00000500//1-2.avi', '/f/a//3-4', '/f/b\n.avi')
    ]
    plan = plan_of(units)
    assert plan.outdated([unit.key for unit in units]) == {}
    assert plan.outdated([unit.place for unit in units]) == {}
    old = [f'{unit.place}//3-3' for unit in units]
    assert plan.outdated(old) == {unit.source: [key] for unit, key in zip(units, old)}
    assert plan.outdated(['/other.jpg//1-1']) == {}


def plan_of(units):
    from mmclsa.gallery.building import Plan

    return Plan(units)


CHILD = """
import os, sys
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import build_gallery, plan_units, sink, units
from mmclsa.gallery.database import Database
from tests.test_gallery.fakes import FakeEmbedder

units.FRAMES_PER_UNIT, sink.COMMIT_SECONDS = 6, 0.0
path, left = sys.argv[1], [int(sys.argv[2])]

class Killed(FakeEmbedder):
    def find_people(self, batch):
        step()
        return super().find_people(batch)

def step():
    left[0] -= 1
    if left[0] < 0:
        os._exit(9)

real = Database.shrink
Database.shrink = lambda self, *share: (step(), real(self, *share), step())
embedder = Killed()
with GalleryIndex.open(path, embedder.fingerprint, writable=True) as index:
    build_gallery(index, embedder, plan_units(sys.argv[3:]), batch_size=2)
"""


@pytest.mark.parametrize('steps', [0, 2, 3, 4, 6, 10])  # opening takes two
def test_killed_while_looking_again(tmp_path, footage, steps, monkeypatch):
    monkeypatch.setattr('mmclsa.gallery.building.units.FRAMES_PER_UNIT', 6)
    build(tmp_path / 'index', *footage)
    write_video(footage[1], 15)
    write(footage[0] / '0001.png', scene(77))
    child = subprocess.run(
        [sys.executable, '-c', CHILD, *map(str, (tmp_path / 'index', steps, *footage))],
        cwd=REPO,
        env={**os.environ, 'PYTHONPATH': str(REPO), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert child.returncode == 9, child.stderr
    build(tmp_path / 'index', *footage)
    with GalleryIndex.open(tmp_path / 'index') as index:
        index.verify()
    assert content(tmp_path / 'index') == as_if_new(tmp_path, footage)
