"""From sources of footage to units of work."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mmclsa.errors import ConfigError, DataError
from mmclsa.media import (
    NamePattern,
    Sampling,
    VideoReader,
    find_footage,
    is_video,
    special_kind,
)
from mmclsa.utils.errors import reason_of

__all__ = [
    'DETECTION',
    'ROW_UNITS',
    'SIGHTING',
    'Plan',
    'SourceOptions',
    'Unit',
    'plan_units',
    'split_units',
    'units_of',
]

SIGHTING, DETECTION = 'sighting', 'detection'
#: What a row of an index may be.
ROW_UNITS = (SIGHTING, DETECTION)
FRAMES_PER_UNIT = 500
# A normalised path has no two slashes, but perhaps at its start.
_KEY = re.compile(r'(?P<source>.+?)(?:#\d{8,})?(?://(?P<stamp>\d+-\d+))?', re.DOTALL)
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
        unit: What a row of the index is, one of :data:`ROW_UNITS`: in a video a
            sighting (a person seen for a while), or each detection. In a picture
            it is a detection in either case.
        crops: Whether each row keeps a small picture of the person.

    Raises:
        ConfigError: If there is no such unit.
    """

    sampling: Sampling = field(default_factory=Sampling)
    camera: str = ''
    start_time: float | None = None
    unit: str = SIGHTING
    crops: bool = True

    def __post_init__(self) -> None:
        if self.unit not in ROW_UNITS:
            raise ConfigError(f'unit must be one of {", ".join(ROW_UNITS)}, but is {self.unit!r}')


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
        stamp: Size of the file and when it was written, which tell whether it
            is still the same; empty if unknown.
        camera: Name of the camera by the file's name; empty if that tells none.
        start_time: Time of the first frame by the file's name, seconds since
            1970; None if that tells none.
    """

    source: str
    is_video: bool = False
    start: int = 0
    stop: int | None = None
    num_frames: int = 1
    stamp: str = ''
    camera: str = ''
    start_time: float | None = None

    @property
    def place(self) -> str:
        """The unit's name in an index of mmclsa 0.1, which did not see that files change."""
        return f'{self.source}#{self.start:08d}' if self.is_video else self.source

    @property
    def key(self) -> str:
        """The unit's name in the index."""
        return f'{self.place}//{self.stamp}' if self.stamp else self.place


@dataclass(frozen=True)
class Plan:
    """What there is to do.

    Attributes:
        units: In order, no unit twice.
        skipped: Files that cannot even be opened, and why.
        passed_over: How many files that are no footage lie among it, by kind.
        unnamed: Files whose name is not of the pattern.
        videos: Readers of the first videos, by path, left open for whoever
            reads the units; the other videos are opened again.
    """

    units: Sequence[Unit]
    skipped: Mapping[str, str] = field(default_factory=dict)
    passed_over: Mapping[str, int] = field(default_factory=dict)
    unnamed: Sequence[str] = ()
    videos: Mapping[str, VideoReader] = field(default_factory=dict, compare=False, repr=False)

    @property
    def num_pictures(self) -> int:
        """How many pictures the units are expected to give."""
        return sum(unit.num_frames for unit in self.units)

    def pending(self, done: Collection[str]) -> Plan:
        """Leave out what is done.

        Args:
            done: Keys of units.

        Returns:
            The plan of the other units.
        """
        left = [unit for unit in self.units if unit.key not in done and unit.place not in done]
        return replace(self, units=left)

    def outdated(self, done: Collection[str]) -> dict[str, list[str]]:
        """Find the files that have changed since an index has looked at them.

        Args:
            done: Keys of units, of any files.

        Returns:
            The keys of all units of each file that has changed, by its path. A
            key without a stamp alone does not tell that it has.
        """
        stamps = {unit.source: unit.stamp for unit in self.units if unit.stamp}
        current = {unit.key for unit in self.units}
        changed = set()
        for key in done:
            if key not in current:
                source, stamp = _parse_key(key)
                if stamp and stamps.get(source, stamp) != stamp:
                    changed.add(source)
        keys: dict[str, list[str]] = {source: [] for source in sorted(changed)}
        for key in sorted(done) if changed else ():
            source, _ = _parse_key(key)
            if source in keys:
                keys[source].append(key)
        return keys


def units_of(keys: Collection[str], sources: Collection[str]) -> list[str]:
    """Choose the units of some files.

    Args:
        keys: Keys of units, of any files.
        sources: Paths of files.

    Returns:
        The keys of their units, sorted.

    Example:
        >>> units_of(['/a.avi#00000000//9-1', '/a.avi#00000500//9-1', '/b.jpg'], ['/a.avi'])
        ['/a.avi#00000000//9-1', '/a.avi#00000500//9-1']
    """
    wanted = set(sources)
    return sorted(key for key in keys if _parse_key(key)[0] in wanted)


def _parse_key(key: str) -> tuple[str, str]:
    """Give source and stamp of a unit's key; the stamp may be empty."""
    found = _KEY.fullmatch(key)
    return (found['source'], found['stamp'] or '') if found is not None else (key, '')


def plan_units(
    sources: Sequence[str | Path],
    sampling: Sampling | None = None,
    names: NamePattern | None = None,
) -> Plan:
    """List the units of work of some sources.

    Args:
        sources: Folders (pictures and videos below them, and below links to
            folders), pictures, videos, patterns such as ``~/cam*/*.jpg``, and
            lists of these: text files with a source on each line, relative to
            the list.
        sampling: Which frames of videos will be looked at.
        names: What the names of the files tell.

    Returns:
        The plan.

    Raises:
        UserError: If a source does not exist, has nothing in it, or is the
            address of a stream.
    """
    footage = find_footage(sources)
    units: list[Unit] = []
    skipped = dict(footage.skipped)
    videos: dict[str, VideoReader] = {}
    unnamed = []
    for path in footage.files:
        try:
            found = _units_of(path, sampling or Sampling(), videos)
        except Exception as error:  # one file never stops a build
            skipped[path] = reason_of(error, path)
            continue
        named = None if names is None else names.match(path)
        if named is not None:
            found = [replace(u, camera=named.camera or '', start_time=named.time) for u in found]
        elif names is not None:
            unnamed.append(path)
        units += found
    return Plan(units, skipped, dict(footage.passed_over), unnamed, videos)


def _units_of(path: str, sampling: Sampling, videos: dict[str, VideoReader]) -> list[Unit]:
    """List a file's units."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise DataError(f'the name of {os.fsencode(path)!r} is not UTF-8') from error
    stamp = _stamp(path)
    if not is_video(path):
        return [Unit(path, stamp=stamp)]
    return [replace(unit, stamp=stamp) for unit in _video_units(path, sampling, videos)]


def _stamp(path: str) -> str:
    """Tell a state of a file from others; empty if it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return ''
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f'{path} is a {special_kind(path) or "folder"}, not a file')
    return f'{status.st_size}-{max(0, status.st_mtime_ns)}'


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
