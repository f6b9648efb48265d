"""Results of a search as a file: JSON, a table, or a folder with pictures and clips in a ZIP."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np

from mmclsa.errors import UserError
from mmclsa.media import is_video
from mmclsa.webui.clips import clip_frames
from mmclsa.webui.footage import CROP_SIDE, FRAME_SIDE, SCENE_SIDE
from mmclsa.webui.jpegs import crop_of, encode_jpeg, shrink
from mmclsa.webui.problems import GoneError, public_message
from mmclsa.webui.service import GalleryService, Sighting
from mmclsa.webui.workers import Workers

__all__ = ['COLUMNS', 'UnwantedError', 'results_csv', 'results_json', 'write_zip']

COLUMNS = (
    *('rank', 'row', 'similarity', 'probability', 'source', 'camera', 'frame', 'time', 'time_text'),
    *('time_from_text', 'time_to_text', 'num_frames', 'x1', 'y1', 'x2', 'y2', 'score', 'track_id'),
)
_FORMULA = ('=', '+', '-', '@', '\t', '\r')
_BOX = (0, 0, 255)  # red, in BGR


def results_json(answer: dict[str, Any]) -> bytes:
    r"""Write an answer as JSON, names as they are.

    Example:
        >>> results_json({'hits': []})
        b'{\n  "hits": []\n}\n'
    """
    text = json.dumps(answer, indent=2, ensure_ascii=False, allow_nan=False)
    return f'{text}\n'.encode()


def results_csv(hits: Sequence[dict[str, Any]]) -> bytes:
    """Write hits as a table.

    Text that a spreadsheet would take for a formula gets an apostrophe in
    front. It begins with a byte-order mark, by which Excel knows UTF-8.

    Args:
        hits: As an answer has them.

    Returns:
        The file.

    Example:
        >>> print(results_csv([])[3:21].decode())
        rank,row,similarit
    """
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, extrasaction='ignore')
    table.writeheader()
    for hit in hits:
        cells = {**hit, **dict(zip(('x1', 'y1', 'x2', 'y2'), hit['box']))}
        table.writerow({key: _plain(value) for key, value in cells.items()})
    return text.getvalue().encode('utf-8-sig')


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write_zip(
    stream: IO[bytes],
    answer: dict[str, Any],
    service: GalleryService,
    workers: Workers,
    unwanted: Callable[[], bool] = lambda: False,
) -> None:
    """Write an answer with pictures and clips of its hits.

    What cannot be read any more is left out, and ``results.json`` says so
    among its warnings.

    Args:
        stream: Where to.
        answer: As it goes over the wire.
        service: The gallery.
        workers: Files are read by these, in turn with what visitors look at.
        unwanted: Whether nobody waits for it any more; asked before each hit and frame.

    Raises:
        UnwantedError: If nobody does.
    """
    warnings = list(answer['warnings'])
    with zipfile.ZipFile(stream, 'w', zipfile.ZIP_STORED) as archive:
        for hit in answer['hits']:
            folder = f'hit_{hit["rank"]:03d}'
            files, told = _files_of_hit(hit['row'], service, workers, unwanted)
            warnings += [f'hit {hit["rank"]} {sentence}' for sentence in told]
            for name, data in files.items():
                archive.writestr(f'{folder}/{name}', data)
        archive.writestr('results.csv', results_csv(answer['hits']))
        archive.writestr('results.json', results_json({**answer, 'warnings': warnings}))


class UnwantedError(Exception):
    """Nobody waits for it any more."""


def _go_on(unwanted: Callable[[], bool]) -> None:
    if unwanted():
        raise UnwantedError


def _files_of_hit(
    row: int, service: GalleryService, workers: Workers, unwanted: Callable[[], bool]
) -> tuple[dict[str, bytes], list[str]]:
    """Make the files of a hit; say what it has not."""
    _go_on(unwanted)
    try:
        sighting, kept = service.sighting(row), service.kept_crop(row)
    except GoneError as error:  # deleted since it was found
        return {}, [f'has no pictures: {error}']
    try:
        source = sighting.record.source
        return workers.read_now(source, _files_of, sighting, kept, service, unwanted)
    except UserError as error:
        told = public_message(error, service.index_path)
        return {'crop.jpg': kept} if kept else {}, [f'has no scene: {told}']


def _files_of(
    sighting: Sighting, kept: bytes | None, service: GalleryService, unwanted: Callable[[], bool]
) -> tuple[dict[str, bytes], list[str]]:
    """Make crop, scene with a box, and clip of a sighting."""
    record = sighting.record
    picture = service.footage.picture(record.source, record.frame)
    crop = kept or encode_jpeg(crop_of(picture, record.box), CROP_SIDE)
    x1, y1, x2, y2 = (round(value) for value in record.box)
    drawn = picture.copy()
    cv2.rectangle(drawn, (x1, y1), (x2, y2), _BOX, max(2, round(max(drawn.shape[:2]) / 400)))
    files = {'crop.jpg': crop, 'scene.jpg': encode_jpeg(drawn, SCENE_SIDE)}
    if not is_video(record.source):
        return files, []
    try:
        files['clip.mp4'], told = _clip(sighting, service, unwanted)
    except UserError as error:
        return files, [f'has no clip: {public_message(error, service.index_path)}']
    return files, told


def _clip(
    sighting: Sighting, service: GalleryService, unwanted: Callable[[], bool]
) -> tuple[bytes, list[str]]:
    """Write the seconds around a sighting as a video; say where it is cut."""
    record, footage = sighting.record, service.footage
    fps, count = footage.fps(record.source)
    frames = clip_frames(record.frame, record.first_frame, record.last_frame, fps, count)
    step = frames[1] - frames[0] if len(frames) > 1 else 1
    told = []
    with tempfile.TemporaryDirectory(prefix='mmclsa-clip-') as folder:
        path = Path(folder) / 'clip.mp4'
        writer = None
        for frame in frames:
            _go_on(unwanted)
            try:
                picture = shrink(footage.picture(record.source, frame), FRAME_SIDE)
            except UserError as error:  # a container may count a frame more than there are
                told = [f'has a clip that ends before frame {frame}, not at {frames[-1]}: {error}']
                break
            writer = writer or _writer(path, fps / step, picture)
            writer.write(picture)
        if writer is None:
            raise UserError(f'{sighting.source} has no frame {frames[0]}')
        writer.release()
        return path.read_bytes(), told


def _writer(path: Path, fps: float, picture: np.ndarray) -> cv2.VideoWriter:
    height, width = picture.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), fps, (width, height))
    if not writer.isOpened():
        raise UserError('this server cannot write videos')
    return writer
