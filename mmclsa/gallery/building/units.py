"""From sources of footage to units of work."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mmclsa.errors import DataError, UserError
from mmclsa.media import Sampling, VideoReader, is_video, list_files

__all__ = ['Plan', 'SourceOptions', 'Unit', 'plan_units', 'split_units']

FRAMES_PER_UNIT = 500
_MAX_OPEN = 8  # decoders hold threads and memory


@dataclass(frozen=True)
class SourceOptions:
    """What holds for all sources of a build.

    Attributes:
        sampling: Which frames of videos are looked at.
        camera: Name of the camera; empty if unknown.
        start_time: Time of a video's first frame, and of pictures that do not
            tell theirs, seconds since 1970; None: videos start at 0, pictures
            have no time.
    """

    sampling: Sampling = field(default_factory=Sampling)
    camera: str = ''
    start_time: float | None = None


@dataclass(frozen=True)
class Unit:
    """A piece of work: it enters the index whole or not at all.

    A picture is one unit, a video a unit for every 500 frames. Which unit a
    picture belongs to does not change when others join its folder.

    Attributes:
        source: Absolute path of the file.
        is_video: Whether it is a video.
        start: First frame.
        stop: End of its frames; None: up to the end of the video.
        num_frames: How many pictures it is expected to give.
    """

    source: str
    is_video: bool = False
    start: int = 0
    stop: int | None = None
    num_frames: int = 1

    @property
    def key(self) -> str:
        """The unit's name in the index."""
        return f'{self.source}#{self.start:08d}' if self.is_video else self.source


@dataclass(frozen=True)
class Plan:
    """What there is to do.

    Attributes:
        units: In order, no unit twice.
        skipped: Files that cannot even be opened, and why.
        videos: Readers of the first videos, by path, left open for whoever
            reads the units; the other videos are opened again.
    """

    units: Sequence[Unit]
    skipped: Mapping[str, str] = field(default_factory=dict)
    videos: Mapping[str, VideoReader] = field(default_factory=dict, compare=False, repr=False)

    @property
    def num_pictures(self) -> int:
        """How many pictures the units are expected to give."""
        return sum(unit.num_frames for unit in self.units)

    def pending(self, done: Container[str]) -> Plan:
        """Leave out what is done.

        Args:
            done: Keys of units.

        Returns:
            The plan of the other units.
        """
        return replace(self, units=[unit for unit in self.units if unit.key not in done])


def plan_units(sources: Sequence[str | Path], sampling: Sampling | None = None) -> Plan:
    """List the units of work of some sources.

    Args:
        sources: Folders (pictures and videos below them), pictures, videos,
            and lists of these: text files with a path on each line, relative
            to the list.
        sampling: Which frames of videos will be looked at.

    Returns:
        The plan.

    Raises:
        UserError: If a source does not exist or has nothing in it.
    """
    units: list[Unit] = []
    skipped: dict[str, str] = {}
    videos: dict[str, VideoReader] = {}
    for path in _files_of(sources):
        found = _units_of(path, sampling or Sampling(), videos)
        if isinstance(found, str):
            skipped[path] = found
        else:
            units += found
    return Plan(units, skipped, videos)


def _files_of(sources: Sequence[str | Path]) -> list[str]:
    """List the files of all sources, each once."""
    files: dict[str, None] = {}
    for source in sources:
        found = list_files(source)
        if not found:
            raise UserError(f'the source {source} has no picture and no video in it')
        files.update(dict.fromkeys(found))
    return list(files)


def _units_of(path: str, sampling: Sampling, videos: dict[str, VideoReader]) -> list[Unit] | str:
    """List a file's units, or say why it has none."""
    try:
        path.encode()
        return _video_units(path, sampling, videos) if is_video(path) else [Unit(path)]
    except UnicodeEncodeError:
        return f'the name of {os.fsencode(path)!r} is not UTF-8'
    except DataError as error:
        return str(error)


def _video_units(path: str, sampling: Sampling, videos: dict[str, VideoReader]) -> list[Unit]:
    """List the units of a video, and leave it open among the others if they are few."""
    video = VideoReader(path)
    total, fps = video.num_frames, video.fps
    if len(videos) < _MAX_OPEN:
        videos[path] = video
    else:
        video.close()
    units = []
    for start in range(0, max(1, total), FRAMES_PER_UNIT):
        stop = start + FRAMES_PER_UNIT
        last = stop >= total
        wanted = sum(sampling.wants(i, fps) for i in range(start, min(stop, total)))
        units.append(Unit(path, True, start, None if last else stop, wanted))
    return units


def split_units(units: Sequence[Unit], parts: int) -> list[list[Unit]]:
    """Share units out: neighbours together, so that a video is decoded in one go.

    Args:
        units: All units.
        parts: How many shares there are to be.

    Returns:
        The shares, in order, with about as many pictures each; some may be empty.

    Example:
        >>> units = [Unit(str(n)) for n in range(5)]
        >>> [[unit.source for unit in share] for share in split_units(units, 2)]
        [['0', '1'], ['2', '3', '4']]
    """
    # A stretch of a video without a wanted frame has to be gone through all the same.
    ends = np.cumsum([0, *(max(1, unit.num_frames) for unit in units)])
    bounds = [int(ends[-1]) * part // parts for part in range(parts + 1)]
    cuts = np.searchsorted(ends[1:], bounds, 'right')
    return [list(units[low:high]) for low, high in zip(cuts, cuts[1:])]
