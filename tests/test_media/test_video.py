"""Frames by number and in order, from one reader."""

from __future__ import annotations

import math
import multiprocessing
import pickle

import cv2
import numpy as np
import pytest
from PIL import Image

from mmclsa.errors import ConfigError, DataError
from mmclsa.media import Sampling, VideoReader, iterate_pictures
from tests.fakes import make_fake_mot
from tests.fakes.containers import write_mkv, write_mp4
from tests.fakes.footage import scene, write_video


class TestFrames:
    def test_video_frames_in_any_order_are_those_of_reading_through(self, tmp_path):
        path = next(make_fake_mot(tmp_path, num_frames=9, video=True).glob('*.avi'))
        through = VideoReader(path)
        frames = [through[i] for i in range(9)]
        assert len({f.tobytes() for f in frames}) == 9
        jumping = pickle.loads(pickle.dumps(through))
        for index in (5, 2, 2, 8, 0):
            np.testing.assert_array_equal(jumping[index], frames[index])
        for index in (9, -1):
            with pytest.raises(DataError, match='has no frame'):
                jumping[index]

    def test_reading_in_order_and_by_number_mix(self, tmp_path):
        video = write_video(tmp_path / 'a.avi', 30)
        whole = dict(VideoReader(video).read())
        assert list(whole) == list(range(30))
        reader = VideoReader(video)
        assert np.array_equal(reader[20], whole[20])
        assert reader.position == 21
        for start, stop in ((25, 28), (3, 9), (9, 12)):
            for frame, picture in reader.read(start, stop):
                assert np.array_equal(picture, whole[frame])
            assert reader.position == stop
        reader.close()
        assert np.array_equal(reader[12], whole[12]), 'opened again'
        assert list(reader.read(40)) == []

    def test_a_fork_of_an_open_video_reads_on(self, tmp_path):
        """The parent's decoder has threads that a fork lacks: to free it there would never end."""
        reader = VideoReader(write_video(tmp_path / 'a.avi', 12))
        expected = [reader[index].tobytes() for index in range(8)]
        context = multiprocessing.get_context('fork')
        results = context.SimpleQueue()

        def read():
            results.put([reader[index].tobytes() for index in (2, 7, 0)])

        child = context.Process(target=read)
        child.start()
        child.join(120)
        ended = not child.is_alive()
        if not ended:
            child.kill()
        assert ended
        assert results.get() == [expected[2], expected[7], expected[0]]

    def test_videos_that_are_none(self, tmp_path):
        with pytest.raises(DataError, match='is missing'):
            VideoReader(tmp_path / 'a.mp4')[0]
        (tmp_path / 'b.mp4').write_bytes(b'no video')
        with pytest.raises(DataError, match='cannot be decoded'):
            VideoReader(tmp_path / 'b.mp4')[0]


