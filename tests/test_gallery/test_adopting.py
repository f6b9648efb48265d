"""An index of a stranger: nothing of it is read but what is checked."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery import GalleryIndex, record_store
from mmclsa.gallery.adopting import adopt_index
from tests.test_gallery.people import BACKENDS, MODEL, fill


@pytest.mark.parametrize('backend', ['hnsw-fp16', 'ivf_pq-int8', 'flat-fp32'])
def test_structures_and_columns_are_built_anew(folder, people, backend, monkeypatch):
    monkeypatch.setattr(record_store, '_MAPPED_FROM', 100)
    with GalleryIndex.create(folder, MODEL, BACKENDS[backend]) as index:
        fill(index, people, [300])
        index.optimize()
        expected = index.search(people.vectors[:9], 5)
        derived = {e.name for e in index._manifest.all_files() if e.name[0] in 'sc'}
    assert len(derived) == (1 if backend == 'flat-fp32' else 2)
    for name in derived:  # whatever is in them is not looked at
        (folder / name).unlink()
        (folder / name).write_bytes(b'evil')
    assert adopt_index(folder) == len(derived)
    with GalleryIndex.open(folder, MODEL) as index:
        names = {entry.name for entry in index._manifest.all_files()}
        assert len(names & derived) == 0
        assert len(names) == len(list(folder.glob('*-*.*'))) + (folder / 'rotation.faiss').exists()
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
    content = json.loads((folder / 'manifest.json').read_text())
    content['backend'] = {'type': 'MilvusBackend', 'uri': 'http://127.0.0.1:1'}
    (folder / 'manifest.json').write_text(json.dumps(content))
    with pytest.raises(ConfigError, match='is one of MilvusBackend'):
        adopt_index(folder)


def test_no_index(tmp_path, run_tool_to_its_error):
    with pytest.raises(DataError, match='There is no index'):
        adopt_index(tmp_path)
    assert 'There is no index' in run_tool_to_its_error('tools/misc/adopt_index.py', tmp_path)
