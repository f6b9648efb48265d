"""People with embeddings, and every backend to keep them in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_gallery.people import BACKENDS, MODEL, People, make_people, needs_milvus


@pytest.fixture(scope='session')
def people() -> People:
    return make_people(600)


@pytest.fixture(
    params=[pytest.param(name, marks=[needs_milvus] * (name == 'milvus')) for name in BACKENDS]
)
def backend(request) -> dict:
    return dict(BACKENDS[request.param])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / 'index of größe'


@pytest.fixture
def model():
    return MODEL