class TestStretches:
    def test_a_stretch_has_the_frames_that_the_whole_has(self, tmp_path):
        video = write_video(tmp_path / 'a.avi', 30)
        whole = dict(VideoReader(video).read(0, None, Sampling()))
        part = dict(VideoReader(video).read(13, 19, Sampling()))
        assert list(part) == list(range(13, 19))
        for frame, picture in part.items():
            assert np.array_equal(picture, whole[frame])
        assert np.abs(whole[7].astype(int) - scene(1)).mean() < 5

    def test_broken_off_is_noticed(self, tmp_path):
        video = write_video(tmp_path / 'a.avi', 100)
        data = video.read_bytes()
        video.write_bytes(data[: len(data) // 2])
        reader = VideoReader(video)
        read = sum(1 for _ in reader.read(0, None, Sampling()))
        assert 20 < read < 80
        assert reader.broke_off
        assert f'breaks off at frame {read} of 100' in reader.damage

    def test_what_the_file_announces(self, tmp_path):
        reader = VideoReader(write_video(tmp_path / 'a.avi', 60, fps=12.0))
        assert (reader.num_frames, reader.fps) == (60, 12.0)
        assert reader.damage == f'video {reader.path} breaks off at frame 0 of 60'
        assert sum(1 for _ in reader.read()) == 60
        reader.close()
        assert not reader.broke_off
        assert reader.damage == ''


class TestSampling:
    @pytest.mark.parametrize(('fps', 'count'), [(2.5, 10), (10, 40), (1, 4), (99, 40), (3, 12)])
    def test_frames_per_second(self, fps, count):
        wanted = [i for i in range(40) if Sampling(fps=fps).wants(i, 10.0)]
        assert len(wanted) == count
        assert wanted[0] == 0
        assert np.ptp(np.diff(wanted)) <= 1

    @pytest.mark.parametrize(
        'options', [{'every': 0}, {'fps': 0}, {'fps': math.nan}, {'fps': math.inf}]
    )
    def test_sampling_is_checked(self, options):
        with pytest.raises(ConfigError, match='must be'):
            Sampling(**options)


GAPS = [0, 40, 80, 1960, 2000, 5880, 5920, 6000]


@pytest.mark.parametrize('write', [write_mkv, write_mp4])
class TestTimes:
    """The container's times count, not number over rate: these rates vary."""

    def video(self, path, write, times=GAPS):
        return write(path, [scene(n) for n in range(len(times))], times)

    def test_of_frames_in_order(self, tmp_path, write):
        reader = VideoReader(self.video(tmp_path / 'a', write))
        assert [round(1000 * reader.time) for _ in reader.read()] == GAPS
        assert reader.damage == ''
        assert [p.time for p in iterate_pictures(self.video(tmp_path / 'a.mp4', write))] == [
            pytest.approx(time / 1000) for time in GAPS
        ]

    def test_of_frames_by_number(self, tmp_path, write):
        reader = VideoReader(self.video(tmp_path / 'a', write))
        for index in (5, 3, 7, 0):
            reader[index]
            assert reader.time == pytest.approx(GAPS[index] / 1000)
        reader.close()
        assert [(f, round(1000 * reader.time)) for f, _ in reader.read(3, 5)] == [
            (3, 1960), (4, 2000)
        ]  # fmt: skip

    def test_frames_per_second_are_those_of_the_clock(self, tmp_path, write):
        reader = VideoReader(self.video(tmp_path / 'a', write))
        assert [frame for frame, _ in reader.read(sampling=Sampling(fps=1))] == [0, 3, 4, 5, 7]
        assert [frame for frame, _ in reader.read(sampling=Sampling(fps=0.5))] == [0, 4, 5, 7]
        stretch = [frame for frame, _ in reader.read(4, 8, Sampling(fps=0.5))]
        assert stretch == [4, 5, 7], 'as in the whole'

    def test_a_video_that_breaks_off_in_its_middle(self, tmp_path, write):
        times = [*range(0, 4000, 40), *range(4000, 60_000, 400)]
        video = self.video(tmp_path / 'a', write, times)
        reader = VideoReader(video)
        assert sum(1 for _ in reader.read()) == len(times)
        assert reader.damage == ''
        if write is write_mkv:  # MP4 as written here has its table of contents at the end
            video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
            cut = VideoReader(video)
            assert sum(1 for _ in cut.read()) < len(times)
            assert 'breaks off' in cut.damage


def test_a_gif_is_a_video(tmp_path):
    frames = [Image.fromarray(scene(n)) for n in range(4)]
    path = tmp_path / 'a.gif'
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[100, 1000, 200, 100])
    pictures = list(iterate_pictures(path))
    assert [round(picture.time, 2) for picture in pictures] == [0, 0.1, 1.1, 1.3]
    assert np.abs(pictures[2].array[..., ::-1].astype(int) - scene(2)).mean() < 8


def test_a_count_that_was_never_counted(tmp_path, monkeypatch):
    """Streams without a container announce nothing, OpenCV then gives absurd numbers."""
    frames = [cv2.imencode('.jpg', scene(n))[1].tobytes() for n in range(5)]
    (tmp_path / 'a.mjpeg').write_bytes(b''.join(frames))
    reader = VideoReader(tmp_path / 'a.mjpeg')
    assert reader.num_frames == 0
    times = [reader.time for _ in reader.read()]
    assert np.allclose(times, np.arange(5) / reader.fps)
    assert reader.damage == ''


def test_times_that_stand_still_go_on_by_the_rate(tmp_path, monkeypatch):
    reader = VideoReader(write_video(tmp_path / 'a.avi', 6, fps=10.0))
    monkeypatch.setattr('mmclsa.media.video._POS_MSEC', 10_000)  # no such fact: OpenCV says 0
    assert [reader.time for _ in reader.read()] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
