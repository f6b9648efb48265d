"""From units of work to pictures that are ready for the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Union

import numpy as np

from mmclsa.gallery.building.embedder import PROBE, Embedder
from mmclsa.gallery.building.units import SourceOptions, Unit
from mmclsa.media import VideoReader, read_header, read_picture
from mmclsa.utils.errors import reason_of

__all__ = ['CLOCKS', 'Failed', 'Ready', 'UnitReader', 'first_known']

BY_NAME, BY_EXIF, BY_CONTAINER = 'name', 'EXIF', 'container'
#: Where the time of a file may be from, and how that is called.
CLOCKS = {
    BY_NAME: 'by name',
    BY_EXIF: 'by EXIF',
    BY_CONTAINER: 'by the creation time that the video file notes',
}


@dataclass(frozen=True)
class Ready:
    """A picture to be fed to the network.

    Attributes:
        frame: From 0; 0 for a picture.
        time: Seconds since 1970 or since the video's start; NaN if unknown.
        data: What the embedder has prepared.
        clock: Where the time is from, one of :data:`CLOCKS`; empty if the
            command says it, or nothing does.
        name: What it is called in messages.
        in_video: Whether it is a frame of a video.
        size: Height and width of the picture.
        picture: The picture itself, (H, W, 3), uint8, BGR; None where no crops are
            kept.
    """

    frame: int
    time: float
    data: dict[str, Any]
    clock: str = ''
    name: str = ''
    in_video: bool = False
    size: tuple[int, int] = (0, 0)
    picture: np.ndarray | None = None


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
        except Exception as error:  # one file never stops a build
            return Failed(reason_of(error, unit.source))
        time, clock = first_known(
            (unit.start_time, BY_NAME), (taken, BY_EXIF), (self.options.start_time, '')
        )
        return self._prepare(unit, 0, math.nan if time is None else time, clock, picture)

    def _video_calls(self, unit: Unit) -> Iterator[EventCall]:
        try:
            yield from self._frame_calls(unit, self._open(unit.source))
        except Exception as error:  # one file never stops a build
            self._video = None  # who knows where it is
            yield partial(Failed, reason_of(error, unit.source))

    def _frame_calls(self, unit: Unit, video: VideoReader) -> Iterator[EventCall]:
        begin, clock = first_known(
            (unit.start_time, BY_NAME),
            (self.options.start_time, ''),
            (video.container.created, BY_CONTAINER),
        )
        given = False
        for frame, picture in video.read(unit.start, unit.stop, self.options.sampling):
            given = True
            time = (begin or 0.0) + video.time
            yield partial(self._prepare, unit, frame, time, clock, picture)
        ended = unit.stop is None or video.position < unit.stop
        if unit.start == 0 and not given:
            yield partial(Failed, f'video {unit.source} has no frame that can be decoded')
        elif damage := video.damage if ended else video.loss:
            yield partial(Failed, damage)

    def _prepare(
        self, unit: Unit, frame: int, time: float, clock: str, picture: np.ndarray
    ) -> Ready | Failed:
        name = f'{unit.source}, frame {frame},' if unit.is_video else unit.source
        try:
            data = self.embedder.prepare(picture)
        except Exception as error:  # one picture never stops a build
            self.embedder.prepare(PROBE)  # raises if it is not the picture
            return Failed(reason_of(error, name))
        kept = picture if self.options.crops else None
        size = (picture.shape[0], picture.shape[1])
        return Ready(frame, time, data, clock, name, unit.is_video, size, kept)

    def _open(self, path: str) -> VideoReader:
        """Go on with the open video, or close it and take another."""
        if self._video is None or self._video.path != path:
            if self._video is not None:
                self._video.close()
            self._video = self._videos.get(path) or VideoReader(path)
        return self._video


def first_known(*times: tuple[float | None, str]) -> tuple[float | None, str]:
    """Give the first time that is known, and where it is from.

    Example:
        >>> first_known((None, 'name'), (5.0, 'EXIF'))
        (5.0, 'EXIF')
    """
    return next(((time, clock) for time, clock in times if time is not None), (None, ''))


def _end_of(unit: Unit) -> Unit:
    return unit
