"""People with embeddings, and every backend to keep them in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_gallery.people import BACKENDS, MODEL, People, make_people


@pytest.fixture(scope='session')
def people() -> People:
    return make_people(600)


@pytest.fixture(params=list(BACKENDS))
def backend(request) -> dict:
    return dict(BACKENDS[request.param])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / 'index of größe'


@pytest.fixture
def model():
    return MODEL
