"""A frame by its number without decoding all before it, against decoding all before it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from mmclsa.errors import DataError
from mmclsa.media import Sampling, VideoReader, packet_times
from mmclsa.media.packet_times import read_packet_times
from tests.fakes.containers import write_mkv, write_mp4
from tests.fakes.footage import scene

FRAMES = 150
#: Codec and container of what OpenCV writes here; and whether its packets tell the times.
WRITTEN = [
    ('MJPG', 'avi', True), ('MJPG', 'mp4', True), ('MJPG', 'mkv', True), ('mp4v', 'mp4', True),
    ('mp4v', 'avi', True), ('mp4v', 'ts', True), ('mp4v', 'mpg', True), ('XVID', 'avi', True),
    ('MP42', 'avi', True), ('VP80', 'webm', True), ('VP90', 'mp4', True), ('FFV1', 'mkv', True),
    ('FLV1', 'flv', True), ('MPEG', 'mp4', True), ('MPEG', 'avi', True), ('MPEG', 'wmv', False),
]  # fmt: skip


def picture(number: int) -> np.ndarray:
    """A number on a background that moves."""
    shown = np.roll(cv2.resize(scene(3, (4, 6)), (96, 64)), number, axis=1)
    return cv2.putText(np.ascontiguousarray(shown), str(number), (2, 45), 0, 1.2, (255, 0, 255), 2)


def write(path: Path, fourcc: str, frames: int = FRAMES) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), 25.0, (96, 64))
    if not writer.isOpened():
        pytest.skip(f'OpenCV writes no {fourcc} here')
    for number in range(frames):
        writer.write(picture(number))
    writer.release()
    return path


class Counting:
    """A decoder that counts what it is asked to decode."""

    grabs = 0

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture = capture

    def __getattr__(self, name: str) -> Any:
        return getattr(self._capture, name)

    def grab(self) -> bool:
        Counting.grabs += 1
        return self._capture.grab()


@pytest.fixture
def counted(monkeypatch):
    opened = VideoReader._open
    monkeypatch.setattr(VideoReader, '_open', lambda reader: Counting(opened(reader)))
    monkeypatch.setattr(Counting, 'grabs', 0)
    return Counting


def check(path: Path, wanted: list[int]) -> None:
    """Frames and times are those of reading through, in any order, by one reader and by others."""
    through, expected = VideoReader(path), {}
    for number, shown in through.read():
        expected[number] = (shown, through.time)
    kept = VideoReader(path)
    for number in wanted:
        for reader in (kept, VideoReader(path)):
            assert np.array_equal(reader[number], expected[number][0]), number
            assert reader.position == number + 1
            assert reader.time == pytest.approx(expected[number][1], abs=1e-6)
    last = len(expected)
    with pytest.raises(DataError, match=f'has no frame {last}'):
        kept[last]


@pytest.mark.parametrize(('fourcc', 'suffix', 'seeks'), WRITTEN)
def test_every_codec(tmp_path, counted, fourcc, suffix, seeks, monkeypatch):
    path = write(tmp_path / f'a.{suffix}', fourcc)
    monkeypatch.setattr('mmclsa.media.video._NEAR', 20)
    check(path, [140, 70, 149, 51, 52, 3, 120, 0, 99])
    counted.grabs = 0
    assert VideoReader(path)[140].any()
    assert (counted.grabs < 20) == seeks


@pytest.mark.parametrize('frames', [3000])
def test_a_late_frame_of_a_long_video(tmp_path, counted, frames):
    """Neither a hit nor a unit of a build decodes what lies before it."""
    path = write(tmp_path / 'a.avi', 'MJPG', frames)
    reader = VideoReader(path)
    for number in (2900, 1700, 2999, 160):
        counted.grabs = 0
        assert reader[number].shape == (64, 96, 3)
        assert counted.grabs < 20
    counted.grabs = 0
    assert [number for number, _ in VideoReader(path).read(2500, 2510)] == [*range(2500, 2510)]
    assert counted.grabs < 30


UNEVEN = np.cumsum([0, *([40] * 30), *([1000] * 5), *([33, 47] * 30), 7000, *([40] * 40), 900])


@pytest.mark.parametrize('write_times', [write_mkv, write_mp4])
class TestRatesThatVary:
    """Frame number over rate leads elsewhere."""

    def video(self, folder: Path, write_times, times=UNEVEN) -> Path:
        pictures = [picture(number) for number in range(len(times))]
        return write_times(folder / 'a', pictures, times.tolist())

    @pytest.mark.parametrize('near', [10, 100])
    def test_frames(self, tmp_path, write_times, near, monkeypatch):
        monkeypatch.setattr('mmclsa.media.video._NEAR', near)
        check(self.video(tmp_path, write_times), [100, 60, 137, 96, 97, 5, 136, 70])

    def test_few_are_decoded(self, tmp_path, write_times, counted):
        """A camera that drops every tenth frame, and is not punctual."""
        times = np.array([40 * n + n % 7 for n in range(500) if n % 10])
        reader = VideoReader(self.video(tmp_path, write_times, times))
        assert np.array_equal(reader[440], reader[440])
        assert counted.grabs < 100, 'of 881'

    def test_frames_per_second(self, tmp_path, write_times):
        video = self.video(tmp_path, write_times)
        whole = [n for n, _ in VideoReader(video).read(sampling=Sampling(fps=2))]
        late = [n for n, _ in VideoReader(video).read(90, sampling=Sampling(fps=2))]
        assert late == [number for number in whole if number >= 90]


def test_a_gif(tmp_path, monkeypatch):
    """Its pictures are differences from those before."""
    monkeypatch.setattr('mmclsa.media.video._NEAR', 20)
    frames = [Image.fromarray(picture(number)) for number in range(120)]
    path = tmp_path / 'a.gif'
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    check(path, [110, 60, 99])


@pytest.mark.parametrize('lie', ['later', 'none', 'half', 'twice', 'raises'])
def test_where_the_check_fails_all_is_decoded(tmp_path, monkeypatch, counted, lie):
    path = write(tmp_path / 'a.mp4', 'mp4v')
    times = read_packet_times(str(path))
    lies = {'later': times + np.linspace(0, 0.5, FRAMES), 'none': None, 'half': times[::2]}
    lies['twice'] = np.arange(2 * FRAMES) * 0.02
    if lie == 'raises':  # an OpenCV that gives no packets
        monkeypatch.setattr('mmclsa.media.packet_times._RAW', [12345, 1, 1])
        packet_times._read.cache_clear()
        assert read_packet_times(str(path)) is None
    else:
        monkeypatch.setattr('mmclsa.media.video.read_packet_times', lambda path: lies[lie])
    check(path, [140, 70])
    counted.grabs = 0
    assert VideoReader(path)[140].any()
    assert counted.grabs >= 141


def test_a_decoder_that_comes_out_later_than_it_was_sent(tmp_path, monkeypatch, counted):
    """It is sent once more, further back."""
    path = write(tmp_path / 'a.avi', 'MJPG', 600)
    expected = VideoReader(path)[500]

    class Late(Counting):
        def set(self, kind: int, value: float) -> bool:
            return self._capture.set(kind, value + 40 * 20)

    opened = VideoReader._open
    monkeypatch.setattr(VideoReader, '_open', lambda reader: Late(opened(reader)._capture))
    counted.grabs = 0
    assert np.array_equal(VideoReader(path)[500], expected)
    assert counted.grabs < 60


def test_frames_that_the_packets_do_not_have_are_reached_from_where_it_is(tmp_path, counted):
    """A recording that has grown since, or one that tells no times."""
    path = write(tmp_path / 'a.avi', 'MJPG', 400)
    expected = VideoReader(path)[390]
    reader = VideoReader(path)
    vars(reader)['_times'] = read_packet_times(str(path))[:200]
    assert reader[150].any()
    counted.grabs = 0
    assert np.array_equal(reader[390], expected)
    assert counted.grabs == 240


def test_a_copy_reads_the_times_again(tmp_path):
    reader = VideoReader(write(tmp_path / 'a.avi', 'MJPG'))
    expected = reader[140]
    assert len(pickle.dumps(reader)) < 1000
    assert np.array_equal(pickle.loads(pickle.dumps(reader))[140], expected)


def test_packets_are_read_once_until_the_file_changes(tmp_path):
    path = write(tmp_path / 'a.avi', 'MJPG', 300)
    packet_times._read.cache_clear()
    for _ in range(3):
        assert VideoReader(path)[250].any()
    assert packet_times._read.cache_info().misses == 1
    write(path, 'MJPG', 200)
    assert len(read_packet_times(str(path))) == 200


def test_times_of_packets(tmp_path):
    times = read_packet_times(str(write(tmp_path / 'a.mp4', 'MPEG', 30)))
    assert times == pytest.approx(np.arange(30) / 25)
    assert read_packet_times(str(tmp_path / 'nowhere.mp4')) is None
    (tmp_path / 'b.mp4').write_bytes(b'no video')
    assert read_packet_times(str(tmp_path / 'b.mp4')) is None
