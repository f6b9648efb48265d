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
# So many frames' lengths from where a constant rate has it, a frame is on time.
_ON_TIME = 0.25
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

    A number is the container's, in whatever order frames are read: those that a
    damaged file does not give are counted, and :attr:`lost` tells how many.

    Args:
        path: Video file that OpenCV can decode.

    Attributes:
        path: As given, as a string.
        position: Number of the next frame that the decoder gives.
        lost: How many frames of the stretch read last the container has and the
            decoder did not give, where it left out several in a row.
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
        self.lost = 0
        self._first = 0.0  # the container's time of the first frame
        self._opening: list[float] = []  # times of the first frames
        self._held: tuple[int, float] | None = None  # number and time of one not yet given
        self._stumbled = False  # whether the decoder has left out frames, or come to an end
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

    @cached_property
    def _shortest(self) -> float:
        """The shortest time between two frames, by their packets."""
        return 0.0 if self._times is None else float(np.diff(self._times).min())

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
        if index >= 0 and self._seek(index) and self._grab(index + 1):
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
        self.lost = 0
        if not self._seek(start):
            return
        self.lost = 0  # on the way there
        while stop is None or self.position < stop:
            before = self.time
            if not self._grab(stop):
                return
            frame = self.position - 1
            if sampling.wants_at(frame, self.time, before):
                found, picture = self._opened().retrieve()
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
        """After reading to the end: where the video breaks off, as a sentence; or :attr:`loss`."""
        if not self.broke_off:
            return self.loss
        return f'video {self.path} breaks off at frame {self.position} of {self.num_frames}'

    @property
    def loss(self) -> str:
        """What is lost of the stretch read last, as a sentence; or empty."""
        if not self.lost:
            return ''
        before = f'{self.lost} frames before frame {self.position}'
        return f'video {self.path} is damaged: {before} cannot be decoded'

    def close(self) -> None:
        """Free the decoder; what is asked for later opens the file again."""
        self._leave_inherited()
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _seek(self, frame: int) -> bool:
        """Come to a frame; False if the video ends before it."""
        if self._stumbled:
            self.close()  # what comes must not depend on what was read before
            self._opened()
        if frame > _NEAR and not 0 <= frame - self.position <= _NEAR:
            self._jump(frame)
        if frame < self.position:
            self.close()  # the next to be opened begins at the start
        self._opened()
        while self.position < frame and self._grab(frame):
            pass
        return self.position == frame

    def _jump(self, frame: int) -> None:
        """Send the decoder to a frame, if it comes there for certain."""
        times = self._times
        if times is None or frame >= len(times) or not self._agrees():
            return  # it is where it was, or a few frames on
        for before in _BEFORE:
            self._held, self.position, self.time = None, _PROVEN, -1.0  # of no frame
            sought = 1000 * (self._first + times[max(0, frame - before)])
            self._opened().set(_POS_MSEC, sought)
            came_to = self._fetch()
            if came_to is not None and came_to < frame:
                self.position = came_to
                while self.position < frame and self._grab(frame):
                    pass
                break
        if self.position != frame or self._number_at(self.time) != frame - 1:
            self.close()

    def _agrees(self) -> bool:
        """Tell whether frames so far came when the packets say."""
        self._opened()
        while self.position < _PROVEN:
            if not self._grab():
                return False
        return self._number_at(self.time) == self.position - 1

    def _number_at(self, time: float) -> int | None:
        """Find the frame shown at a time; None if the packets do not tell for certain."""
        if len(self._opening) < _PROVEN or self._times is None or not self._proven:
            return None
        return number_at(self._times, time, self._shortest)

    @cached_property
    def _proven(self) -> bool:
        """Whether the first frames came when the packets say."""
        times, shortest = self._times, self._shortest
        return times is not None and all(
            number_at(times, time, shortest) == number for number, time in enumerate(self._opening)
        )

    def _grab(self, stop: int | None = None) -> bool:
        """Let the decoder go on by a frame; False at the end, or if the next is not before stop."""
        if self._held is None:
            self._fetch()
        if self._held is None:
            self._stumbled = True
            return False
        number, time = self._held
        reached = number if stop is None else min(number, stop)
        if number > self.position:
            self._stumbled = True
            self.lost += reached - self.position if number > self.position + 1 else 0
        self.position = reached
        if reached == stop:
            return False
        self._held = None
        self.position, self.time = number + 1, time
        return True

    def _fetch(self) -> int | None:
        """Let the decoder go on by a frame and hold it.

        Returns:
            Its number by the packets; None at the end, or where they do not tell.
        """
        capture = self._opened()
        if not capture.grab():
            return None
        shown = capture.get(_POS_MSEC) / 1000
        if self.position == 0:
            self._first, time = shown if math.isfinite(shown) else 0.0, 0.0
        elif shown - self._first > self.time:
            time = shown - self._first
        else:
            time = self.time + 1 / self._fps
        if self.position == len(self._opening) < _PROVEN:
            self._opening.append(time)
        found = self._number_at(time) if self._is_irregular(time) else self.position
        self._held = self.position if found is None else max(self.position, found), time
        return found

    def _is_irregular(self, time: float) -> bool:
        """Tell whether the packets must be asked which frame is shown at a time."""
        if self.position < _PROVEN:
            return False
        return abs(time * self._fps - self.position) > _ON_TIME

    def _opened(self) -> cv2.VideoCapture:
        """Give the decoder of this process, at ``position``."""
        self._leave_inherited()
        if self._capture is None:
            self._capture = self._open()
            self._restart()
        return self._capture

    def _leave_inherited(self) -> None:
        """After a fork: put the parent's decoder aside, neither used nor freed.

        Freeing it would wait for its threads, which a fork does not copy.
        """
        if self._owner != os.getpid():
            _INHERITED.append(self._capture)
            self._capture = None
            self._owner = os.getpid()
            self._restart()

    def _restart(self) -> None:
        self.position, self.time, self._held, self._stumbled = 0, 0.0, None, False

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
        state['_held'], state['_stumbled'] = None, False
        state.pop('_times', None)  # as large as the video is long, and soon read again
        return state
