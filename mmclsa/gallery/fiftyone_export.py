"""Writing the people of an index or of a search in a form that FiftyOne imports.

The form is its ``FiftyOneImageDetectionDataset``: pictures in ``data/`` and, in
``labels.json``, the detections of each by the picture's name without suffix
(https://docs.voxel51.com/user_guide/import_datasets.html).
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmclsa.errors import DataError
from mmclsa.gallery.records import GalleryRecord
from mmclsa.media import VideoReader, is_video, picture_size
from mmclsa.structures.sightings import Stay
from mmclsa.utils.io import atomic_write, write_json

__all__ = ['Exported', 'Mark', 'marks_of_records', 'marks_of_results', 'write_fiftyone']

CLASSES = ('person', 'query')
_UNSAFE = re.compile(r'[^\w-]+')


class Mark(NamedTuple):
    """A box to be shown in a picture.

    Attributes:
        source: File of the picture or video.
        frame: Frame of the video, from 0; 0 for a picture.
        box: x1 y1 x2 y2 in pixels of the upright picture.
        label: One of :data:`CLASSES`.
        score: Confidence of the detection; None for a query.
        attributes: What else is known, as JSON has it.
    """

    source: str
    frame: int
    box: Sequence[float]
    label: str
    score: float | None
    attributes: Mapping[str, Any]


@dataclass
class Exported:
    """What was written.

    Attributes:
        pictures: How many pictures.
        boxes: How many boxes.
        missing: A sentence for each picture that could not be read; its boxes
            are left out.
    """

    pictures: int = 0
    boxes: int = 0
    missing: list[str] = field(default_factory=list)


def marks_of_records(rows: Iterable[int], records: Iterable[GalleryRecord]) -> list[Mark]:
    """Make a mark of each person of an index.

    Args:
        rows: Row numbers.
        records: Their records.

    Returns:
        The marks, same order.

    Example:
        >>> record = GalleryRecord('a.jpg', 0, float('nan'), (0, 0, 4, 9), 0.5, 'door')
        >>> marks_of_records([7], [record])[0].attributes
        {'row': 7, 'camera': 'door'}
    """
    return [
        Mark(r.source, r.frame, r.box, 'person', r.score, _attributes(row, r))
        for row, r in zip(rows, records)
    ]


def _attributes(row: int, record: GalleryRecord) -> dict[str, Any]:
    known: dict[str, Any] = dict(row=int(row), camera=record.camera)
    if math.isfinite(record.time):
        known['time'] = record.time
    if record.track_id >= 0:
        known['track_id'] = record.track_id
    if record.stay is not None:
        names = ('first_frame', 'last_frame', 'num_frames')
        known.update((name, getattr(record, name)) for name in names)
    if is_video(record.source):
        known.update(video=record.source, frame=record.frame)
    return known


def marks_of_results(path: str | Path) -> list[Mark]:
    """Make marks of a query and its hits.

    Args:
        path: ``results.json`` of ``tools/search_gallery.py``.

    Returns:
        The query's boxes, then the hits with ``rank`` and ``similarity``.

    Raises:
        DataError: If it is no such file.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
        queries = [_mark_of_query(q) for q in content['query']]
        return queries + [_mark_of_hit(hit) for hit in content['hits']]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f'{path} is no results.json of tools/search_gallery.py ({type(error).__name__}: '
            f'{error})'
        ) from error


def _mark_of_query(query: Mapping[str, Any]) -> Mark:
    frame = int(query.get('frame', 0))  # of somebody in the index
    return Mark(str(query['image']), frame, [float(v) for v in query['box']], 'query', None, {})


def _mark_of_hit(hit: Mapping[str, Any]) -> Mark:
    time = math.nan if hit['time'] is None else float(hit['time'])
    x1, y1, x2, y2 = (float(v) for v in hit['box'])
    place = (str(hit['source']), int(hit['frame']), time, (x1, y1, x2, y2))
    stay = None
    if 'num_frames' in hit:
        frames = (int(hit['first_frame']), int(hit['last_frame']))
        stay = Stay(*frames, math.nan, math.nan, int(hit['num_frames']))
    record = GalleryRecord(*place, float(hit['score']), str(hit['camera']), stay=stay)
    (mark,) = marks_of_records([int(hit['row'])], [record])
    ranked = dict(rank=int(hit['rank']), similarity=float(hit['similarity']))
    return mark._replace(attributes={**ranked, **mark.attributes})


def write_fiftyone(
    marks: Sequence[Mark],
    out: str | Path,
    link: bool = False,
    progress: Callable[[list[list[Mark]]], Iterable[list[Mark]]] = iter,
) -> Exported:
    """Write pictures with their boxes, in the order of sources and frames.

    Args:
        marks: The boxes.
        out: Folder, made if it is not there. ``labels.json`` is written last,
            so it exists only if all is complete.
        link: Link to pictures instead of copying them. Frames of videos are
            written as JPEG of quality 95.
        progress: Shows how far it is, such as ``rich.progress.track``.

    Returns:
        What was written.

    Raises:
        UserError: If the folder cannot be written to.
    """
    folder, done = Path(out), Exported()
    labels: dict[str, list[dict[str, Any]]] = {}
    ordered = sorted(marks, key=_place_of)
    pictures = [list(group) for _, group in groupby(ordered, key=_place_of)]
    video = VideoReader('')
    for number, boxes in enumerate(progress(pictures), 1):
        source, frame = _place_of(boxes[0])
        name = f'{number:06d}_{_UNSAFE.sub("_", Path(source).stem)[:100]}'
        try:
            if is_video(source):
                video = video if video.path == source else VideoReader(source)
                name = f'{name}_{frame:06d}'
                size = _write_frame(video[frame], folder / 'data' / f'{name}.jpg')
            else:
                size = picture_size(source)
                _place(source, folder / 'data' / f'{name}{Path(source).suffix.lower()}', link)
        except (DataError, OSError) as error:
            done.missing.append(str(error))
        else:
            labels[name] = [_detection(mark, size) for mark in boxes]
            done.pictures += 1
            done.boxes += len(boxes)
    write_json(folder / 'labels.json', dict(classes=list(CLASSES), labels=labels))
    return done


def _place_of(mark: Mark) -> tuple[str, int]:
    return mark.source, mark.frame


def _detection(mark: Mark, size: tuple[int, int]) -> dict[str, Any]:
    x1, y1, x2, y2 = np.clip(np.asarray(mark.box, float) / [*size, *size], 0, 1).tolist()
    found = dict(
        label=CLASSES.index(mark.label),
        bounding_box=[x1, y1, x2 - x1, y2 - y1],
        attributes=dict(mark.attributes),
    )
    return found if mark.score is None else dict(found, confidence=mark.score)


def _write_frame(picture: np.ndarray, target: Path) -> tuple[int, int]:
    import cv2

    with atomic_write(target) as temporary:
        data = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
        temporary.write_bytes(data.tobytes())
    return picture.shape[1], picture.shape[0]


def _place(source: str, target: Path, link: bool) -> None:
    """Copy a picture, or link to it."""
    if link:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.symlink_to(Path(source).resolve())
    else:
        with atomic_write(target) as temporary:
            shutil.copyfile(source, temporary)
