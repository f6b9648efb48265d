"""Decoding ahead, batches, units."""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pytest

from mmclsa.errors import ConfigError
from mmclsa.gallery.building import (
    InProcess,
    Plan,
    Sampling,
    SourceOptions,
    plan_units,
    run_ahead,
)
from tests.fakes.footage import scene, write, write_scenes, write_video
from tests.helpers import wait_until
from tests.test_gallery.fakes import FakeEmbedder

DETECTIONS = SourceOptions(unit='detection')


class TestRunAhead:
    def test_order_is_kept(self):
        def call(n):
            time.sleep(0.01 * (n % 3))
            return n

        calls = (lambda n=n: call(n) for n in range(30))
        assert list(run_ahead(calls, threads=4, ahead=5)) == list(range(30))

    def test_runs_ahead_but_not_without_bound(self):
        started = []
        calls = (lambda n=n: started.append(n) for n in range(100))
        results = run_ahead(calls, threads=1, ahead=4)
        next(results)
        wait_until(lambda: len(started) >= 3)
        time.sleep(0.3)
        assert len(started) <= 8
        results.close()

    @pytest.mark.parametrize(('max_bytes', 'most'), [(1000, 10), (1, 6)])
    def test_heavy_results_are_fewer(self, max_bytes, most):
        started = []

        def call(n):
            started.append(n)
            return n

        calls = (lambda n=n: call(n) for n in range(100))
        results = run_ahead(calls, 2, 16, lambda _: 200, max_bytes)
        first = [next(results) for _ in range(30)]
        wait_until(lambda: len(started) > 30)
        time.sleep(0.3)
        # Of the first, more may have been made before one was weighed.
        assert len(started) <= 30 + most
        assert [*first, *results] == list(range(100))

    def test_errors_come_at_their_place(self):
        def calls():
            yield lambda: 1
            yield lambda: 1 // 0
            yield lambda: 3

        results = run_ahead(calls())
        assert next(results) == 1
        with pytest.raises(ZeroDivisionError):
            next(results)

        def broken():
            yield lambda: 1
            raise KeyError('feeder')

        results = run_ahead(broken())
        assert next(results) == 1
        with pytest.raises(KeyError, match='feeder'):
            next(results)

    def test_an_abandoned_run_leaves_no_thread(self):
        before = set(threading.enumerate())  # those of former tests may end meanwhile
        results = run_ahead((lambda n=n: n for n in itertools.count()), ahead=3)
        assert [next(results) for _ in range(5)] == list(range(5))
        results.close()
        assert set(threading.enumerate()) <= before


def people_of(results):
    return [
        (result.unit.source, int(frame), *box.tolist())
        for result in results
        for frame, box in zip(result.frames, result.boxes)
    ]


def process_units(units, embedder, options, **kwargs):
    return InProcess(embedder, options, **kwargs).results(Plan(units))


