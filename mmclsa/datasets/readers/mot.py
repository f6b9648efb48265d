"""Reading MOTChallenge sequences: frames in a folder, or a video, and gt/gt.txt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np

from mmclsa.datasets.readers.mot_classes import classes_of, read_labels
from mmclsa.datasets.readers.mot_folders import FoundSequences, find_sequences, split_root
from mmclsa.datasets.readers.mot_frames import Frames, count_frames, find_frames, read_seqinfo
from mmclsa.datasets.readers.mot_matching import group_by_frame, small_ids
from mmclsa.datasets.readers.mot_text import MOTRow, read_gt_lines
from mmclsa.errors import DataError
from mmclsa.structures import Scene

__all__ = [
    'MOTSequence',
    'describe_reading',
    'join_reports',
    'read_mot_sequence',
    'read_mot_sequences',
]

CountFrames = Callable[[Path], int]

#: A reason of leaving out that MOTChallenge's own files are full of.
OTHER_CLASSES = 'lines of other classes'
_TOLD = 10


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
        left_out: How many lines and files are not in the scenes, by reason.
        disagreements: Sentences on where the files say different things.
    """

    name: str
    folder: Path
    video: Path | None
    scenes: list[Scene]
    left_out: Mapping[str, int] = field(default_factory=dict)
    disagreements: Sequence[str] = ()


def read_mot_sequence(
    folder: str | Path,
    name: str | None = None,
    min_visibility: float = 0.0,
    min_height: float = 0.0,
    count: CountFrames = count_frames,
) -> MOTSequence:
    """Read a sequence in MOTChallenge's layout.

    ``gt/gt.txt`` has the columns frame, id, x, y, w, h, flag, class,
    visibility (MOT16 and later) or frame, id, x, y, w, h, flag and three
    world coordinates (MOT15, which has no classes). People are class 1, or
    those that ``gt/labels.txt`` calls people. Classes 2, 7, 8 and 12 (on a
    vehicle, static, distractor, reflection) and people with flag 0 are
    ignored; vehicles and occluders are left out. An id of 0 or less is
    somebody without identity.

    The pictures are what counts: frames are those that are there, boxes are
    clipped to their sizes, and what lies beyond or has no size is left out.

    Args:
        folder: With ``gt/gt.txt``, perhaps ``seqinfo.ini``, and frames in
            ``img1`` (or seqinfo's imDir) or one video file.
        name: Prefix of image keys; None for the folder's name.
        min_visibility: People less visible than this (0..1) are ignored.
        min_height: People less tall than this (pixels) are ignored.
        count: Counts the frames of a video that can be decoded.

    Returns:
        The sequence; ``person_ids`` and ``track_ids`` are gt.txt's ids, -1
        for nobody in particular.

    Raises:
        DataError: If something is missing or a line is wrong, or nobody is
            left.
    """
    folder = Path(folder)
    name = folder.name if name is None else name
    if not folder.is_dir():
        raise DataError(
            f'the MOTChallenge sequence {folder} is missing; docs/datasets.md tells what it should '
            'contain'
        )
    path = folder / 'gt' / 'gt.txt'
    lines = read_gt_lines(path)
    info = read_seqinfo(folder)
    classes = classes_of(lines, read_labels(path.with_name('labels.txt')), path)
    frames = find_frames(folder, info, count)
    left_out = Counter(frames.left_out)
    disagreements = list(frames.disagreements)
    rows = [row for row in lines if classes.role(row) != 'other']
    left_out[OTHER_CLASSES] += len(lines) - len(rows)
    if not rows:
        what = f'class {" or ".join(map(str, sorted(classes.people))) or 1}'
        raise DataError(
            f'annotation {path} has no people (flag 1, {what}); its lines: '
            f'{classes.count_others(lines)}'
        )
    by_frame = group_by_frame(small_ids(rows), frames, path, left_out, disagreements)
    usual = Counter(frames.sizes.values()).most_common(1)[0][0]
    missing = f'{info.get("imdir", "img1")}/%06d{info.get("imext", ".jpg")}'
    scenes = []
    for number in sorted({*frames.sizes, *by_frame}):
        found = by_frame.get(number, [])
        ignore = [
            classes.role(row) != 'person' or _is_hardly_seen(row, min_visibility, min_height)
            for row in found
        ]
        key = _key(name, folder, frames, number, missing)
        size = frames.sizes.get(number, usual)
        scenes.append(_scene(key, found, ignore, size, left_out))
    if not classes.flags:
        disagreements.append(
            "column 8 of gt.txt has a detector's classes, which count from 0: 0 is taken as "
            'people, and column 7 as a confidence'
        )
    _tell_of_nobody(scenes, path, left_out, disagreements)
    return MOTSequence(name, folder, frames.video, scenes, +left_out, disagreements)


