"""Going through a video once, from front to back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery.building.pictures import MAX_PIXELS

__all__ = ['VIDEO_SUFFIXES', 'Sampling', 'VideoStream']

VIDEO_SUFFIXES = (
    *('.mp4', '.avi', '.mkv', '.mov', '.webm', '.m4v'),
    *('.mpg', '.mpeg', '.ts', '.wmv', '.flv'),
)


@dataclass(frozen=True)
class Sampling:
    """Which frames of a video are looked at.

    Attributes:
        every: Every N-th, the first among them.
        fps: Or so many a second, at most those that the video has.

    Example:
        >>> [i for i in range(10) if Sampling(every=4).wants(i, 25.0)]
        [0, 4, 8]
        >>> [i for i in range(10) if Sampling(fps=10).wants(i, 25.0)]
        [0, 3, 5, 8]
    """

    every: int = 1
    fps: float | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f'every must be at least 1, but is {self.every}')
        if self.fps is not None and not self.fps > 0:
            raise ConfigError(f'fps must be above 0, but is {self.fps}')

    def wants(self, frame: int, video_fps: float) -> bool:
        """Say whether a frame (from 0) is looked at.

        Args:
            frame: Its number.
            video_fps: Frames a second of the video.
        """
        if self.fps is None:
            return frame % self.every == 0
        ratio = min(1.0, self.fps / video_fps)
        return frame == 0 or int(frame * ratio) > int((frame - 1) * ratio)


class VideoStream:
    """Frames of a video in order; what lies between is decoded and dropped.

    Seeking is not exact with every codec, so going back starts anew.

    Args:
        path: Video file that OpenCV can decode.

    Raises:
        DataError: If it is missing, cannot be decoded or is too large.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self.position = 0
        if not Path(path).is_file():
            raise DataError(f'video {path} is missing')
        self._capture = cv2.VideoCapture(self.path)
        if not self._capture.isOpened():
            raise DataError(f'video {path} is empty or broken and cannot be opened')
        self.num_frames = max(0, round(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if fps > 0 else 25.0
        width, height = (
            self._capture.get(name)
            for name in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        if width * height > MAX_PIXELS:
            raise DataError(f'video {path} is too large: {width:.0f} x {height:.0f}')

    def read(
        self, start: int, stop: int | None, sampling: Sampling
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Decode the wanted frames of a stretch.

        Args:
            start: First frame, at or after ``position``.
            stop: End of the stretch; None for the end of the video.
            sampling: Which frames are wanted.

        Yields:
            Number and picture (H, W, 3), uint8, BGR. Ends early where the
            video does: ``position`` tells.
        """
        while stop is None or self.position < stop:
            frame = self.position
            if not self._capture.grab():
                return
            self.position += 1
            if frame >= start and sampling.wants(frame, self.fps):
                found, picture = self._capture.retrieve()
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

    def close(self) -> None:
        """Free the decoder."""
        self._capture.release()
