"""What kills, full disks, broken files and other processes do to an index: nothing."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time

import pytest

from mmclsa.errors import DataError, UserError
from mmclsa.gallery import GalleryIndex, files, index_reader
from mmclsa.gallery.backends import faiss_structures
from mmclsa.gallery.database import Database
from mmclsa.gallery.manifest import Manifest
from tests.helpers import REPO, run_python
from tests.test_gallery.people import BACKENDS, MODEL, fill, needs_milvus, same_records
from tests.test_gallery.stored import change_manifest, manifest_of

IVF_PQ = BACKENDS['ivf_pq-int8']


@pytest.mark.parametrize(('backend', 'step'), [('flat-fp16', 47), ('ivf_pq-int8', 61)])
def test_killed_at_any_change_of_a_file(tmp_path, backend, step):
    """The index is as at the last commit, and running again completes it."""
    result = run_python(
        '-m', 'tests.test_gallery.crash_points', tmp_path, backend, step, timeout=550
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout.split()[-1]) >= 3


WRITER = """
import sys
from mmclsa.gallery import GalleryIndex
from tests.test_gallery.people import BACKENDS, MODEL, make_people

people = make_people(20_000)  # more than are written before it is killed
with GalleryIndex.create(sys.argv[1], MODEL, BACKENDS[sys.argv[2]]) as index:
    for part in range(2000):
        span = slice(part * 10, part * 10 + 10)
        index.add(people.vectors[span], people.records[span], f'part {part}')
        index.commit()
        print(part, flush=True)