class TestInProcess:
    def test_batch_size_does_not_change_what_is_found(self, tmp_path):
        write_scenes(tmp_path, 7)
        write_video(tmp_path / 'v.avi', 20)
        units = plan_units([tmp_path]).units
        one, many = FakeEmbedder(), FakeEmbedder()
        first = list(process_units(units, one, DETECTIONS, batch_size=1))
        second = list(process_units(units, many, DETECTIONS, batch_size=6))
        assert [result.unit for result in second] == units
        assert people_of(first) == people_of(second)
        assert len(people_of(first)) >= 27
        assert max(many.batches) == 6
        assert sum(many.batches) == 27

    def test_only_one_shape_in_a_batch(self, tmp_path):
        for number, size in enumerate([(64, 96), (64, 96), (96, 64), (64, 96)]):
            write(tmp_path / f'{number}.png', scene(number, size))
        embedder = FakeEmbedder()
        list(process_units(plan_units([tmp_path]).units, embedder, DETECTIONS, batch_size=8))
        assert embedder.batches == [2, 1, 1]

    def test_sampling_and_times(self, tmp_path):
        video = write_video(tmp_path / 'v.avi', 20, fps=10)
        options = SourceOptions(Sampling(every=4), start_time=100.0, unit='detection')
        (result,) = process_units(plan_units([video]).units, FakeEmbedder(), options)
        assert sorted(set(result.frames)) == [0, 4, 8, 12, 16]
        assert np.allclose(result.times, 100 + result.frames / 10)

    def test_units_of_a_video_give_what_the_whole_gives(self, tmp_path, monkeypatch):
        video = write_video(tmp_path / 'v.avi', 23)
        whole = process_units(plan_units([video]).units, FakeEmbedder(), DETECTIONS)
        monkeypatch.setattr('mmclsa.gallery.building.units.FRAMES_PER_UNIT', 7)
        units = plan_units([video]).units
        parts = list(process_units(units, FakeEmbedder(), DETECTIONS))
        assert len(parts) == 4
        expected = people_of(whole)
        assert people_of(parts) == expected
        # A unit on its own, as after a kill, and units that come in another order.
        alone = list(process_units(units[2:3], FakeEmbedder(), DETECTIONS))
        assert people_of(alone) == people_of(parts[2:3])
        back = list(process_units(units[::-1], FakeEmbedder(), DETECTIONS))
        assert people_of(back[::-1]) == expected

    def test_what_cannot_be_read_is_told_and_left_undone(self, tmp_path):
        paths = write_scenes(tmp_path, 4)
        units = plan_units([tmp_path]).units
        paths[1].write_bytes(b'')
        paths[2].unlink()
        results = list(process_units(units, FakeEmbedder(), DETECTIONS))
        assert [result.done for result in results] == [True, False, False, True]
        assert 'empty or broken' in results[1].problem
        assert 'No such file' in results[2].problem

    def test_video_that_breaks_off(self, tmp_path, monkeypatch):
        monkeypatch.setattr('mmclsa.gallery.building.units.FRAMES_PER_UNIT', 30)
        video = write_video(tmp_path / 'v.avi', 120)
        units = plan_units([video]).units
        data = video.read_bytes()
        video.write_bytes(data[: len(data) // 2])
        # The announced length comes from the plan's time, as after a fault of the disk.
        monkeypatch.setattr(
            'mmclsa.media.VideoReader.broke_off',
            property(lambda stream: stream.position < 110),
        )
        results = list(process_units(units, FakeEmbedder(), DETECTIONS))
        assert results[0].done is True
        assert results[-1].done is False
        assert any('breaks off' in result.problem for result in results)
        assert sum(result.num_pictures for result in results) > 30

    def test_large_pictures_do_not_pile_up(self, tmp_path, monkeypatch):
        monkeypatch.setattr('mmclsa.gallery.building.pipeline._MAX_AHEAD', 100_000)
        prepared = []

        class Counting(FakeEmbedder):
            def prepare(self, picture):
                prepared.append(len(prepared))
                return super().prepare(picture)

            def find_people(self, batch):
                time.sleep(0.05)
                ahead.append(len(prepared) - sum(self.batches))
                return super().find_people(batch)

        ahead: list[int] = []
        write_scenes(tmp_path, 60)
        units = plan_units([tmp_path]).units
        results = list(process_units(units, Counting(), DETECTIONS, batch_size=8))
        assert sum(result.num_pictures for result in results) == 60
        # A batch, and what 100 kB are (a picture is twice 18 kB), not 16 pictures.
        assert max(ahead[2:]) <= 8 + 4

    @pytest.mark.parametrize('name', ['batch_size', 'threads'])
    def test_no_pictures_at_once(self, name):
        with pytest.raises(ConfigError, match=f'{name} must be at least 1, but is 0'):
            InProcess(FakeEmbedder(), **{name: 0})

    def test_nobody(self, tmp_path):
        write(tmp_path / 'a.png', np.zeros((64, 64, 3), np.uint8))
        (result,) = process_units(plan_units([tmp_path]).units, FakeEmbedder(), DETECTIONS)
        assert result.done
        assert result.num_pictures == 1
        assert result.boxes.shape == (0, 4)
