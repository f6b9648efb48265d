"""From a backend's config to the backend, with and without MMEngine's registry."""

from __future__ import annotations

import pytest

from mmclsa.errors import ConfigError
from mmclsa.gallery import GalleryIndex, ModelFingerprint
from mmclsa.gallery.backends import FaissBackend
from mmclsa.gallery.backends.factory import BACKENDS, build_backend
from mmclsa.registry import INDEXES
from tests.helpers import run_python
from tests.test_gallery.stored import manifest_of


def test_the_registry_has_the_backends_of_mmclsa():
    for name, backend in BACKENDS.items():
        assert INDEXES.get(name) is backend
    assert type(INDEXES.build(dict(type='FaissBackend', kind='flat'))) is FaissBackend


def test_a_backend_of_somebody_else():
    @INDEXES.register_module()
    class OwnBackend(FaissBackend):
        pass

    try:
        for name in ('OwnBackend', 'mmclsa.OwnBackend'):
            assert type(build_backend(dict(type=name, kind='flat'))) is OwnBackend
    finally:
        INDEXES.module_dict.pop('OwnBackend')


@pytest.mark.parametrize(
    ('config', 'words'),
    [
        (dict(type='os.system'), r"one of FaissBackend, MilvusBackend, but is 'os.system'"),
        (dict(type='mmclsa.gallery.GalleryIndex'), 'one of FaissBackend'),
        (dict(type=FaissBackend), 'one of FaissBackend'),
        (dict(kind='flat'), 'but is None'),
        (dict(type='FaissBackend', color='red'), "no such option.*'color'"),
    ],
)
def test_what_is_no_backend(config, words):
    with pytest.raises(ConfigError, match=words):
        build_backend(config)


def test_options_alone_are_of_the_default_backend(tmp_path):
    """*seen*: ``--index kind=hnsw`` was of no backend."""
    model = ModelFingerprint('a' * 64, 'b' * 64, 3)
    GalleryIndex.create(tmp_path / 'index', model, dict(kind='hnsw')).close()
    assert manifest_of(tmp_path / 'index').backend == dict(type='FaissBackend', kind='hnsw')


def test_search_without_a_framework(tmp_path):
    """An index is made, filled, closed, opened and searched without PyTorch and MMEngine."""
    code = f"""
import sys
import numpy as np
from mmclsa.gallery import GalleryIndex, GalleryRecord, ModelFingerprint

model = ModelFingerprint('a' * 64, 'b' * 64, 3)
records = [GalleryRecord('a.mp4', n, float(n), (0, 0, 4, 9), 0.5) for n in range(3)]
with GalleryIndex.create({str(tmp_path / 'index')!r}, model) as index:
    index.add(np.eye(3), records, shard='a')
    index.commit()
with GalleryIndex.open({str(tmp_path / 'index')!r}, model) as index:
    print([hit.row for hit in index.search(np.eye(3)[:1], 1)[0]])
print(sorted({{'torch', 'mmengine', 'mmcv', 'mmdet'}} & set(sys.modules)))
"""
    result = run_python('-c', code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split('\n')[:2] == ['[0]', '[]']
