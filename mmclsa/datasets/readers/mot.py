"""Reading MOTChallenge sequences: frames in a folder, or a video, and gt/gt.txt."""

from __future__ import annotations

import configparser
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mmclsa.errors import DataError
from mmclsa.media import VideoReader, is_picture, is_video, picture_size
from mmclsa.structures import Scene

__all__ = ['MOTSequence', 'read_mot_sequence', 'read_mot_sequences']

PEDESTRIAN = 1
# Person on vehicle, static person, distractor, reflection: neither people nor background.
LIKE_PEOPLE = (2, 7, 8, 12)


@dataclass(frozen=True)
class MOTSequence:
    """One sequence.

    Attributes:
        name: The folder's path below the data root; image keys start with it.
        folder: The folder itself.
        video: The video file; None where frames are images.
        scenes: One a frame, in order. ``image`` is
            ``name/img1/000001.jpg``, or ``name/clip.mp4#000001`` for a frame
            of a video (counted from 1, as in gt.txt).
    """

    name: str
    folder: Path
    video: Path | None
    scenes: list[Scene]


@dataclass(frozen=True)
class _Row:
    """A line of gt.txt that is a person or looks like one."""

    frame: int
    track: int
    box: tuple[float, float, float, float]
    ignore: bool


def read_mot_sequence(
    folder: str | Path,
    name: str | None = None,
    min_visibility: float = 0.0,
    min_height: float = 0.0,
) -> MOTSequence:
    """Read a sequence in MOTChallenge's layout.

    ``gt/gt.txt`` has the columns frame, id, x, y, w, h, flag, class,
    visibility (MOT16 and later) or frame, id, x, y, w, h, flag and three
    world coordinates (MOT15, which has no classes). People are flag 1,
    class 1. Classes 2, 7, 8 and 12 (on a vehicle, static, distractor,
    reflection) and people with flag 0 are ignored; vehicles and occluders are
    left out. Boxes are clipped to the picture.

    Args:
        folder: With ``gt/gt.txt``, perhaps ``seqinfo.ini``, and frames in
            ``img1`` (or seqinfo's imDir) or one video file.
        name: Prefix of image keys; None for the folder's name.
        min_visibility: People less visible than this (0..1) are ignored.
        min_height: People less tall than this (pixels) are ignored.

    Returns:
        The sequence; ``person_ids`` and ``track_ids`` are gt.txt's ids.

    Raises:
        DataError: If something is missing or a line is wrong.
    """
    folder = Path(folder)
    name = name or folder.name
    if not folder.is_dir():
        raise DataError(
            f'the MOTChallenge sequence {folder} is missing; docs/datasets.md tells what it should '
            'contain'
        )
    info = _sequence_info(folder)
    images, video = _find_frames(folder, info.get('imdir', 'img1'))
    rows = _read_gt(folder / 'gt' / 'gt.txt', min_visibility, min_height)
    width, height = _picture_size(folder, info, images, video)
    count = 0 if video is None else _announced_frames(video)
    numbers = set(images) | {row.frame for row in rows} | set(range(1, count + 1))
    by_frame: dict[int, list[_Row]] = {number: [] for number in numbers}
    for row in rows:
        by_frame[row.frame].append(row)
    missing = f'{name}/{info.get("imdir", "img1")}/%06d{info.get("imext", ".jpg")}'
    scenes = []
    for number in sorted(numbers):
        if video is not None:
            key = f'{name}/{video.name}#{number:06d}'
        elif number in images:
            key = f'{name}/{images[number].relative_to(folder).as_posix()}'
        else:
            key = missing % number
        scenes.append(_scene(key, by_frame[number], width, height))
    return MOTSequence(name, folder, video, scenes)


def read_mot_sequences(
    root: str | Path,
    names: Sequence[str],
    min_visibility: float = 0.0,
    min_height: float = 0.0,
) -> list[MOTSequence]:
    """Read several sequences as one data set.

    Args:
        root: The folder that ``names`` are relative to.
        names: Sequence folders, or patterns such as ``MOT17/train/*-FRCNN``.
        min_visibility: See :func:`read_mot_sequence`.
        min_height: See :func:`read_mot_sequence`.

    Returns:
        The sequences, with person ids 0..N-1 that are unique across them
        (MOTChallenge counts anew in each) and ``cam_id`` = index of the
        sequence.

    Raises:
        DataError: If a name fits no folder, or a sequence is broken.
    """
    root = Path(root)
    sequences: list[MOTSequence] = []
    first_id = 0
    for index, name in enumerate(_expand(root, names)):
        sequence = read_mot_sequence(root / name, name, min_visibility, min_height)
        tracks = np.unique(np.concatenate([s.person_ids[~s.ignore] for s in sequence.scenes]))
        scenes = [
            replace(
                scene,
                cam_id=index,
                person_ids=np.where(
                    scene.ignore, -1, first_id + np.searchsorted(tracks, scene.person_ids)
                ),
            )
            for scene in sequence.scenes
        ]
        first_id += len(tracks)
        sequences.append(replace(sequence, scenes=scenes))
    return sequences


