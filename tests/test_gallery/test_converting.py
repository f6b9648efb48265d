"""An index of mmclsa 0.1, written by its code, in today's form."""

from __future__ import annotations

import importlib.util
import json
import shutil

import numpy as np
import pytest

from mmclsa.errors import DataError
from mmclsa.gallery import GalleryIndex
from tests.helpers import REPO, run_python
from tests.test_gallery.people import MODEL, make_people, same_records

TOOL = 'tools/misc/convert_gallery.py'
DATA = REPO / 'tests' / 'data' / 'gallery_v1'
needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec('pyarrow') is None, reason='PyArrow is not installed'
)


@needs_pyarrow
@pytest.mark.parametrize(('kind', 'error'), [('hnsw-fp32', 1e-6), ('flat-int8', 0.02)])
def test_converted(tmp_path, kind, error):
    """The 12 people of make_people(12) in two commits, and a unit in which nobody was."""
    people = make_people(12)
    shutil.copytree(DATA / kind, tmp_path / 'old')
    (tmp_path / 'old' / 'build.json').write_text('{}')
    result = run_python(TOOL, tmp_path / 'old', tmp_path / 'new')
    assert result.returncode == 0, result.stderr
    assert '12 people' in result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ['new', 'old']
    with GalleryIndex.open(tmp_path / 'new', MODEL, writable=True) as index:
        index.verify()
        assert same_records(index.records(), people.records)
        assert np.abs(index.embeddings(range(12)) - people.vectors).max() < error
        assert index.shards() == {'part 0', 'part 5', 'nobody'}
        assert [hits[0].row for hits in index.search(people.vectors, 1)] == list(range(12))
        kept = json.loads((DATA / kind / 'manifest.json').read_text())['backend']
        assert index._manifest.backend == kept
    assert (tmp_path / 'new' / 'build.json').read_text() == '{}'


def test_an_old_index_says_what_to_do():
    with pytest.raises(DataError, match=r'older mmclsa.*convert_gallery'):
        GalleryIndex.open(DATA / 'flat-int8')


@pytest.mark.parametrize('damage', ['manifest', 'version', 'vectors', 'records', 'there'])
def test_what_cannot_be_converted(tmp_path, run_tool_to_its_error, damage):
    old, new = tmp_path / 'old', tmp_path / 'new'
    shutil.copytree(DATA / 'flat-int8', old)
    name, content = {
        'manifest': ('manifest.json', '[]'),
        'version': ('manifest.json', '{"format": "mmclsa-gallery", "version": 2}'),
        'vectors': ('vectors-000002.faiss', 'short'),
        'records': ('records-000001.parquet', 'no Parquet'),
        'there': ('manifest.json', (old / 'manifest.json').read_text()),
    }[damage]
    (old / name).write_text(content)
    if damage == 'there':
        new.mkdir()
    if damage in ('vectors', 'records') and importlib.util.find_spec('pyarrow') is None:
        pytest.skip('PyArrow is not installed')
    sentence = run_tool_to_its_error(TOOL, old, new)
    assert (name if damage != 'there' else 'must be new') in sentence
    assert damage == 'there' or not new.exists()
