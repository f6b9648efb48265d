"""One file never stops a build, whatever it raises; every one left out is told."""

from __future__ import annotations

import io
import os
import shutil

import cv2
import numpy as np
import pytest
from rich.console import Console

from mmclsa.errors import DataError, UserError
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import build_gallery, find_people_in, plan_units, print_report
from mmclsa.media import VideoReader
from mmclsa.structures import FoundPeople
from tests.fakes.footage import scene, write, write_scenes, write_video
from tests.test_gallery.fakes import FakeEmbedder

ERRORS = [cv2.error('resize'), OverflowError('too big'), MemoryError(), KeyError('plugin')]
ODD = (64, 80)  # the size of the picture that makes trouble


class Picky(FakeEmbedder):
    """Raises, or gives nonsense, for the picture of one size."""

    def __init__(self, where: str, error: Exception | None) -> None:
        super().__init__()
        self.where = where
        self.error = error

    def prepare(self, picture):
        if self.where == 'prepare' and picture.shape[:2] == ODD:
            raise self.error
        # As a network that scales to one size: the odd one is in a batch with others.
        size = picture.shape[:2]
        return {'inputs': cv2.resize(picture, (96, 64)), 'odd': size == ODD}

    def find_people(self, batch):
        if any(data['odd'] for data in batch) and self.error is not None:
            raise self.error
        found = super().find_people(batch)
        return [
            FoundPeople(people.boxes, people.scores, people.embeddings * np.nan)
            if data['odd']
            else people
            for people, data in zip(found, batch)
        ]


def build(folder, embedder, *sources):
    index = GalleryIndex.create(folder, embedder.fingerprint)
    with index:
        report = build_gallery(index, embedder, plan_units(sources))
        return report, {record.source for record in index.records()}, index.shards()


@pytest.mark.parametrize('where', ['prepare', 'find_people'])
@pytest.mark.parametrize('error', [*ERRORS, None], ids=lambda error: type(error).__name__)
def test_one_picture_never_stops_a_build(tmp_path, where, error):
    if error is None and where == 'prepare':
        where = 'find_people'
    paths = write_scenes(tmp_path / 'f', 5)
    write(paths[2], scene(2, ODD))
    report, sources, shards = build(tmp_path / 'index', Picky(where, error), tmp_path / 'f')
    assert sources == {str(path) for path in paths} - {str(paths[2])}
    assert list(report.skipped) == [str(paths[2])]
    words = 'not finite' if error is None else type(error).__name__
    assert str(paths[2]) in report.skipped[str(paths[2])]
    assert words in report.skipped[str(paths[2])]
    assert len(shards) == 4, 'it is tried again the next time'


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize('function', ['read_header', 'read_picture'])
def test_a_reader_that_raises_anything(tmp_path, monkeypatch, error, function):
    from mmclsa.gallery.building import reading

    paths = write_scenes(tmp_path / 'f', 3)
    real = getattr(reading, function)

    def read(path, *args, **kwargs):
        if path == str(paths[1]):
            raise error
        return real(path, *args, **kwargs)

    monkeypatch.setattr(reading, function, read)
    report, sources, _ = build(tmp_path / 'index', FakeEmbedder(), tmp_path / 'f')
    assert len(sources) == 2
    assert type(error).__name__ in report.skipped[str(paths[1])]


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize('method', ['_open', '_grab'])
def test_a_video_that_raises_anything(tmp_path, monkeypatch, error, method):
    write_scenes(tmp_path / 'f', 2)
    bad, good = (write_video(tmp_path / 'f' / name, 12) for name in ('bad.avi', 'good.avi'))
    real = getattr(VideoReader, method)

    def fail(reader, *args):
        if reader.path == str(bad) and (method == '_open' or reader.position == 5):
            raise error
        return real(reader, *args)

    monkeypatch.setattr(VideoReader, method, fail)
    report, sources, _ = build(tmp_path / 'index', FakeEmbedder(), tmp_path / 'f')
    assert {str(good), str(tmp_path / 'f' / '0001.png')} <= sources
    assert type(error).__name__ in report.skipped[str(bad)]
    assert (str(bad) in sources) == (method == '_grab'), 'what comes before is kept'


def test_a_frame_that_fails_is_named_and_the_others_are_kept(tmp_path):
    class OneFrame(FakeEmbedder):
        def prepare(self, picture):
            if picture.mean() < 60:
                raise OverflowError('so dark')
            return super().prepare(picture)

    path = tmp_path / 'a.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (96, 64))
    for n in range(12):
        writer.write(np.full((64, 96, 3), 25 if n in (7, 9) else 200, np.uint8))
    writer.release()
    report, sources, _ = build(tmp_path / 'index', OneFrame(), path)
    assert sources == {str(path)}
    assert report.pictures == 10
    assert 'frame 7' in report.skipped[str(path)]
    assert 'nor 1 more of its frames' in report.skipped[str(path)]


