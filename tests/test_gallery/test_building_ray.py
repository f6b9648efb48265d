"""A build on a Ray cluster of two workers, one of which is lost."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

from mmclsa.errors import ConfigError, UserError
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import (
    InProcess,
    RayActors,
    build_gallery,
    fill_index,
    plan_units,
)
from tests.fakes.footage import write_scenes
from tests.helpers import REPO
from tests.test_gallery.fakes import FakeEmbedder
from tests.test_gallery.test_building_builder import content


@pytest.mark.parametrize('count', [0, -2])
def test_no_worker_is_none(count):
    with pytest.raises(ConfigError, match=f'models on Ray must be at least 1, not {count}'):
        RayActors(lambda: None, num_actors=count)


class Mortal(FakeEmbedder):
    """The first process that gets to its third batch is killed, as by a lost machine."""

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self.mark = mark

    def find_people(self, batch: list[dict]) -> list:
        if len(self.batches) == 2:
            try:
                os.close(os.open(self.mark, os.O_CREAT | os.O_EXCL))
                os.kill(os.getpid(), signal.SIGKILL)
            except FileExistsError:
                pass
        return super().find_people(batch)


def mortal_worker(mark: Path) -> InProcess:
    return InProcess(Mortal(mark), batch_size=2)


def test_without_ray_it_is_said_at_once(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray.data', None)
    with pytest.raises(UserError, match='ray'):
        RayActors(partial(mortal_worker, Path('mark')))


@pytest.mark.timeout(500)
@pytest.mark.skipif(find_spec('ray') is None, reason='Ray is not installed')
def test_ray_survives_a_lost_worker(tmp_path, monkeypatch):
    import ray

    monkeypatch.setenv('PYTHONPATH', str(REPO))
    monkeypatch.setenv('RAY_USAGE_STATS_ENABLED', '0')
    monkeypatch.setenv('RAY_worker_niceness', '0')  # else workers starve beside other tests
    monkeypatch.setattr('mmclsa.gallery.building.ray_actors._PICTURES_OF_A_BUNDLE', 4)
    write_scenes(tmp_path / 'stills', 24)
    (tmp_path / 'stills' / 'broken.png').write_bytes(b'')
    mark, plan = tmp_path / 'mark', plan_units([tmp_path / 'stills'])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        with GalleryIndex.create(tmp_path / 'index', FakeEmbedder().fingerprint) as index:
            actors = RayActors(partial(mortal_worker, mark), num_actors=2)
            report = fill_index(index, actors, plan)
    finally:
        ray.shutdown()
    assert mark.exists()  # somebody was killed
    assert report.pictures == 24
    assert len(report.skipped) == 1
    with GalleryIndex.create(tmp_path / 'whole', FakeEmbedder().fingerprint) as index:
        build_gallery(index, FakeEmbedder(), plan)
    assert content(tmp_path / 'index') == content(tmp_path / 'whole')
