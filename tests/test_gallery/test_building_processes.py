"""Several processes end in the index that one makes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmclsa.gallery.building import SourceOptions, Unit, split_units
from tests.fakes.footage import write_scenes, write_video
from tests.helpers import REPO
from tests.test_gallery.test_building_builder import build, content

WORKER = """
import os
import signal
import sys
from contextlib import contextmanager
import torch
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import (
    InProcess, SourceOptions, build_in_ranks, plan_in_ranks, plan_units, sink, units)
from mmclsa.utils import run_tool
from tests.test_gallery.fakes import FakeEmbedder

units.FRAMES_PER_UNIT = 10
# What one process has spooled when it dies, the first has not yet taken.
patient = 'MORTAL' in os.environ and os.environ['RANK'] == '0'
sink.COMMIT_SECONDS = 600.0 if patient else 0.0


def say(*words):
    # In one write: print writes each word by itself, and another process between them.
    os.write(1, f'{" ".join(map(str, words))}\\n'.encode())


class Mortal(FakeEmbedder):
    def find_people(self, batch):
        if len(self.batches) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().find_people(batch)


@contextmanager
def progress(total):
    advanced = []
    yield advanced.append
    say('progress', total, sum(advanced))


def main():
    with plan_in_ranks(lambda: plan_units(sys.argv[2:])) as plan:
        say('model')
        embedder = Mortal() if os.environ['RANK'] == os.environ.get('MORTAL') else FakeEmbedder()
        own = InProcess(embedder, SourceOptions(camera='door'))
        done = build_in_ranks(
            lambda: GalleryIndex.create(sys.argv[1], embedder.fingerprint),
            lambda: plan, own, sys.argv[1],
            progress=progress)
    assert not torch.distributed.is_initialized()
    if done is not None:
        report, _ = done
        say('report', report.pictures, report.people, len(report.skipped))
    say('share', sum(embedder.batches))


run_tool(main)
"""


@pytest.fixture
def footage(tmp_path) -> list[Path]:
    write_scenes(tmp_path / 'footage' / 'stills', 20)
    (tmp_path / 'footage' / 'stills' / '0020.png').write_bytes(b'')
    video = write_video(tmp_path / 'footage' / 'v.avi', 60)
    return [tmp_path / 'footage' / 'stills', video]


def launch(tmp_path: Path, *args: object, **env: str) -> subprocess.CompletedProcess:
    script = tmp_path / 'worker.py'
    script.write_text(WORKER)
    command = ['torch.distributed.run', '--standalone', '--nproc_per_node', '2', script, *args]
    return subprocess.run(
        [sys.executable, '-m', *map(str, command)],
        cwd=REPO,
        env={**os.environ, 'PYTHONPATH': str(REPO), 'OMP_NUM_THREADS': '1', **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


class TestProcesses:
    def test_two_make_the_index_of_one(self, tmp_path, footage, monkeypatch):
        monkeypatch.setattr('mmclsa.gallery.building.units.FRAMES_PER_UNIT', 10)
        result = launch(tmp_path, tmp_path / 'index', *footage)
        assert result.returncode == 0, result.stderr[-3000:]
        report, _ = build(tmp_path / 'whole', *footage, options=SourceOptions(camera='door'))
        assert content(tmp_path / 'index') == content(tmp_path / 'whole')
        assert f'report 80 {report.people} 1\n' in result.stdout
        assert result.stdout.count('model\n') == 2
        assert 'progress 81 80\n' in result.stdout  # the others' pictures too
        shares = [int(line.split()[1]) for line in result.stdout.splitlines() if 'share' in line]
        assert sum(shares) == 80
        assert min(shares) >= 30
        assert not (tmp_path / 'index' / 'spool').exists()

    def test_one_process_is_killed_and_the_build_run_again(self, tmp_path, footage, monkeypatch):
        monkeypatch.setattr('mmclsa.gallery.building.units.FRAMES_PER_UNIT', 10)
        options, index = SourceOptions(camera='door'), tmp_path / 'index'
        assert launch(tmp_path, index, *footage, MORTAL='1').returncode != 0
        assert list((index / 'spool').glob('*.npz'))
        report, _ = build(index, *footage, options=options)
        assert 0 < report.known < 26
        build(tmp_path / 'whole', *footage, options=options)
        assert content(index) == content(tmp_path / 'whole')
        assert not (index / 'spool').exists()

    def test_first_cannot_begin(self, tmp_path):
        result = launch(tmp_path, tmp_path / 'index', tmp_path / 'none')
        assert result.returncode != 0
        lines = [line for line in result.stderr.splitlines() if line.startswith('error: ')]
        assert lines
        assert all('none does not exist' in line for line in lines)
        assert 'model' not in result.stdout  # *Seen*: it was told after models were loaded

    @pytest.mark.parametrize('world_size', [1, 2, 3, 7])
    def test_shares_are_all_units_once(self, world_size):
        units = [Unit(str(n), num_frames=n % 5) for n in range(23)]
        shares = split_units(units, world_size)
        assert [unit for share in shares for unit in share] == units
        pictures = [sum(unit.num_frames for unit in share) for share in shares]
        assert max(pictures) - min(pictures) <= 8

    def test_more_processes_than_units(self):
        assert [len(share) for share in split_units([Unit('a')], 3)] in (
            [1, 0, 0],
            [0, 1, 0],
            [0, 0, 1],
        )
