"""From folders, videos and lists to units of work."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmclsa.errors import DataError, UserError
from mmclsa.gallery.building.pictures import IMAGE_SUFFIXES
from mmclsa.gallery.building.video import VIDEO_SUFFIXES, Sampling, VideoStream

__all__ = ['Plan', 'SourceOptions', 'Unit', 'list_files', 'plan_units']

FRAMES_PER_UNIT = 500
LIST_SUFFIXES = ('.txt', '.lst', '.list')


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
    """

    units: list[Unit]
    skipped: dict[str, str]


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
    units: dict[str, Unit] = {}
    skipped: dict[str, str] = {}
    for source in sources:
        files = list_files(source)
        if not files:
            raise UserError(f'the source {source} has no picture and no video in it')
        for path in files:
            found = _units_of(path, sampling or Sampling())
            if isinstance(found, str):
                skipped[path] = found
            else:
                units.update((unit.key, unit) for unit in found)
    return Plan(list(units.values()), skipped)


def list_files(source: str | Path) -> list[str]:
    """List the pictures and videos of a source.

    Args:
        source: A folder, a picture, a video, or a list of these.

    Returns:
        Absolute paths; of a folder all below it, sorted, hidden ones left
        out; of a list in its order, files that are missing among them.

    Raises:
        UserError: If the source does not exist or is of no known kind.
    """
    path = Path(os.path.abspath(source))
    if path.is_dir():
        return sorted(_walk(path))
    if not path.is_file():
        raise UserError(f'the source {source} does not exist')
    if _is_media(path.name):
        return [str(path)]
    if path.suffix.lower() in LIST_SUFFIXES:
        return list(_read_list(path))
    raise UserError(
        f'the source {source} must be a folder, a picture ({", ".join(IMAGE_SUFFIXES)}), a video '
        f'({", ".join(VIDEO_SUFFIXES)}) or a list ({", ".join(LIST_SUFFIXES)})'
    )


def _walk(folder: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith('.')]
        yield from (
            os.path.join(parent, name)
            for name in files
            if _is_media(name) and not name.startswith('.')
        )


def _read_list(path: Path) -> Iterator[str]:
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'the list {path} cannot be read as UTF-8 text: {error}') from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        entry = Path(os.path.abspath(path.parent / line.strip()))
        if entry.is_dir():
            yield from sorted(_walk(entry))
        elif _is_media(entry.name):
            yield str(entry)
        else:
            raise UserError(
                f'line {number} of the list {path} must be a folder, a picture or a video, but is '
                f'{line.strip()[:200]!r}'
            )


def _is_media(name: str) -> bool:
    return name.lower().endswith((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))


def _units_of(path: str, sampling: Sampling) -> list[Unit] | str:
    """List a file's units, or say why it has none."""
    try:
        path.encode()
        return (
            _video_units(path, sampling) if path.lower().endswith(VIDEO_SUFFIXES) else [Unit(path)]
        )
    except UnicodeEncodeError:
        return f'the name of {os.fsencode(path)!r} is not UTF-8'
    except DataError as error:
        return str(error)


def _video_units(path: str, sampling: Sampling) -> list[Unit]:
    stream = VideoStream(path)
    total, fps = stream.num_frames, stream.fps
    stream.close()
    units = []
    for start in range(0, max(1, total), FRAMES_PER_UNIT):
        stop = start + FRAMES_PER_UNIT
        last = stop >= total
        wanted = sum(sampling.wants(i, fps) for i in range(start, min(stop, total)))
        units.append(Unit(path, True, start, None if last else stop, wanted))
    return units