def read_mot_sequences(
    root: str | Path,
    names: Sequence[str],
    min_visibility: float = 0.0,
    min_height: float = 0.0,
    count: CountFrames = count_frames,
) -> list[MOTSequence]:
    """Read several sequences as one data set.

    Args:
        root: The folder that ``names`` are relative to.
        names: Sequence folders, or patterns such as ``MOT17/train/*-FRCNN``;
            see :func:`~mmclsa.datasets.readers.mot_folders.find_sequences`.
        min_visibility: See :func:`read_mot_sequence`.
        min_height: See :func:`read_mot_sequence`.
        count: See :func:`read_mot_sequence`.

    Returns:
        The sequences, with person ids 0..N-1 that are unique across them
        (MOTChallenge counts anew in each) and ``cam_id`` = index of the
        sequence.

    Raises:
        DataError: If a name fits no folder, or a sequence is broken.
    """
    given, names = split_root(str(root), names)
    folder = Path(given)
    sequences: list[MOTSequence] = []
    first_id = 0
    for index, name in enumerate(find_sequences(folder, names).names):
        sequence = read_mot_sequence(folder / name, name, min_visibility, min_height, count)
        known = [s.person_ids[~s.ignore] for s in sequence.scenes]
        tracks = np.unique(np.concatenate([ids[ids >= 0] for ids in known]))
        scenes = [
            replace(
                scene,
                cam_id=index,
                person_ids=np.where(
                    scene.ignore | (scene.person_ids < 0),
                    -1,
                    first_id + np.searchsorted(tracks, scene.person_ids),
                ),
            )
            for scene in sequence.scenes
        ]
        first_id += len(tracks)
        sequences.append(replace(sequence, scenes=scenes))
    return sequences


def join_reports(sequences: Sequence[MOTSequence]) -> tuple[Counter[str], list[str]]:
    """Add up what several sequences leave out and where they disagree.

    Returns:
        Counts by reason, and sentences with the sequence's name before them.
    """
    counts: Counter[str] = Counter()
    for sequence in sequences:
        counts.update(sequence.left_out)
    told = [f'{sequence.name}: {what}' for sequence in sequences for what in sequence.disagreements]
    return counts, told


def describe_reading(found: FoundSequences, sequences: Sequence[MOTSequence]) -> list[str]:
    """Say in sentences what was passed over, left out or decided on reading.

    Returns:
        Sentences for a log; none if all was as MOTChallenge has it.
    """
    counts, told = join_reports(sequences)
    wanted = {what: count for what, count in counts.items() if what != OTHER_CLASSES}
    left_out = [f'{", ".join(f"{n} {what}" for what, n in wanted.items())} left out']
    more = [f'and {len(told) - _TOLD} more like these'] if len(told) > _TOLD else []
    return [*found.told(), *(left_out if wanted else []), *told[:_TOLD], *more]


def _is_hardly_seen(row: MOTRow, min_visibility: float, min_height: float) -> bool:
    # MOT15 has world coordinates where later years have a visibility; -1 is unknown.
    known = len(row.rest) == 2 and row.rest[1] >= 0
    hidden = known and row.rest[1] < min_visibility
    return hidden or row.box[3] < min_height


def _key(name: str, folder: Path, frames: Frames, number: int, missing: str) -> str:
    """Name a frame's picture, also one that is not there."""
    if frames.video is not None:
        return f'{PurePosixPath(name, frames.video.name)}#{number:06d}'
    if number not in frames.images:
        return PurePosixPath(name, missing % number).as_posix()
    path = frames.images[number]
    inside = path.relative_to(folder) if folder in path.parents else path
    return PurePosixPath(name, inside.as_posix()).as_posix()


def _scene(
    key: str,
    rows: Sequence[MOTRow],
    ignore: Sequence[bool],
    size: tuple[int, int],
    left_out: Counter[str],
) -> Scene:
    boxes: np.ndarray = np.array([row.box for row in rows], dtype=np.float64).reshape(-1, 4)
    sized = (boxes[:, 2:] > 0).all(axis=1)
    boxes[:, 2:] += boxes[:, :2]
    boxes = np.clip(boxes, 0, [*size, *size])
    kept = sized & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    left_out['boxes of no size'] += int((~sized).sum())
    left_out['boxes beyond the picture'] += int((sized & ~kept).sum())
    tracks = np.array([max(row.track, 0) or -1 for row in rows], dtype=np.int64)[kept]
    return Scene(
        image=key,
        boxes=boxes[kept],
        person_ids=tracks,
        ignore=np.array(ignore, dtype=bool)[kept],
        track_ids=tracks,
        width=size[0],
        height=size[1],
    )


def _tell_of_nobody(
    scenes: Sequence[Scene], path: Path, left_out: Mapping[str, int], told: list[str]
) -> None:
    """Refuse a sequence without a box, and note whom column 2 does not tell apart."""
    ids = np.concatenate([scene.person_ids[~scene.ignore] for scene in scenes])
    if not any(len(scene.boxes) for scene in scenes):
        reasons = ', '.join(f'{count} {what}' for what, count in left_out.items() if count)
        raise DataError(f'annotation {path} has no people that can be used: {reasons}')
    if not len(ids):
        told.append(
            'everybody is ignored: column 7 of gt.txt is 0, or they are too small or hidden'
        )
    doubled = sum(_shows_twice(scene) for scene in scenes)
    if doubled:
        told.append(f'{doubled} of its frames show an id twice')
    nobody = int((ids < 0).sum())
    if nobody:
        whole = ': nobody has an identity there' if nobody == len(ids) else ''
        told.append(
            f'{nobody} of {len(ids)} boxes of people have an id of 0 or less in column 2 of '
            f'gt.txt, which is no identity{whole}'
        )


def _shows_twice(scene: Scene) -> bool:
    known = scene.person_ids[(scene.person_ids >= 0) & ~scene.ignore]
    return len(np.unique(known)) < len(known)
