"""Which frames of a video are looked at."""

from __future__ import annotations

from dataclasses import dataclass

from mmclsa.errors import ConfigError

__all__ = ['Sampling']


@dataclass(frozen=True)
class Sampling:
    """Which frames of a video are looked at.

    Attributes:
        every: Every N-th, the first among them.
        fps: Or this many frames per second, at most those that the video has.

    Raises:
        ConfigError: If either is no positive number.

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