def test_a_model_that_fails_always_is_not_the_pictures_fault(tmp_path, monkeypatch):
    write_scenes(tmp_path / 'f', 3)
    for name in ('prepare', 'find_people'):
        with monkeypatch.context() as patched:
            patched.setattr(FakeEmbedder, name, lambda *_: 1 // 0)
            with pytest.raises(ZeroDivisionError):
                build(tmp_path / name, FakeEmbedder(), tmp_path / 'f')


def test_an_interrupt_stops_a_build(tmp_path):
    write(tmp_path / 'f' / 'a.png', scene(0, ODD))
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / 'index', Picky('prepare', KeyboardInterrupt()), tmp_path / 'f')


def test_a_query_that_the_model_cannot_take():
    odd = scene(0, ODD)
    with pytest.raises(UserError, match=r'a\.png cannot be used \(OverflowError: too big\)'):
        find_people_in(Picky('prepare', OverflowError('too big')), odd, 'a.png')
    with pytest.raises(ZeroDivisionError):
        find_people_in(type('Broken', (FakeEmbedder,), {'prepare': lambda *_: 1 // 0})(), odd, 'a')


def test_every_file_left_out_is_named_or_counted(tmp_path):
    folder = tmp_path / 'f'
    (jpeg,) = [write(folder / 'a.jpg', scene(0))]
    for name in ('b.jfif', 'c.JPG', 'd.mp4', 'd.dav'):  # JPEG under other names
        shutil.copy(jpeg, folder / name)
    shutil.copy(write_video(tmp_path / 'v.avi', 5), folder / 'e.m2ts')
    for name in ('empty.jpg', 'empty.3gp', 'notes.txt', 'x.cr2', '.hidden.jpg', '.h/a.jpg'):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / 'text.png').write_text('no picture')
    os.mkfifo(folder / 'pipe.avi')
    os.mkfifo(folder / 'pipe')
    report, sources, _ = build(tmp_path / 'index', FakeEmbedder(), folder)
    names = {os.path.basename(source) for source in sources}
    assert names == {'a.jpg', 'b.jfif', 'c.JPG', 'd.mp4', 'd.dav', 'e.m2ts'}
    assert {os.path.basename(path) for path in report.skipped} == {
        'empty.jpg', 'empty.3gp', 'text.png', 'pipe.avi'
    }  # fmt: skip
    assert report.passed_over == {
        '.txt': 1, '.cr2': 1, 'hidden file': 1, 'hidden folder': 1, 'pipe': 1
    }  # fmt: skip
    told = io.StringIO()
    print_report(report, 7, Console(file=told, width=80))
    assert (
        '5 others are no footage: .cr2 1, .txt 1, hidden file 1, hidden folder 1, pipe 1'
        in told.getvalue()
    )
    assert '4 files skipped:' in told.getvalue()
    assert f'{folder / "pipe.avi"} is a pipe, not a file' in told.getvalue()


def test_many_are_not_all_listed(tmp_path):
    for n in range(25):
        (tmp_path / f'{n:02d}.png').touch()
    write(tmp_path / 'a.png', scene(0))
    report, _, _ = build(tmp_path / 'index', FakeEmbedder(), tmp_path)
    told = io.StringIO()
    print_report(report, 1, Console(file=told, width=80))
    assert told.getvalue().count('empty or broken') == 20
    assert '... and 5 more' in told.getvalue()


def test_a_video_without_a_frame(tmp_path, monkeypatch):
    video = write_video(tmp_path / 'a.avi', 5)
    monkeypatch.setattr(VideoReader, '_grab', lambda *_: False)
    write(tmp_path / 'a.png', scene(0))
    report, _, shards = build(tmp_path / 'index', FakeEmbedder(), tmp_path)
    assert 'has no frame that can be decoded' in report.skipped[str(video)]
    assert len(shards) == 1


def test_a_report_can_be_printed_whatever_the_names(tmp_path):
    write(tmp_path / 'f' / 'a.png', scene(0))
    for n in range(30):
        (tmp_path / 'f' / f'x.{n}').touch()
    with open(os.fsencode(tmp_path / 'f') + b'/b.\xff', 'wb'):
        pass
    report, _, _ = build(tmp_path / 'index', FakeEmbedder(), tmp_path / 'f')
    stream = io.TextIOWrapper(io.BytesIO(), 'utf-8')
    print_report(report, 1, Console(file=stream, width=80))
    stream.flush()
    assert b'31 others are no footage' in stream.buffer.getvalue()
    assert b'and 11 more kinds' in stream.buffer.getvalue()


def test_a_search_in_footage_tells_what_it_could_not_search(tmp_path):
    from mmclsa.inference import open_gallery

    write(tmp_path / 'f' / 'a.png', scene(0))
    (tmp_path / 'f' / 'b.png').touch()
    told = pytest.warns(UserWarning, match=r'1 file was not searched.*b\.png \(0 bytes\)')
    with told, open_gallery(tmp_path / 'f', FakeEmbedder()) as index:
        assert len(index.rows()) > 0
    none = pytest.raises(DataError, match=r'^1 file was not searched.*b\.png \(0 bytes\)')
    with none, open_gallery(tmp_path / 'f' / 'b.png', FakeEmbedder()):
        pass
