"""Filling an index: kills, repetitions, several writers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmclsa.errors import ConfigError, DataError, UserError
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import (
    BuildCommand,
    BuildFile,
    InProcess,
    SourceOptions,
    build_gallery,
    open_for_build,
    plan_units,
    run_build,
)
from mmclsa.gallery.building.spool import Spool, pack_results, unpack_results
from mmclsa.media import VideoReader
from tests.fakes.footage import write_scenes, write_video
from tests.helpers import REPO
from tests.test_gallery.fakes import FakeEmbedder

CHILD = """
import os
import sys
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import build_gallery, plan_units, sink, units
from tests.test_gallery.fakes import FakeEmbedder

units.FRAMES_PER_UNIT = 10
sink.COMMIT_SECONDS = 0.0
path, embedder = sys.argv[1], FakeEmbedder(delay=float(os.environ['DELAY']))
try:
    index = GalleryIndex.open(path, embedder.fingerprint, writable=True)
except Exception:
    index = GalleryIndex.create(path, embedder.fingerprint)
with index:
    print('started', flush=True)
    build_gallery(index, embedder, plan_units(sys.argv[2:]), batch_size=2)
"""


def content(path: Path) -> dict:
    """Everybody in an index: what is told of him, his embedding, crop and frames."""
    with GalleryIndex.open(path) as index:
        records = [
            replace(r, time=None if np.isnan(r.time) else r.time)  # NaN is not equal to itself
            for r in index.records()
        ]
        rows = index.rows()
        vectors, crops = index.embeddings(rows), index.crops(rows)
        kept = [(crops.get(row, b''), index.behind(row).frames.tolist()) for row in rows.tolist()]
        index.verify()
    assert len(set(records)) == len(records)
    return {
        record: (tuple(vector.round(4)), *more)
        for record, vector, more in zip(records, vectors, kept)
    }


def build(path: Path, *sources: Path, **options) -> tuple:
    embedder = FakeEmbedder()
    exists = (path / 'index.sqlite').exists()
    index = (
        GalleryIndex.open(path, embedder.fingerprint, writable=True)
        if exists
        else GalleryIndex.create(path, embedder.fingerprint)
    )
    with index:
        report = build_gallery(index, embedder, plan_units(sources), **options)
    return report, embedder


@pytest.fixture
def footage(tmp_path) -> list[Path]:
    write_scenes(tmp_path / 'footage' / 'stills', 20)
    video = write_video(tmp_path / 'footage' / 'v.avi', 60)
    return [tmp_path / 'footage' / 'stills', video]


def test_records_and_report(tmp_path, footage):
    options = SourceOptions(camera='door', unit='detection')
    report, _ = build(tmp_path / 'index', *footage, options=options)
    found = content(tmp_path / 'index')
    assert (report.pictures, report.people, report.known) == (80, len(found), 0)
    assert report.skipped == {}
    assert {record.camera for record in found} == {'door'}
    still = next(r for r in found if r.source.endswith('0003.png'))
    assert (still.frame, still.track_id) == (0, -1)
    assert still.time is None
    moving = [r for r in found if r.source.endswith('v.avi')]
    assert all(r.time == pytest.approx(r.frame / 10) for r in moving)
    # The person who is in every scene's first quarter keeps his track.
    corner = [r.track_id for r in moving if r.box[:2] == (0.0, 0.0)]
    assert len(corner) == 60
    assert len(set(corner)) < 10


def test_again_does_nothing(tmp_path, footage):
    build(tmp_path / 'index', *footage)
    before = content(tmp_path / 'index')
    report, embedder = build(tmp_path / 'index', *footage)
    assert (report.pictures, report.known) == (0, 21)
    assert embedder.batches == []
    assert content(tmp_path / 'index') == before


def test_new_pictures_alone_are_added(tmp_path, footage):
    build(tmp_path / 'index', *footage)
    write_scenes(footage[0], 5, first=100)
    (footage[0] / '0100.png').rename(footage[0] / '0000a.png')  # sorts among the old ones
    report, embedder = build(tmp_path / 'index', *footage)
    assert sum(embedder.batches) == 5
    assert report.known == 21
    build(tmp_path / 'whole', *footage)
    assert content(tmp_path / 'index') == content(tmp_path / 'whole')


def test_killed_and_run_again(tmp_path, footage, monkeypatch):
    """The index ends as if the build had never been killed."""
    monkeypatch.setattr('mmclsa.gallery.building.units.FRAMES_PER_UNIT', 10)
    index = tmp_path / 'index'
    for seconds in (0.05, 0.3):
        child = start_child(index, *footage)
        time.sleep(seconds)
        child.kill()
        child.communicate()
    killed = len(plan_units(footage).pending(GalleryIndex.open(index).shards()).units)
    report, _ = build(index, *footage)
    assert report.known == 26 - killed
    build(tmp_path / 'whole', *footage)
    assert content(index) == content(tmp_path / 'whole')


def start_child(*args: object, delay: float = 0.01) -> subprocess.Popen:
    child = subprocess.Popen(
        [sys.executable, '-c', CHILD, *map(str, args)],
        cwd=REPO,
        env={
            **os.environ,
            'PYTHONPATH': str(REPO),
            'OMP_NUM_THREADS': '1',
            'DELAY': str(delay),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = iter(child.stdout.readline, '')  # MMDetection says something when it is imported
    assert 'started\n' in lines, child.stderr.read()
    return child


def test_interrupted_build_keeps_its_work(tmp_path, footage):
    class Impatient(FakeEmbedder):
        def find_people(self, batch):
            if len(self.batches) == 5:
                raise KeyboardInterrupt
            return super().find_people(batch)

    index = GalleryIndex.create(tmp_path / 'index', FakeEmbedder().fingerprint)
    with index, pytest.raises(KeyboardInterrupt):
        build_gallery(index, Impatient(), plan_units(footage), batch_size=2)
    with GalleryIndex.open(tmp_path / 'index') as index:
        assert len(index.shards()) == 10


def test_second_builder_is_told(tmp_path, footage):
    child = start_child(tmp_path / 'index', *footage, delay=10)  # not done before it is stopped
    child.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(UserError, match='being written by another process'):
            build(tmp_path / 'index', *footage)
    finally:
        child.kill()
        child.communicate()


def test_skipped_files_are_tried_again(tmp_path, footage):
    path = footage[0] / '0007.png'
    data = path.read_bytes()
    path.write_bytes(b'')
    report, _ = build(tmp_path / 'index', *footage)
    assert list(report.skipped) == [str(path)]
    path.write_bytes(data)
    report, _ = build(tmp_path / 'index', *footage)
    assert (report.pictures, report.skipped) == (1, {})
    build(tmp_path / 'whole', *footage)
    assert content(tmp_path / 'index') == content(tmp_path / 'whole')


class TestRunBuild:
    def run(self, path, sources, options=None, **kwargs):
        embedder = FakeEmbedder()
        return run_build(
            lambda: GalleryIndex.create(path, embedder.fingerprint),
            lambda: plan_units(sources),
            InProcess(embedder, options or SourceOptions()),
            **kwargs,
        )

    def test_a_video_is_opened_once(self, tmp_path, footage, monkeypatch):
        opened = []
        real = VideoReader._open
        monkeypatch.setattr(
            VideoReader, '_open', lambda reader: (opened.append(reader.path), real(reader))[1]
        )
        report, people = self.run(tmp_path / 'index', footage)
        assert opened == [str(footage[1])]
        assert (report.pictures, report.people) == (80, people)
        assert people == len(content(tmp_path / 'index'))

    def test_more_videos_than_are_left_open(self, tmp_path, monkeypatch):
        videos = [write_video(tmp_path / f'{n}.avi', 12 + n) for n in range(3)]
        self.run(tmp_path / 'whole', videos)
        monkeypatch.setattr('mmclsa.gallery.building.units._MAX_OPEN', 1)
        assert list(plan_units(videos).videos) == [str(videos[0])]
        self.run(tmp_path / 'index', videos)
        assert content(tmp_path / 'index') == content(tmp_path / 'whole')

    def test_a_wrong_source_leaves_no_index(self, tmp_path):
        with pytest.raises(UserError, match='none does not exist'):
            self.run(tmp_path / 'index', [tmp_path / 'none'])
        assert not (tmp_path / 'index').exists()

    def test_the_index_is_closed_after_a_failure(self, tmp_path, footage, monkeypatch):
        def fail(*_):
            raise RuntimeError('out of memory')

        with monkeypatch.context() as patched:
            patched.setattr(FakeEmbedder, 'find_people', fail)
            with pytest.raises(RuntimeError, match='out of memory'):
                self.run(tmp_path / 'index', footage)
        build(tmp_path / 'index', *footage)  # nobody holds the lock

    def test_progress_comes_to_its_end(self, tmp_path, footage):
        said = []

        @contextmanager
        def progress(total):
            said.append(total)
            yield lambda count: said.append(-count)
            said.append('end')

        self.run(tmp_path / 'index', footage, progress=progress)
        assert said[0] == 80
        assert sum(said[:-1]) == 0


class TestSpool:
    def results(self, footage):
        return list(InProcess(FakeEmbedder()).results(plan_units(footage)))

    def test_bytes_and_back(self, footage):
        results = self.results(footage)
        again = unpack_results(pack_results(results))
        assert [r.unit for r in again] == [r.unit for r in results]
        for one, two in zip(results, again):
            assert np.array_equal(one.embeddings, two.embeddings)
            assert np.array_equal(one.times, two.times, equal_nan=True)
            assert one.num_pictures == two.num_pictures

    @pytest.mark.parametrize('cut', [0, 10, 0.5, 0.99])
    def test_broken(self, footage, cut):
        data = pack_results(self.results(footage)[:3])
        size = int(cut * len(data)) if isinstance(cut, float) else cut
        with pytest.raises(DataError, match='no packed results'):
            unpack_results(data[:size])

    def test_left_over_is_taken_once(self, tmp_path, footage):
        index, whole = tmp_path / 'index', tmp_path / 'whole'
        build(whole, *footage)
        GalleryIndex.create(index, FakeEmbedder().fingerprint).close()
        spool = Spool(index)
        results = self.results(footage)
        spool.write(results[:8])
        spool.write(results[4:12])  # a process that died after the commit, before the removal
        (spool.folder / '.1-x.abc.tmp.npz').write_bytes(b'half')
        report, embedder = build(index, *footage)
        assert report.known == 12
        assert sum(embedder.batches) == 8 + 60
        assert content(index) == content(whole)
        assert not spool.folder.exists()

    def test_keeps_the_camera_of_the_build_that_was_killed(self, tmp_path, footage):
        GalleryIndex.create(tmp_path / 'index', FakeEmbedder().fingerprint).close()
        door = InProcess(FakeEmbedder(), SourceOptions(camera='door'))
        Spool(tmp_path / 'index').write(list(door.results(plan_units(footage[:1]))))
        build(tmp_path / 'index', *footage, options=SourceOptions(camera='yard'))
        cameras = {(r.camera, r.source == str(footage[1])) for r in content(tmp_path / 'index')}
        assert cameras == {('door', False), ('yard', True)}

    def test_of_an_older_mmclsa_has_no_camera(self, footage, monkeypatch):
        monkeypatch.setattr('mmclsa.gallery.building.spool._VALUES', ('num_pictures', 'problem'))
        data = pack_results(self.results(footage)[:2])
        assert [result.camera for result in unpack_results(data)] == ['', '']


class TestBuildFile:
    def test_there_and_back(self, tmp_path):
        command = BuildCommand(
            ('/a ü', '/b'), fps=2.5, camera='door', start_time=1.5, det_thresh=0.3
        )
        build_file = BuildFile('text = 1\n', '/a.pth', 'onnx', (command, BuildCommand(('/c',))))
        build_file.write(tmp_path)
        assert BuildFile.read(tmp_path) == build_file
        content = json.loads((tmp_path / 'build.json').read_text())
        assert content['backend'] == 'onnx'
        assert [list(command['sources']) for command in content['jobs']] == [['/a ü', '/b'], ['/c']]
        assert list(content) == ['embedder', 'checkpoint', 'backend', 'jobs']
        assert BuildFile.read(tmp_path / 'none') is None

    @pytest.mark.parametrize(
        'content',
        ['', '[]', 'null', '{}', '{"jobs": 3}', '{"jobs": [{}]}', '{"jobs": [], "x": 1}', '\xff'],
    )
    def test_broken(self, tmp_path, content):
        (tmp_path / 'build.json').write_bytes(content.encode('latin-1'))
        with pytest.raises(DataError, match=r'build\.json is broken'):
            BuildFile.read(tmp_path)

    def test_command_that_was_killed_before_it_noted_itself(self, tmp_path):
        fingerprint = FakeEmbedder().fingerprint
        GalleryIndex.create(tmp_path / 'i', fingerprint).close()
        build_file = BuildFile('', '/a.pth', commands=(BuildCommand(('/c',)),))
        open_for_build(tmp_path / 'i', fingerprint, build_file).close()
        assert BuildFile.read(tmp_path / 'i') == build_file

    @pytest.mark.parametrize(
        ('again', 'told'),
        [
            (dict(type='FaissBackend', storage='fp16'), ''),
            (dict(type='FaissBackend', kind='flat', storage='fp16', structure_from=20_000), ''),
            (dict(type='FaissBackend', storage='fp16', probes=8), ''),
            (None, ''),
            (dict(type='FaissBackend', kind='hnsw'), "whose kind is not 'hnsw'"),
            (dict(type='FaissBackend', storage='fp32'), "whose storage is not 'fp32'"),
            (dict(type='FaissBackend', kind='hnws'), 'kind must be one of'),
        ],
    )
    def test_another_backend_is_not_left_out_in_silence(self, tmp_path, again, told):
        fingerprint = FakeEmbedder().fingerprint
        build_file = BuildFile('', '/a.pth', commands=(BuildCommand(('/c',)),))
        first = dict(type='FaissBackend', storage='fp16')
        open_for_build(tmp_path / 'i', fingerprint, build_file, backend=first).close()
        with pytest.raises(ConfigError, match=told) if told else nullcontext():
            open_for_build(tmp_path / 'i', fingerprint, build_file, backend=again).close()
