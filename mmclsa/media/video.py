"""Reading a video: a frame by its number, or a stretch in order."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclsa.errors import DataError
from mmclsa.media.container import Container, read_container
from mmclsa.media.packet_times import number_at, read_packet_times
from mmclsa.media.pictures import MAX_PIXELS
from mmclsa.media.sampling import Sampling

if TYPE_CHECKING:
    import cv2

__all__ = ['VideoReader']

ASSUMED_FPS = 25.0  # of a video that does not tell its own
_MOST_FPS = 1e5
_POS_MSEC = 0  # cv2.CAP_PROP_POS_MSEC: OpenCV is imported when it is needed
# To decode so many frames takes about as long as to seek, which begins at a key frame.
_NEAR = 100
# So many frames at the start must come when the packets say: some decoders give
# the first ones at other times, or not at all.
_PROVEN = 8
# A decoder is sent so many frames too far back: it may come out later than it was sent.
_BEFORE = (3, 50, 400)
_INHERITED: list[Any] = []  # decoders of a parent process


class VideoReader:
    """The frames of a video file, each exactly the one that its number says.

    The file is opened when it is first asked for something, and again in a
    forked or unpickled copy, for a decoder cannot be shared. Decoders do not
    seek exactly with every codec, and count in frames where they mean time. So
    the container is asked when each frame is shown, the decoder is sent to a
    few frames before the wanted one, and goes on to it; it has come to the
    right one if that is shown at its time. Where it has not, or the container
    tells no such times, everything from the start on is decoded.

    Args:
        path: Video file that OpenCV can decode.

    Attributes:
        path: As given, as a string.
        position: Number of the next frame that the decoder gives.
        time: When the last frame that the decoder gave is shown, by the
            container, in seconds since the first. Where the container gives
            none, or one that is not later than that of the frame before, it is
            a frame's length later.

    Example:
        >>> video = VideoReader('camera1.mp4')
        >>> video[70].shape  # doctest: +SKIP
        (480, 640, 3)
        >>> [frame for frame, _ in video.read(0, 100, Sampling(every=50))]  # doctest: +SKIP
        [0, 50]
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self.position = 0
        self.time = 0.0
        self._first = 0.0  # the container's time of the first frame
        self._capture: cv2.VideoCapture | None = None
        self._owner = os.getpid()
        self._num_frames = 0
        self._fps = 0.0

    @cached_property
    def container(self) -> Container:
        """What the container says of the whole video."""
        return read_container(self.path)

    @cached_property
    def _times(self) -> np.ndarray | None:
        """When each frame is shown; None if that is not known."""
        return read_packet_times(self.path)

    @property
    def num_frames(self) -> int:
        """How many frames the file announces, perhaps one more or less than there are.

        Raises:
            DataError: If the file is missing, cannot be decoded or is too large.
        """
        if not self._fps:
            self._opened()
        return self._num_frames

    @property
    def fps(self) -> float:
        """Frames a second that the file announces; 25 if it does not.

        Raises:
            DataError: If the file is missing, cannot be decoded or is too large.
        """
        if not self._fps:
            self._opened()
        return self._fps

    def __getitem__(self, index: int) -> np.ndarray:
        """Read frame ``index`` (from 0): (H, W, 3), uint8, BGR.

        Raises:
            DataError: If the file is missing, cannot be decoded, is too large,
                or ends before.
        """
        if index >= 0 and self._seek(index) and self._grab(self._opened()):
            found, picture = self._opened().retrieve()
            if found:
                return picture
        raise DataError(f'video {self.path} has no frame {index} (counted from 0)')

    def read(
        self, start: int = 0, stop: int | None = None, sampling: Sampling | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Decode the wanted frames of a stretch; those between are decoded and dropped.

        Args:
            start: First frame.
            stop: End of the stretch; None for the end of the video.
            sampling: Which frames are wanted, counted from the video's first;
                None for all.

        Yields:
            Number and picture (H, W, 3), uint8, BGR; ``time`` tells when it is
            shown. Ends early where the video does: ``position`` tells.

        Raises:
            DataError: If the file is missing, cannot be decoded or is too large.
        """
        sampling = sampling or Sampling()
        if not self._seek(start):
            return
        capture = self._opened()
        while stop is None or self.position < stop:
            frame, before = self.position, self.time
            if not self._grab(capture):
                return
            if sampling.wants_at(frame, self.time, before):
                found, picture = capture.retrieve()
                if found:
                    yield frame, picture

    @property
    def broke_off(self) -> bool:
        """Whether the last frame read lies well before the end that the file announces.

        Containers count a frame more or less than there are; a second or a
        hundredth of the length is no damage. The number of frames is guessed
        from the length in some, wrongly where the rate varies, so both must lack.
        """
        slack = max(self.fps, self.num_frames / 100)
        length = self.container.duration or self.num_frames / self.fps
        return self.position < self.num_frames - slack and self.time + 1 / self.fps < length - max(
            1.0, length / 100
        )

    @property
    def damage(self) -> str:
        """After reading to the end: where the video breaks off, as a sentence; or empty."""
        if not self.broke_off:
            return ''
        return f'video {self.path} breaks off at frame {self.position} of {self.num_frames}'

    def close(self) -> None:
        """Free the decoder; what is asked for later opens the file again."""
        self._leave_inherited()
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _seek(self, frame: int) -> bool:
        """Come to a frame; False if the video ends before it."""
        if frame > _NEAR and not 0 <= frame - self.position <= _NEAR:
            self._jump(frame)
        if frame < self.position:
            self.close()  # the next to be opened begins at the start
        capture = self._opened()
        while self.position < frame and self._grab(capture):
            pass
        return self.position == frame

    def _jump(self, frame: int) -> None:
        """Send the decoder to a frame, if it comes there for certain."""
        times = self._times
        if times is None or frame >= len(times) or not self._agrees(times):
            return  # it is where it was, or a few frames on
        capture = self._opened()
        for before in _BEFORE:
            self.time = -1.0  # of no frame
            capture.set(_POS_MSEC, 1000 * (self._first + times[max(0, frame - before)]))
            came_to = number_at(times, self.time) if self._grab(capture) else None
            if came_to is not None and came_to < frame:
                self.position = came_to + 1
                while self.position < frame and self._grab(capture):
                    pass
                break
        if self.position != frame or number_at(times, self.time) != frame - 1:
            self.close()

    def _agrees(self, times: np.ndarray) -> bool:
        """Tell whether frames so far came when the packets say."""
        capture = self._opened()
        while self.position < _PROVEN:
            if not self._grab(capture) or number_at(times, self.time) != self.position - 1:
                return False
        return number_at(times, self.time) == self.position - 1

    def _grab(self, capture: cv2.VideoCapture) -> bool:
        """Let the decoder go on by a frame; False at the end."""
        if not capture.grab():
            return False
        shown = capture.get(_POS_MSEC) / 1000
        if self.position == 0:
            self._first, self.time = shown if math.isfinite(shown) else 0.0, 0.0
        elif shown - self._first > self.time:
            self.time = shown - self._first
        else:
            self.time += 1 / self._fps
        self.position += 1
        return True

    def _opened(self) -> cv2.VideoCapture:
        """Give the decoder of this process, at ``position``."""
        self._leave_inherited()
        if self._capture is None:
            self._capture = self._open()
            self.position, self.time = 0, 0.0
        return self._capture

    def _leave_inherited(self) -> None:
        """After a fork: put the parent's decoder aside, neither used nor freed.

        Freeing it would wait for its threads, which a fork does not copy.
        """
        if self._owner != os.getpid():
            _INHERITED.append(self._capture)
            self._capture = None
            self._owner, self.position, self.time = os.getpid(), 0, 0.0

    def _open(self) -> cv2.VideoCapture:
        import cv2

        if not os.path.isfile(self.path):  # which raises nothing where it may not look
            raise DataError(f'video {self.path} is missing')
        try:
            capture = cv2.VideoCapture(self.path)
            opened = capture.isOpened()
        except cv2.error as error:
            raise DataError(f'video {self.path} cannot be decoded by OpenCV ({error})') from error
        if not opened:
            raise DataError(f'video {self.path} is empty or broken and cannot be decoded by OpenCV')
        width = capture.get(cv2.CAP_PROP_FRAME_WIDTH)
        height = capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if width * height > MAX_PIXELS:
            raise DataError(f'video {self.path} is too large: {width:.0f} x {height:.0f}')
        count, fps = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
        # A frame is not less than a byte, so a larger number was never counted.
        counted = 0 < count <= Path(self.path).stat().st_size
        self._num_frames = round(count) if counted else 0
        self._fps = fps if 0 < fps < _MOST_FPS else ASSUMED_FPS
        return capture

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__, _capture=None)
        state.pop('_times', None)  # as large as the video is long, and soon read again
        return state
