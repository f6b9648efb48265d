"""Retrieval tasks on COCO annotations, in a protocol JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmclsa.datasets.readers.coco_ids import Identity, file_key, read_identity, refuse_mixture
from mmclsa.datasets.readers.json_file import json_box, json_field, json_list, load_json
from mmclsa.datasets.readers.paths import AnyPath, as_path
from mmclsa.errors import ConfigError, DataError
from mmclsa.structures import Query, Scene, SearchProtocol

__all__ = ['coco_protocol']

EXCLUSIONS = ('same_camera', 'same_track')


def coco_protocol(
    protocol_file: AnyPath,
    scenes: Sequence[Scene],
    people: Mapping[Identity, int] | None = None,
) -> SearchProtocol:
    """Read a retrieval task on scenes of :func:`read_coco`.

    Args:
        protocol_file: The JSON file. A query's ``gallery`` is a list of image
            ids or ``"all"``, which is every image but the query's own. An
            ``exclude`` beside ``queries`` lists ``same_camera`` and
            ``same_track``: gallery images of the query's camera, or those
            that show the query's own track there, are left out.
        scenes: The scenes.
        people: Their number of each id in the annotation file; None where
            these are the same.

    Returns:
        The task. Matches follow from the person ids; a person listed twice in
        an image counts once, at the first box. Ignored boxes never match.

    Raises:
        DataError: If the file is missing, broken, empty or inconsistent, a
            query has no match in its gallery, its gallery has its own image,
            or its box lies beyond its image.
    """
    data = load_json(protocol_file)
    records = json_list(data, 'queries', str(protocol_file))
    if not records:
        raise DataError(f'{protocol_file}, field queries: expected at least one query')
    exclude = _exclude(data, str(protocol_file))
    by_id = {scene.image_id: scene for scene in scenes}
    queries, galleries, truths, excluded, numbers = [], [], [], [], []
    for i, record in enumerate(records):
        where = f'{protocol_file}, queries[{i}]'
        query = _query(record, by_id, people, where)
        own = _image(record, by_id, where)
        skipped = _same_track(own, query, scenes, where) if 'same_track' in exclude else set()
        gallery = [s for s in _gallery(record, by_id, where) if s.image not in skipped]
        truth = _truth(query.person_id, gallery)
        cameras = {scene.cam_id for scene in gallery if scene.image in dict(truth)}
        if not truth or ('same_camera' in exclude and cameras <= {query.cam_id}):
            raise DataError(f'{where}: no gallery image shows person_id {record["person_id"]}')
        queries.append(query)
        galleries.append([scene.image for scene in gallery])
        truths.append(truth)
        excluded.append(sorted(skipped - {query.image}))
        numbers.append(read_identity(record.get('query_id', i), 'query_id', where))
    places = [f'{protocol_file}, queries[{i}]' for i in range(len(records))]
    refuse_mixture(
        (record.get('query_id'), 'query_id', where) for record, where in zip(records, places)
    )
    if len(set(numbers)) != len(numbers) or None in numbers:
        raise DataError(f'{protocol_file}, field queries: a query_id occurs twice or is empty')
    everything = all(record['gallery'] == 'all' for record in records)
    task = SearchProtocol.build(
        str(data.get('name') or as_path(protocol_file).stem),
        [scene.image for scene in scenes],
        queries,
        truths,
        galleries=None if everything else galleries,
        image_cams=np.array([scene.cam_id for scene in scenes], dtype=np.int64),
        excluded=excluded if everything and any(excluded) else None,
    )
    try:
        return task.with_camera_rule('cross') if 'same_camera' in exclude else task
    except ConfigError as error:
        raise DataError(f'{protocol_file}, field exclude: {error}') from None


def _exclude(data: dict[str, Any], where: str) -> list[str]:
    exclude = data.get('exclude', [])
    if not isinstance(exclude, list) or not set(exclude) <= set(EXCLUSIONS):
        raise DataError(
            f'{where}, field exclude: expected a list of some of {list(EXCLUSIONS)}, but got '
            f'{exclude!r}'
        )
    return exclude


def _same_track(own: Scene, query: Query, scenes: Sequence[Scene], where: str) -> set[str]:
    """Name the images of the query's camera that show the query's own track."""
    mine = np.flatnonzero(own.person_ids == query.person_id)
    if own.track_ids is None or not len(mine) or own.track_ids[mine[0]] < 0:
        raise DataError(
            f'{where}: exclude has "same_track", but person_id {query.person_id} has no track_id '
            f'in image {own.image}'
        )
    track = own.track_ids[mine[0]]
    return {
        scene.image
        for scene in scenes
        if scene.cam_id == own.cam_id and scene.track_ids is not None and track in scene.track_ids
    }


def _image(record: Any, by_id: Mapping[Any, Scene], where: str, name: str = 'image_id') -> Scene:
    image_id = file_key(json_field(record, name, where), name, where)
    if image_id not in by_id:
        raise DataError(f'{where}: image_id {image_id} is not in the annotation file')
    return by_id[image_id]


def _query(
    record: Any, by_id: Mapping[Any, Scene], people: Mapping[Identity, int] | None, where: str
) -> Query:
    scene = _image(record, by_id, where)
    given = json_field(record, 'person_id', where)
    person_id = read_identity(given, 'person_id', where)
    if person_id is None:
        raise DataError(f'{where}: person_id must be an integer >= 0 or a name, but got {given!r}')
    number = person_id if people is None else people.get(person_id)
    if not isinstance(number, int):
        raise DataError(f'{where}: no gallery image shows person_id {given}')
    box = json_box(record, where)
    _check_inside(box, scene, where)
    return Query(scene.image, box, number, scene.cam_id)


def _check_inside(box: np.ndarray, scene: Scene, where: str) -> None:
    """Refuse a query of nobody: a box that has nothing of its picture."""
    width, height = scene.width, scene.height
    if width and height and (box[0] >= width or box[1] >= height or (box[2:] <= 0).any()):
        raise DataError(
            f'{where}: bbox {[float(v) for v in box]} (x1 y1 x2 y2) lies outside of its image, '
            f'{scene.image} of {width}x{height}'
        )


def _gallery(record: Any, by_id: Mapping[Any, Scene], where: str) -> list[Scene]:
    given = json_field(record, 'gallery', where)
    own = _image(record, by_id, where)
    if given == 'all':
        return [scene for scene in by_id.values() if scene is not own]
    if not isinstance(given, list):
        raise DataError(f'{where}: gallery must be a list of image ids or "all", but got {given!r}')
    listed = [_image({'gallery entry': one}, by_id, where, 'gallery entry') for one in given]
    if any(scene is own for scene in listed):
        raise DataError(
            f"{where}: the gallery has the query's own image {own.image_id}; leave it out"
        )
    return listed


def _truth(person_id: int, gallery: list[Scene]) -> list[tuple[str, np.ndarray]]:
    truth = []
    for scene in gallery:
        mine = np.flatnonzero((scene.person_ids == person_id) & ~scene.ignore)
        if len(mine):
            truth.append((scene.image, scene.boxes[mine[0]]))
    return truth
