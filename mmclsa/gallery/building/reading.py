"""From units of work to pictures that are ready for the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Union

import numpy as np

from mmclsa.datasets.transforms.loading import read_image
from mmclsa.errors import DataError
from mmclsa.gallery.building.embedder import Embedder
from mmclsa.gallery.building.pictures import read_header
from mmclsa.gallery.building.sources import SourceOptions, Unit
from mmclsa.gallery.building.video import VideoStream

__all__ = ['Failed', 'Finished', 'Ready', 'UnitReader']


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


@dataclass(frozen=True)
class Finished:
    """The end of a unit."""

    unit: Unit


Event = Union[Ready, Failed, Finished]
Job = Callable[[], Event]


class UnitReader:
    """Turn units into jobs that decode and prepare, one a picture.

    Going through :meth:`jobs` decodes videos, since their frames come in
    order; pictures are decoded by the jobs themselves, side by side.

    Args:
        embedder: Prepares the pictures.
        options: Of the sources.
    """

    def __init__(self, embedder: Embedder, options: SourceOptions) -> None:
        self.embedder = embedder
        self.options = options
        self._stream: VideoStream | None = None

    def jobs(self, units: Iterable[Unit]) -> Iterator[Job]:
        """List the jobs of units.

        Args:
            units: The units.

        Yields:
            Functions that return a :class:`Ready`, a :class:`Failed` or, after
            the last picture of a unit, a :class:`Finished`.
        """
        for unit in units:
            if unit.is_video:
                yield from self._video_jobs(unit)
            else:
                yield partial(self._load_picture, unit)
            yield partial(Finished, unit)
        if self._stream is not None:
            self._stream.close()

    def _load_picture(self, unit: Unit) -> Ready | Failed:
        try:
            taken = read_header(unit.source).time
            picture = read_image(unit.source)
        except DataError as error:
            return Failed(str(error))
        return Ready(0, self._time_of_picture(taken), self.embedder.prepare(picture))

    def _time_of_picture(self, taken: float | None) -> float:
        known = self.options.start_time if taken is None else taken
        return math.nan if known is None else known

    def _video_jobs(self, unit: Unit) -> Iterator[Job]:
        try:
            stream = self._open(unit)
        except DataError as error:
            yield partial(Failed, str(error))
            return
        begin = self.options.start_time or 0.0
        for frame, picture in stream.read(unit.start, unit.stop, self.options.sampling):
            yield partial(self._prepare, frame, begin + frame / stream.fps, picture)
        ended = unit.stop is None or stream.position < unit.stop
        if ended and stream.broke_off:
            yield partial(
                Failed,
                f'video {unit.source} breaks off at frame {stream.position} of {stream.num_frames}',
            )

    def _prepare(self, frame: int, time: float, picture: np.ndarray) -> Ready:
        return Ready(frame, time, self.embedder.prepare(picture))

    def _open(self, unit: Unit) -> VideoStream:
        """Go on with the open video, or open another."""
        stream = self._stream
        if stream is not None and stream.path == unit.source and stream.position <= unit.start:
            return stream
        if stream is not None:
            stream.close()
        self._stream = None
        self._stream = VideoStream(unit.source)
        return self._stream
