"""An index of a stranger: nothing of it is read but what is checked."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import faiss
import numpy as np
import pytest

from mmclsa.errors import ConfigError, DataError, UserError
from mmclsa.gallery import GalleryIndex, adopting
from mmclsa.gallery.adopting import adopt_index
from mmclsa.gallery.files import describe_file
from tests.test_gallery.people import BACKENDS, MODEL, fill
from tests.test_gallery.stored import change_manifest, manifest_of


@pytest.mark.parametrize('backend', ['hnsw-fp16', 'ivf_pq-int8', 'flat-fp32'])
def test_structures_are_built_anew(folder, people, backend):
    with GalleryIndex.create(folder, MODEL, BACKENDS[backend]) as index:
        fill(index, people, [300])
        index.optimize()
        expected = index.search(people.vectors[:9], 5)
    derived = {path.name for path in folder.glob('structure-*')}
    assert len(derived) == (0 if backend == 'flat-fp32' else 1)
    for name in derived:  # whatever is in them is not looked at
        (folder / name).unlink()
        (folder / name).write_bytes(b'evil')
    assert adopt_index(folder) == len(derived)
    with GalleryIndex.open(folder, MODEL) as index:
        names = manifest_of(folder).file_names
        assert len(names & derived) == 0
        assert len(names) == len(list(folder.glob('*-*.*')))
        index.verify()
        found = index.search(people.vectors[:9], 5)
        assert [[hit.row for hit in hits] for hits in found] == [
            [hit.row for hit in hits] for hits in expected
        ]
        assert np.allclose(
            [[hit.similarity for hit in hits] for hits in found],
            [[hit.similarity for hit in hits] for hits in expected],
            atol=1e-6,
        )


def test_milvus_is_refused(folder, people):
    """A stranger's manifest would send the queries to the stranger's server."""
    with GalleryIndex.create(folder, MODEL) as index:
        fill(index, people, [10])
    change_manifest(folder, backend={'type': 'MilvusBackend', 'uri': 'http://127.0.0.1:1'})
    with pytest.raises(ConfigError, match='is one of MilvusBackend'):
        adopt_index(folder)


def test_a_structure_of_another_name(folder, people, monkeypatch):
    """FAISS never reads it."""
    with GalleryIndex.create(folder, MODEL, BACKENDS['hnsw-fp16']) as index:
        fill(index, people, [300])
        index.optimize()
    (structure,) = folder.glob('structure-*')
    evil = structure.rename(folder / 'vectors-9.bin')
    change_manifest(folder, structure=asdict(describe_file(evil)))
    read = []
    genuine = faiss.read_index
    monkeypatch.setattr(faiss, 'read_index', lambda *args: [read.append(args), genuine(*args)][1])
    assert adopt_index(folder) == 1
    assert [Path(path).name for path, *_ in read] == [manifest_of(folder).structure.name]
    assert not evil.exists()


def test_what_another_writer_commits_meanwhile_stays(folder, people, monkeypatch):
    """*seen*: what was read before the lock was taken was written over it."""
    with GalleryIndex.create(folder, MODEL, BACKENDS['hnsw-fp16']) as index:
        fill(index, people, [300])
        index.optimize()
    other = GalleryIndex.open(folder, writable=True)
    genuine = adopting.WriterLock

    def wait_for_the_other(path):
        fill(other, people, [310], 300)
        other.close()
        return genuine(path)

    monkeypatch.setattr(adopting, 'WriterLock', wait_for_the_other)
    assert adopt_index(folder) == 1
    with GalleryIndex.open(folder) as index:
        assert len(index) == 310
        index.verify()


def test_a_commit_that_goes_on_is_not_called_interrupted(folder, people):
    """Its journal must stay."""
    with GalleryIndex.create(folder, MODEL) as index:
        fill(index, people, [10])
        (folder / 'index.sqlite-journal').touch()
        with pytest.raises(UserError, match='is being written by another process'):
            adopt_index(folder)


@pytest.mark.parametrize('suffix', ['journal', 'wal'])
def test_a_journal_is_refused(folder, people, suffix):
    """It would be carried out, and may name files to delete."""
    with GalleryIndex.create(folder, MODEL) as index:
        fill(index, people, [10])
    journal = folder / f'index.sqlite-{suffix}'
    journal.write_bytes(b'evil')
    with pytest.raises(DataError, match='interrupted commit'):
        adopt_index(folder)
    assert journal.read_bytes() == b'evil'


@pytest.mark.parametrize('name', ['vectors-0.bin', 'index.sqlite', 'lock'])
def test_a_link_is_refused(folder, people, tmp_path, name):
    """Whoever adds to the index would write to where it leads."""
    with GalleryIndex.create(folder, MODEL) as index:
        fill(index, people, [10])
    moved = (folder / name).rename(tmp_path / 'elsewhere')
    (folder / name).symlink_to(moved)
    before = moved.read_bytes()
    with pytest.raises(DataError, match=f'{name} is a link'):
        adopt_index(folder)
    assert moved.read_bytes() == before


def test_vectors_that_are_not_those_of_the_records(folder, people):
    with GalleryIndex.create(folder, MODEL) as index:
        fill(index, people, [10])
    path = folder / manifest_of(folder).vectors
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(DataError, match='not what was written'):
        adopt_index(folder)


def test_no_index(tmp_path, run_tool_to_its_error):
    with pytest.raises(DataError, match='there is no index'):
        adopt_index(tmp_path)
    assert not list(tmp_path.iterdir())
    assert 'there is no index' in run_tool_to_its_error('tools/misc/adopt_index.py', tmp_path)
