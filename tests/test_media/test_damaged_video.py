"""A damaged video: each frame has one number, whoever reads which stretch of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmclsa.errors import DataError
from mmclsa.media import VideoReader

FRAMES = 600
UNIT = 200


def write(path: Path, fourcc: str) -> None:
    """Frames that show their numbers, in bits."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), 25.0, (160, 120))
    if not writer.isOpened():
        pytest.skip(f'OpenCV writes no {fourcc} here')
    for number in range(FRAMES):
        picture = np.zeros((120, 160, 3), np.uint8)
        for bit in range(12):
            picture[40:80, bit * 13 : bit * 13 + 13] = 255 * (number >> bit & 1)
        writer.write(picture)
    writer.release()


def shown(picture: np.ndarray) -> int:
    return sum(
        1 << bit for bit in range(12) if picture[45:75, bit * 13 + 3 : bit * 13 + 10].mean() > 128
    )


@pytest.fixture
def one_thread(monkeypatch):
    """Several threads fill the holes of a damaged frame by whatever neighbour is ready."""
    monkeypatch.setattr(
        cv2,
        'VideoCapture',
        lambda path, capture=cv2.VideoCapture: capture(
            path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1]
        ),
    )


def read(video: VideoReader, start: int) -> tuple[list[tuple[int, int]], str]:
    stop = start + UNIT
    last = stop >= FRAMES
    frames = [(n, shown(picture)) for n, picture in video.read(start, None if last else stop)]
    return frames, video.damage if last or video.position < stop else video.loss


@pytest.mark.parametrize('begin', [0.02, 0.3, 0.62])
@pytest.mark.parametrize(
    ('fourcc', 'suffix'),
    [('mp4v', 'mp4'), ('mp4v', 'avi'), ('MJPG', 'avi'), ('MJPG', 'mkv'), ('XVID', 'avi')],
)
@pytest.mark.usefixtures('one_thread')
def test_units_are_the_same_read_alone_or_in_one_go(tmp_path, fourcc, suffix, begin):
    path = tmp_path / f'a.{suffix}'
    write(path, fourcc)
    data = bytearray(path.read_bytes())
    start = int(len(data) * begin)
    stop = start + len(data) // 10
    data[start:stop] = bytes(stop - start)
    path.write_bytes(data)
    video = VideoReader(path)
    in_one_go = [read(video, start) for start in range(0, FRAMES, UNIT)]
    assert in_one_go == [read(VideoReader(path), start) for start in range(0, FRAMES, UNIT)]
    if suffix != 'mkv':  # where it could as well be a pause: times go on, and no packet is missed
        assert any(damage for _, damage in in_one_go), 'nobody is told'
    numbers = [number for frames, _ in in_one_go for number, _ in frames]
    assert numbers == sorted(set(numbers))


class Dropping:
    """A decoder that leaves out some frames."""

    def __init__(self, capture: cv2.VideoCapture, dropped: range) -> None:
        self._capture, self._dropped = capture, dropped

    def __getattr__(self, name):
        return getattr(self._capture, name)

    def grab(self) -> bool:
        found = self._capture.grab()
        while found and round(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 40) in self._dropped:
            found = self._capture.grab()
        return found


@pytest.mark.parametrize('dropped', [range(110, 140), range(190, 230), range(197, 199)])
def test_frames_that_the_decoder_leaves_out_keep_their_numbers(tmp_path, monkeypatch, dropped):
    path = tmp_path / 'a.mp4'
    write(path, 'mp4v')
    opened = VideoReader._open
    monkeypatch.setattr(VideoReader, '_open', lambda reader: Dropping(opened(reader), dropped))
    left = [n for n in range(FRAMES) if n not in dropped]
    assert [(n, shown(picture)) for n, picture in VideoReader(path).read()] == [
        (n, n) for n in left
    ]
    video = VideoReader(path)
    in_one_go = [read(video, start) for start in range(0, FRAMES, UNIT)]
    assert in_one_go == [read(VideoReader(path), start) for start in range(0, FRAMES, UNIT)]
    lost = [len(set(dropped) & set(range(n, n + UNIT))) for n in range(0, FRAMES, UNIT)]
    assert [bool(damage) for _, damage in in_one_go] == [count > 0 for count in lost]
    for frame in (400, 150, 105, 231, 500):
        if frame in left:
            assert shown(video[frame]) == frame == shown(VideoReader(path)[frame])
    with pytest.raises(DataError, match=f'no frame {dropped[1]}'):
        video[dropped[1]]
    assert shown(video[dropped[-1] + 1]) == dropped[-1] + 1
