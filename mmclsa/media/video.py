"""Reading a video: a frame by its number, or a stretch in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclsa.errors import DataError
from mmclsa.media.pictures import MAX_PIXELS
from mmclsa.media.sampling import Sampling

if TYPE_CHECKING:
    import cv2

__all__ = ['VideoReader']

_ASSUMED_FPS = 25.0  # of a video that does not tell its own
_INHERITED: list[Any] = []  # decoders of a parent process


class VideoReader:
    """The frames of a video file, each exactly the one that its number says.

    The file is opened when it is first asked for something, and again in a
    forked or unpickled copy, for a decoder cannot be shared. Decoders do not
    seek exactly with every codec, so a frame that lies ahead is reached by
    decoding forward, and one that lies behind by decoding from the start.

    Args:
        path: Video file that OpenCV can decode.

    Attributes:
        path: As given, as a string.
        position: Number of the next frame that the decoder gives.

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
        self._capture: cv2.VideoCapture | None = None
        self._owner = os.getpid()
        self._num_frames = 0
        self._fps = 0.0

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
        if index >= 0 and self._seek(index):
            found, picture = self._opened().read()
            if found:
                self.position += 1
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
            Number and picture (H, W, 3), uint8, BGR. Ends early where the
            video does: ``position`` tells.

        Raises:
            DataError: If the file is missing, cannot be decoded or is too large.
        """
        sampling = sampling or Sampling()
        if not self._seek(start):
            return
        capture = self._opened()
        while stop is None or self.position < stop:
            frame = self.position
            if not capture.grab():
                return
            self.position += 1
            if sampling.wants(frame, self.fps):
                found, picture = capture.retrieve()
                if found:
                    yield frame, picture

    @property
    def broke_off(self) -> bool:
        """Whether the last frame read lies well before the end that the file announces.

        Containers count a frame more or less than there are; a second or a
        hundredth of the length is no damage.
        """
        slack = max(self.fps, self.num_frames / 100)
        return self.position < self.num_frames - slack

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
        """Decode up to a frame; False if the video ends before it."""
        if frame < self.position:
            self.close()  # the next to be opened begins at the start
        capture = self._opened()
        while self.position < frame and capture.grab():
            self.position += 1
        return self.position == frame

    def _opened(self) -> cv2.VideoCapture:
        """Give the decoder of this process, at ``position``."""
        self._leave_inherited()
        if self._capture is None:
            self._capture = self._open()
            self.position = 0
        return self._capture

    def _leave_inherited(self) -> None:
        """After a fork: put the parent's decoder aside, neither used nor freed.

        Freeing it would wait for its threads, which a fork does not copy.
        """
        if self._owner != os.getpid():
            _INHERITED.append(self._capture)
            self._capture = None
            self._owner, self.position = os.getpid(), 0

    def _open(self) -> cv2.VideoCapture:
        import cv2

        if not Path(self.path).is_file():
            raise DataError(f'video {self.path} is missing')
        capture = cv2.VideoCapture(self.path)
        if not capture.isOpened():
            raise DataError(f'video {self.path} is empty or broken and cannot be decoded by OpenCV')
        width = capture.get(cv2.CAP_PROP_FRAME_WIDTH)
        height = capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if width * height > MAX_PIXELS:
            raise DataError(f'video {self.path} is too large: {width:.0f} x {height:.0f}')
        self._num_frames = max(0, round(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        fps = capture.get(cv2.CAP_PROP_FPS)
        self._fps = fps if fps > 0 else _ASSUMED_FPS
        return capture

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__, _capture=None)