def _expand(root: Path, names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        matches = [name]
        if any(sign in name for sign in '*?['):
            matches = sorted(p.relative_to(root).as_posix() for p in root.glob(name) if p.is_dir())
        if not matches:
            raise DataError(
                f'no MOTChallenge sequence fits {name} in {root}; docs/datasets.md tells how to '
                'get the data set'
            )
        found.extend(matches)
    return found


def _sequence_info(folder: Path) -> dict[str, str]:
    path = folder / 'seqinfo.ini'
    if not path.exists():
        return {}
    parser = configparser.ConfigParser()
    try:
        parser.read(path)
        return dict(parser['Sequence'])
    except (configparser.Error, KeyError, UnicodeDecodeError) as error:
        raise DataError(f'{path} is no ini file with a section [Sequence]') from error


def _find_frames(folder: Path, image_dir: str) -> tuple[dict[int, Path], Path | None]:
    """Find the images by frame number, or the one video."""
    images = {
        int(path.stem): path
        for path in sorted((folder / image_dir).glob('*'))
        if is_picture(path) and path.stem.isdigit()
    }
    if images:
        return images, None
    videos = [p for p in sorted(folder.iterdir()) if is_video(p)]
    if len(videos) != 1:
        raise DataError(
            f'the sequence {folder} needs frames in {image_dir}/ or one video file, but has '
            f'{len(videos)} videos and no frames; see docs/datasets.md'
        )
    return {}, videos[0]


def _picture_size(
    folder: Path, info: dict[str, str], images: dict[int, Path], video: Path | None
) -> tuple[int, int]:
    try:
        return int(info['imwidth']), int(info['imheight'])
    except ValueError as error:
        raise DataError(f'{folder / "seqinfo.ini"}: imWidth or imHeight is no number') from error
    except KeyError:
        if video is None:
            return picture_size(images[min(images)])
        height, width = VideoReader(video)[0].shape[:2]
        return width, height


def _announced_frames(video: Path) -> int:
    try:
        return VideoReader(video).num_frames
    except DataError:
        return 0  # the annotated frames are scenes all the same; loading them tells what is wrong


def _read_gt(path: Path, min_visibility: float, min_height: float) -> list[_Row]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f'annotation {path} is missing or unreadable; docs/datasets.md tells what a '
            'MOTChallenge sequence contains'
        ) from error
    rows = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            row = _read_row(line, f'{path} line {number}', min_visibility, min_height)
            if row is not None:
                rows.append(row)
    if not rows:
        raise DataError(f'annotation {path} has no people (flag 1, class 1)')
    return rows


def _read_row(line: str, where: str, min_visibility: float, min_height: float) -> _Row | None:
    """Read a line; None if it is neither a person nor like one."""
    try:
        values = [float(v) for v in line.split(',')]
    except ValueError as error:
        raise DataError(f'{where} has a column that is no number: {line.strip()}') from error
    if len(values) < 7 or not all(map(math.isfinite, values)):
        raise DataError(f'{where} needs at least 7 finite columns (frame, id, x, y, w, h, flag)')
    frame, track, x, y, width, height, flag = values[:7]
    # MOT15 has world coordinates where later years have class and visibility.
    has_class = len(values) in (8, 9)
    kind = int(values[7]) if has_class else PEDESTRIAN
    visibility = values[8] if len(values) == 9 else 1.0
    if frame < 1:
        raise DataError(f'{where} has frame {frame:g}, but frames count from 1')
    if kind not in (PEDESTRIAN, *LIKE_PEOPLE):
        return None
    person = flag == 1 and kind == PEDESTRIAN
    ignore = not person or visibility < min_visibility or height < min_height
    return _Row(int(frame), int(track), (x, y, x + width, y + height), ignore)


def _scene(key: str, rows: Sequence[_Row], width: int, height: int) -> Scene:
    boxes: np.ndarray = np.array([row.box for row in rows], dtype=np.float64).reshape(-1, 4)
    boxes = np.clip(boxes, 0, [width, height, width, height])
    kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    tracks = np.array([row.track for row in rows], dtype=np.int64)[kept]
    return Scene(
        image=key,
        boxes=boxes[kept],
        person_ids=tracks,
        ignore=np.array([row.ignore for row in rows], dtype=bool)[kept],
        track_ids=tracks,
        width=width,
        height=height,
    )
