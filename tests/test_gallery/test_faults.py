"""What kills, full disks, broken files and other processes do to an index: nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import pytest

from mmclsa.errors import DataError, UserError
from mmclsa.gallery import GalleryIndex, files, table_to_records
from mmclsa.gallery.backends import faiss_structures
from mmclsa.gallery.manifest import Manifest
from tests.helpers import REPO, run_python
from tests.test_gallery.people import BACKENDS, MODEL, fill, needs_milvus, same_records

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

people = make_people(2000)
with GalleryIndex.create(sys.argv[1], MODEL, BACKENDS[sys.argv[2]]) as index:
    for part in range(200):
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


def fail_after(monkeypatch, name: str, calls: int) -> None:
    """Let a function of ``os`` say that the disk is full, after some calls."""
    genuine, seen = getattr(os, name), [0]

    def full(*args, **kwargs):
        seen[0] += 1
        if seen[0] > calls:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return genuine(*args, **kwargs)

    monkeypatch.setattr(os, name, full)


@pytest.mark.parametrize(('name', 'calls'), [('fsync', 0), ('fsync', 1), ('fsync', 2), ('fsync', 3),
                                             ('replace', 0)])  # fmt: skip
def test_full_disk_while_committing(folder, people, monkeypatch, name, calls):
    with GalleryIndex.create(folder, MODEL, IVF_PQ) as index:
        fill(index, people, [30])
        before = sorted(path.name for path in folder.iterdir())
        index.add(people.vectors[30:50], people.records[30:50], 'next')
        with monkeypatch.context() as patch:
            fail_after(patch, name, calls)
            with pytest.raises(UserError, match=r'disk is full.*as it was at its last commit'):
                index.commit()
        assert sorted(path.name for path in folder.iterdir()) == before
        with GalleryIndex.open(folder, MODEL) as reader:
            assert len(reader) == 30
            reader.verify()
        # There is room again: nothing that was added is lost.
        index.commit()
    with GalleryIndex.open(folder, MODEL) as index:
        assert same_records(table_to_records(index.records()), people.records[:50])
        assert [hits[0].row for hits in index.search(people.vectors[:50], 1)] == list(range(50))


@pytest.mark.parametrize('calls', range(6))
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
        kept = Manifest.read(folder).rows
    assert committed
    # The commit itself may have come through, and only the joining not.
    assert kept in (committed, committed + len(people.records))
    with GalleryIndex.open(folder, MODEL) as index:
        assert len(index) == kept
        index.verify()
        assert index.search(people.vectors[[3]], 1)[0][0].similarity == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize('probe_only', [False, True])
@pytest.mark.parametrize('damage', ['missing', 'empty', 'short', 'longer', 'changed'])
def test_broken_files_name_themselves(folder, people, damage, probe_only, monkeypatch):
    with GalleryIndex.create(folder, MODEL, IVF_PQ) as index:
        fill(index, people, [300])
        index.optimize()
        names = [entry.name for entry in index._manifest.all_files()]
    assert len(names) == 4
    if probe_only:
        monkeypatch.setattr(files, '_CHECKED_WHOLE', 0)
    for name in names:
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        changed = bytearray(content)
        changed[-3] ^= 64
        if damage != 'missing':
            (folder / name).write_bytes(
                {
                    'empty': b'',
                    'short': content[:-1],
                    'longer': content + b'\0',
                    'changed': bytes(changed),
                }[damage]
            )
        with pytest.raises(DataError, match=f'broken.*{name}|{name} is broken'):
            GalleryIndex.open(folder, MODEL)
        (folder / name).write_bytes(content)
    GalleryIndex.open(folder, MODEL).close()


@pytest.mark.parametrize('at', [4, 8, 40, -1])
@pytest.mark.parametrize('role', ['vectors', 'rotation'])
def test_faiss_reads_no_header_that_it_did_not_write(folder, people, role, at, monkeypatch):
    """It believes what a header says; who sends an index also writes its digests."""
    with GalleryIndex.create(folder, MODEL, {'type': 'FaissBackend', 'storage': 'int8'}) as index:
        fill(index, people, [50])
    manifest = json.loads((folder / 'manifest.json').read_text())
    entries = manifest['segments'][0]['files'] if role == 'vectors' else manifest['files']
    path = folder / entries[role]['name']
    content = bytearray(path.read_bytes())
    if at == 40 and role == 'rotation':
        at = len(content) - 6  # a dimension
    content = content + b'\0' if at < 0 else content
    content[at] ^= 1
    path.unlink()
    path.write_bytes(content)
    entries[role] = asdict(files.describe_file(path))
    (folder / 'manifest.json').write_text(json.dumps(manifest))
    monkeypatch.delattr('faiss.read_index')
    if role == 'rotation':
        monkeypatch.delattr('faiss.read_VectorTransform')
    with pytest.raises(DataError, match=f'{path.name} is broken'):
        GalleryIndex.open(folder, MODEL)


def test_verify_reads_what_opening_does_not(folder, people, monkeypatch):
    monkeypatch.setattr(files, '_CHECKED_WHOLE', 0)
    monkeypatch.setattr(files, '_PROBE', 64)
    with GalleryIndex.create(folder, MODEL) as index:
        fill(index, people, [300])
        path = folder / index._manifest.segments[0].files['vectors'].name
    with open(path, 'r+b') as stream:
        stream.seek(1000)
        stream.write(b'???')
    with GalleryIndex.open(folder) as index, pytest.raises(DataError, match=path.name):
        index.verify()


def test_readers_go_on_while_a_writer_joins(folder, people):
    with GalleryIndex.create(folder, MODEL, IVF_PQ) as writer:
        fill(writer, people, [100, 200])
        with GalleryIndex.open(folder, MODEL) as reader:
            writer.add(people.vectors[200:], people.records[200:])
            writer.optimize()
            assert len(reader) == 200
            assert [hits[0].row for hits in reader.search(people.vectors[:200], 1)] == list(
                range(200)
            )
            assert same_records(table_to_records(reader.records()), people.records[:200])


def test_opening_while_a_writer_joins(folder, people, monkeypatch):
    """The manifest is read again when its files are gone in the meantime."""
    with GalleryIndex.create(folder, MODEL) as writer:
        fill(writer, people, [100, 200])
        old = Manifest.read(folder)
        writer.optimize()
        genuine, answers = Manifest.read.__func__, [old, old]
        monkeypatch.setattr(
            Manifest,
            'read',
            classmethod(lambda cls, path: answers.pop() if answers else genuine(cls, path)),
        )
        with GalleryIndex.open(folder, MODEL) as reader:
            assert len(reader) == 200
        assert not answers
