"""A small gallery behind the page: a video at the door, pictures in the yard."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import Sampling, SourceOptions, build_gallery, plan_units
from mmclsa.webui import GalleryService, Limits
from mmclsa.webui.app import build_app
from tests.fakes.footage import scene, write, write_scenes, write_video
from tests.test_gallery.fakes import FakeEmbedder
from tests.test_inference.conftest import checkpoints, exported

__all__ = ['checkpoints', 'exported']


@pytest.fixture(scope='session')
def index_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('gallery')
    write_video(folder / 'footage' / 'Tür.avi', 30)
    write_scenes(folder / 'yard', 6)
    embedder = FakeEmbedder()
    with GalleryIndex.create(folder / 'index', embedder.fingerprint) as index:
        for source, camera in (('footage', 'door'), ('yard', 'yard')):
            options = SourceOptions(Sampling(every=5), camera)
            plan = plan_units([folder / source], options.sampling)
            build_gallery(index, embedder, plan, options, batch_size=4)
    return folder / 'index'


@pytest.fixture
def service(index_dir):
    """What page and REST interface do: files of at most 1 MB and a million pixels are taken."""
    embedder = FakeEmbedder()
    with GalleryIndex.open(index_dir, embedder.fingerprint) as index:
        yield GalleryService(index, embedder, Limits(max_upload_mb=1, max_pixels=1_000_000))


@pytest.fixture
def client(service):
    """A program on this machine that calls the REST interface."""
    with TestClient(build_app(service), base_url='http://localhost') as client:
        yield client


@pytest.fixture
def query(tmp_path) -> Path:
    """Scene 1: a file with several people, one of them in the first quarter."""
    return write(tmp_path / 'wer da? ü.png', scene(1))