"""


@pytest.mark.parametrize('backend', ['flat-fp32', pytest.param('milvus', marks=needs_milvus)])
def test_killed_from_outside(folder, people, backend):
    writer = subprocess.Popen(
        [sys.executable, '-c', WRITER, folder, backend],
        cwd=REPO,
        stdout=subprocess.PIPE,
        text=True,
    )
    for _ in range(5):
        assert writer.stdout.readline()
    with pytest.raises(UserError, match=f'process {writer.pid} '):
        GalleryIndex.open(folder, writable=True)
    time.sleep(0.05)
    writer.send_signal(signal.SIGKILL)
    announced = 5 + len(writer.stdout.readlines())
    writer.wait(60)
    writer.stdout.close()
    with GalleryIndex.open(folder, MODEL, writable=True) as index:
        index.verify()
        committed = len(index.shards())
        assert announced <= committed <= announced + 1
        assert index.shards() == {f'part {part}' for part in range(committed)}
        assert len(index) == committed * 10
        upto = min(len(index), 50)
        hits = index.search(people.vectors[:upto], 1)
        assert [found[0].row for found in hits] == list(range(upto))


@needs_milvus
@pytest.mark.parametrize('kept', [0, 60, 500])
@pytest.mark.parametrize('writable', [True, False])
def test_killed_while_milvus_wrote_what_it_searches_by(folder, people, kept, writable):
    """Seen: 'No data left in file', by every process that came after."""
    with GalleryIndex.create(folder, MODEL, BACKENDS['milvus']) as index:
        fill(index, people, [10, 20])
    *_, last = sorted((folder / 'milvus.db').rglob('*.idx'))
    last.write_bytes(last.read_bytes()[:kept])
    with GalleryIndex.open(folder, MODEL, writable=writable) as index:
        index.verify()
        assert [found[0].row for found in index.search(people.vectors[:20], 1)] == [*range(20)]


@needs_milvus
def test_vectors_that_milvus_has_lost_are_no_such_thing(folder, people):
    with GalleryIndex.create(folder, MODEL, BACKENDS['milvus']) as index:
        fill(index, people, [10])
    (vectors,) = (folder / 'milvus.db').rglob('*.parquet')
    vectors.write_bytes(vectors.read_bytes()[:-100])
    with pytest.raises(UserError, match='Milvus'):
        GalleryIndex.open(folder, MODEL)


def fail_after(monkeypatch, name: str, calls: int) -> None:
    """Let a function of ``os`` say that the disk is full, after some calls."""
    genuine, seen = getattr(os, name), [0]

    def full(*args, **kwargs):
        seen[0] += 1
        if seen[0] > calls:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return genuine(*args, **kwargs)

    monkeypatch.setattr(os, name, full)


def fill_database(index: GalleryIndex) -> None:
    """Let SQLite say that the disk is full, when its file should grow."""
    index._database.read('PRAGMA max_page_count = 1')


def empty_disk(index: GalleryIndex) -> None:
    index._database.read('PRAGMA max_page_count = 1000000')


@pytest.mark.parametrize('where', ['vectors', 'database'])
def test_full_disk_while_committing(folder, people, monkeypatch, where):
    with GalleryIndex.create(folder, MODEL, IVF_PQ) as index:
        fill(index, people, [30])
        before = sorted(path.name for path in folder.iterdir())
        size = (folder / manifest_of(folder).vectors).stat().st_size
        index.add(people.vectors[30:], people.records[30:], 'next')
        with monkeypatch.context() as patch:
            if where == 'vectors':
                fail_after(patch, 'fsync', 0)
            else:
                fill_database(index)
            with pytest.raises(UserError, match=r'disk is full.*as it was at its last commit'):
                index.commit()
        empty_disk(index)
        if where == 'vectors':  # what was written of them is given back
            assert (folder / manifest_of(folder).vectors).stat().st_size == size
        assert sorted(path.name for path in folder.iterdir()) == before
        with GalleryIndex.open(folder, MODEL) as reader:
            assert len(reader) == 30
            reader.verify()
        # There is room again: nothing that was added is lost.
        index.commit()
    with GalleryIndex.open(folder, MODEL) as index:
        index.verify()
        assert same_records(index.records(), people.records)
        assert [hits[0].row for hits in index.search(people.vectors, 1)] == list(range(600))


@pytest.mark.parametrize('calls', range(2))
def test_full_disk_while_optimizing(folder, people, monkeypatch, calls):
    with GalleryIndex.create(folder, MODEL, IVF_PQ) as index:
        fill(index, people, [100, 200])
        with monkeypatch.context() as patch:
            fail_after(patch, 'fsync', calls)
            with pytest.raises(UserError, match='disk is full'):
                index.optimize()
        with GalleryIndex.open(folder, MODEL) as reader:
            assert len(reader) == 200
            reader.verify()
        assert index.search(people.vectors[[150]], 1)[0][0].row == 150
        index.optimize()
        assert index.search(people.vectors[[150]], 1)[0][0].row == 150


@pytest.mark.parametrize('calls', range(3))
def test_full_disk_while_deleting(folder, people, monkeypatch, calls):
    with GalleryIndex.create(folder, MODEL, IVF_PQ) as index:
        fill(index, people, [200])
        index.optimize()
        before = sorted(path.name for path in folder.iterdir())
        with monkeypatch.context() as patch:
            if calls < 2:
                fail_after(patch, 'fsync', calls)
            else:
                patch.setattr(Manifest, 'dump', say_that_it_is_full)  # when all else is done
            with pytest.raises(UserError, match='disk is full'):
                index.delete([7, 9])
        assert sorted(path.name for path in folder.iterdir()) == before
        with GalleryIndex.open(folder, MODEL) as reader:
            reader.verify()
            assert reader.rows().tolist() == list(range(200))
        assert index.delete([7, 9]) == 2
        assert len(index) == 198


def say_that_it_is_full(*_):
    raise sqlite3.OperationalError('database or disk is full')


def test_full_disk_inside_faiss(folder, people, monkeypatch):
    """FAISS calls back into Python to write; the disk's own error comes out."""

    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, 'No space left on device')

    write = faiss_structures._write_index
    monkeypatch.setattr(
        faiss_structures, '_write_index', lambda index, stream, flags: write(index, Full(), flags)
    )
    with GalleryIndex.create(folder, MODEL, IVF_PQ) as index:
        fill(index, people, [200])
        with pytest.raises(UserError, match='disk is full'):
            index.optimize()
        assert not list(folder.glob('structure-*'))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one mebibyte."""
    place = tmp_path / 'small'
    place.mkdir()
    command = ['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place]
    if os.geteuid() or shutil.which('mount') is None:
        pytest.skip('only root can mount a small file system')
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip('mounting is not allowed here')
    yield place
    subprocess.run(['umount', place], check=True)


@pytest.mark.parametrize('backend', ['flat-fp32', 'ivf_pq-int8'], indirect=True)
def test_really_full_disk(small_disk, people, backend):
    folder = small_disk / 'index'
    with GalleryIndex.create(folder, MODEL, backend) as index:
        for part in range(1000):
            committed = len(index)
            index.add(people.vectors, people.records, f'part {part}')
            try:
                index.commit()
            except UserError as error:
                message = str(error)
                break
        assert 'disk is full' in message
    assert committed
    with GalleryIndex.open(folder, MODEL) as index:
        assert len(index) == committed
        index.verify()
        assert index.search(people.vectors[[3]], 1)[0][0].similarity == pytest.approx(1, abs=0.01)


def test_on_a_disk_that_is_read_only(small_disk, people):
    folder = small_disk / 'index'
    with GalleryIndex.create(folder, MODEL, IVF_PQ) as index:
        fill(index, people, [200])
        index.optimize()
    remount = ['mount', '-o', 'remount,ro', small_disk]
    subprocess.run(remount, check=True)
    with GalleryIndex.open(folder, MODEL) as index:
        index.verify()
        assert index.search(people.vectors[[150]], 1)[0][0].row == 150
    with pytest.raises(UserError, match='cannot write into the index'):
        GalleryIndex.open(folder, writable=True)


@pytest.mark.parametrize('probe_only', [False, True])
@pytest.mark.parametrize('damage', ['missing', 'empty', 'short', 'longer', 'changed'])
def test_broken_files_name_themselves(folder, people, damage, probe_only, monkeypatch):
    with GalleryIndex.create(folder, MODEL, IVF_PQ) as index:
        fill(index, people, [300])
        index.optimize()
    names = {*manifest_of(folder).file_names, 'index.sqlite'}
    assert len(names) == 3
    if probe_only:
        monkeypatch.setattr(files, '_CHECKED_WHOLE', 0)
        monkeypatch.setattr(index_reader, '_CHECKED', 10)
    for name in names:
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        changed = bytearray(content)
        # In the database, a byte of the last person's record.
        last = content.rfind(struct.pack('>d', people.records[299].box[2]))
        changed[last + 7 if name == 'index.sqlite' else -3] ^= 64
        if damage != 'missing':
            (folder / name).write_bytes(
                {
                    'empty': b'',
                    'short': content[:-1],
                    'longer': content + b'\0',
                    'changed': bytes(changed),
                }[damage]
            )
        if damage == 'longer' and not name.startswith('structure'):
            # What a writer leaves who was killed, or nothing that SQLite reads.
            with GalleryIndex.open(folder, MODEL) as index:
                index.verify()
        else:
            with pytest.raises(DataError, match=f'(broken|no index).*{name}|{name} is broken'):
                GalleryIndex.open(folder, MODEL)
        (folder / name).write_bytes(content)
    GalleryIndex.open(folder, MODEL).close()


def test_faiss_reads_no_file_of_vectors(folder, people, monkeypatch):
    """It believes what a header says, so there is none, and lengths are checked before."""
    monkeypatch.delattr('faiss.read_index')
    with GalleryIndex.create(folder, MODEL, {'type': 'FaissBackend', 'storage': 'int8'}) as index:
        fill(index, people, [50])
    with GalleryIndex.open(folder, MODEL) as index:
        assert index.search(people.vectors[[7]], 1)[0][0].row == 7
    genuine = manifest_of(folder)
    for people_said in (51, 2**40):
        change_manifest(folder, people=people_said, next_row=people_said)
        with pytest.raises(DataError, match=f'{genuine.vectors} is broken'):
            GalleryIndex.open(folder, MODEL)


@pytest.mark.parametrize('kind', ['vectors', 'records', 'structure'])
def test_verify_reads_what_opening_does_not(folder, people, monkeypatch, kind):
    monkeypatch.setattr(index_reader, '_CHECKED', 10)
    monkeypatch.setattr(files, '_CHECKED_WHOLE', 0)
    monkeypatch.setattr(files, '_PROBE', 64)
    with GalleryIndex.create(folder, MODEL, IVF_PQ) as index:
        fill(index, people, [300])
        index.optimize()
    manifest = manifest_of(folder)
    path = (
        folder
        / {
            'vectors': manifest.vectors,
            'records': 'index.sqlite',
            'structure': manifest.structure.name,
        }[kind]
    )
    content = path.read_bytes()
    middle = content.find(struct.pack('>d', people.records[150].box[2])) + 6
    with open(path, 'r+b') as stream:
        stream.seek(middle if kind == 'records' else 1000)
        stream.write(b'?')
    with GalleryIndex.open(folder) as index, pytest.raises(DataError, match=path.name):
        index.verify()


def test_readers_go_on_while_a_writer_builds(folder, people):
    with GalleryIndex.create(folder, MODEL, IVF_PQ) as writer:
        fill(writer, people, [100, 200])
        with GalleryIndex.open(folder, MODEL) as reader:
            writer.add(people.vectors[200:], people.records[200:])
            writer.optimize()
            assert len(reader) == 200
            assert [hits[0].row for hits in reader.search(people.vectors[:200], 1)] == list(
                range(200)
            )
            assert same_records(reader.records(), people.records[:200])
            reader.refresh()
            assert len(reader) == 600
            assert reader.search(people.vectors[[550]], 1)[0][0].row == 550


def test_opening_while_a_writer_replaces_files(folder, people, monkeypatch):
    """The manifest is read again when its files are gone in the meantime."""
    with GalleryIndex.create(folder, MODEL) as writer:
        fill(writer, people, [100, 200])
        old = manifest_of(folder)
        writer.delete([0])
        genuine, answers = Database.manifest, [old, old, old]
        monkeypatch.setattr(
            Database, 'manifest', lambda self: answers.pop() if answers else genuine(self)
        )
        with GalleryIndex.open(folder, MODEL) as reader:
            assert len(reader) == 199
        assert not answers
