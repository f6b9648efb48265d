"""Which frames of a video are looked at."""

from __future__ import annotations

from dataclasses import dataclass

from mmclsa.errors import ConfigError

__all__ = ['Sampling']

_MOST_FPS = 1_000_000
_ROUNDING = 5e-4  # containers may round times to milliseconds


@dataclass(frozen=True)
class Sampling:
    """Which frames of a video are looked at.

    Attributes:
        every: Every N-th, the first among them.
        fps: Or this many frames per second of the video's own time, at most
            those that it has.

    Raises:
        ConfigError: If either is no positive number, or ``fps`` beyond a million.

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
        if self.fps is not None and self.fps > _MOST_FPS:
            raise ConfigError(f'fps must be at most {_MOST_FPS:,}, but is {self.fps}')

    def wants(self, frame: int, video_fps: float) -> bool:
        """Say whether a frame (from 0) of a video of constant rate is looked at.

        Args:
            frame: Its number.
            video_fps: Frames a second of the video.
        """
        return self.wants_at(frame, frame / video_fps, (frame - 1) / video_fps)

    def wants_at(self, frame: int, time: float, before: float) -> bool:
        """Say whether a frame (from 0) is looked at.

        Args:
            frame: Its number.
            time: When it is shown, seconds since the first frame.
            before: When the frame before it is shown.
        """
        if self.fps is None or frame == 0:
            return frame % self.every == 0
        return int((time + _ROUNDING) * self.fps) > int((before + _ROUNDING) * self.fps)
