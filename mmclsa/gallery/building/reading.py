"""From units of work to pictures that are ready for the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Union

import numpy as np

from mmclsa.errors import DataError
from mmclsa.gallery.building.embedder import Embedder
from mmclsa.gallery.building.units import SourceOptions, Unit
from mmclsa.media import VideoReader, read_header, read_picture

__all__ = ['Failed', 'Ready', 'UnitReader']


@dataclass(frozen=True)
class Ready:
    """A picture to be fed to the network."""

    frame: int
    time: float
    data: dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """What cannot be read, and why; the unit stays undone if it gave nothing at all."""

    reason: str


#: What a call gives; the unit itself comes at its end.
Event = Union[Ready, Failed, Unit]
EventCall = Callable[[], Event]


class UnitReader:
    """Turn units into calls that decode and prepare, one a picture.

    Going through :meth:`calls` decodes videos, since their frames come in
    order; pictures are decoded by the calls themselves, side by side.

    Args:
        embedder: Prepares the pictures.
        options: Of the sources.
        videos: Readers that are there already, by path; each is closed when its
            units have been read.
    """

    def __init__(
        self,
        embedder: Embedder,
        options: SourceOptions,
        videos: Mapping[str, VideoReader] | None = None,
    ) -> None:
        self.embedder = embedder
        self.options = options
        self._videos = videos or {}
        self._video: VideoReader | None = None

    def calls(self, units: Iterable[Unit]) -> Iterator[EventCall]:
        """List the calls that read units.

        Args:
            units: The units.

        Yields:
            Functions that return a :class:`Ready`, a :class:`Failed` or, after
            the last picture of a unit, the unit.
        """
        for unit in units:
            if unit.is_video:
                yield from self._video_calls(unit)
            else:
                yield partial(self._load_picture, unit)
            yield partial(_end_of, unit)
        if self._video is not None:
            self._video.close()

    def _load_picture(self, unit: Unit) -> Ready | Failed:
        try:
            taken = read_header(unit.source).time
            picture = read_picture(unit.source, max_pixels=None)
        except DataError as error:
            return Failed(str(error))
        return Ready(0, self._time_of_picture(taken), self.embedder.prepare(picture))

    def _time_of_picture(self, taken: float | None) -> float:
        known = self.options.start_time if taken is None else taken
        return math.nan if known is None else known

    def _video_calls(self, unit: Unit) -> Iterator[EventCall]:
        video = self._open(unit.source)
        begin = self.options.start_time or 0.0
        try:
            for frame, picture in video.read(unit.start, unit.stop, self.options.sampling):
                yield partial(self._prepare, frame, begin + frame / video.fps, picture)
        except DataError as error:
            yield partial(Failed, str(error))
            return
        ended = unit.stop is None or video.position < unit.stop
        if ended and video.broke_off:
            yield partial(Failed, video.damage)

    def _prepare(self, frame: int, time: float, picture: np.ndarray) -> Ready:
        return Ready(frame, time, self.embedder.prepare(picture))

    def _open(self, path: str) -> VideoReader:
        """Go on with the open video, or close it and take another."""
        if self._video is None or self._video.path != path:
            if self._video is not None:
                self._video.close()
            self._video = self._videos.get(path) or VideoReader(path)
        return self._video


def _end_of(unit: Unit) -> Unit:
    return unit
