"""COCO JSON with person ids, and retrieval tasks in a protocol JSON.

The formats are described in docs/datasets.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmclsa.datasets.readers.json_file import (
    json_box,
    json_field,
    json_integer,
    json_list,
    load_json,
)
from mmclsa.datasets.readers.paths import AnyPath, as_path
from mmclsa.errors import ConfigError, DataError
from mmclsa.structures import Query, Scene, SearchProtocol

__all__ = ['coco_protocol', 'read_coco']

EXCLUSIONS = ('same_camera', 'same_track')


def read_coco(ann_file: AnyPath) -> list[Scene]:
    """Read COCO annotations with ``person_id``.

    ``track_id`` of an annotation and ``cam_id`` of an image are optional;
    ``ignore`` or ``iscrowd`` make a box neither person nor background. An
    annotation without ``person_id``, or with a negative one, is unlabelled.

    Args:
        ann_file: The JSON file.

    Returns:
        The scenes, in the file's order of images; person ids as in the file.

    Raises:
        DataError: If the file is missing, broken, empty or inconsistent.
    """
    data = load_json(ann_file)
    images = json_list(data, 'images', str(ann_file))
    annotations = json_list(data, 'annotations', str(ann_file))
    if not images:
        raise DataError(f'{ann_file}, field images: expected at least one image, but got none')
    grouped: dict[int, list[dict[str, Any]]] = {}
    for i, image in enumerate(images):
        where = f'{ann_file}, images[{i}]'
        if (image_id := _id_of(image, 'id', where)) in grouped:
            raise DataError(f'{where}: id {image_id!r} occurs twice')
        grouped[image_id] = []
    for i, annotation in enumerate(annotations):
        where = f'{ann_file}, annotations[{i}]'
        image_id = _id_of(annotation, 'image_id', where)
        if image_id not in grouped:
            raise DataError(f'{where}: image_id {image_id} is not among the images')
        box = json_box(annotation, where)
        grouped[image_id].append({**annotation, 'box': box, 'where': where})
    return [
        _scene(image, grouped[image['id']], f'{ann_file}, images[{i}]')
        for i, image in enumerate(images)
    ]


def _id_of(record: Any, name: str, where: str) -> Any:
    """Read an image's id, which is an integer as a rule."""
    value = json_field(record, name, where)
    if not isinstance(value, (int, str)):
        raise DataError(f'{where}: {name} must be an integer or a string, but got {value!r:.60}')
    return value


def _scene(image: dict[str, Any], people: list[dict[str, Any]], where: str) -> Scene:
    tracks = [json_integer(person, 'track_id', person['where'], -1) for person in people]
    width, height = (json_integer(image, name, where, 0) or None for name in ('width', 'height'))
    for person in people:
        _check_inside(person, width, height)
    return Scene(
        image=str(json_field(image, 'file_name', where)),
        boxes=np.array([p['box'] for p in people], dtype=np.float64).reshape(-1, 4),
        person_ids=np.array([_person_id(p) for p in people], dtype=np.int64),
        ignore=np.array([bool(p.get('ignore') or p.get('iscrowd')) for p in people], dtype=bool),
        track_ids=np.array(tracks, dtype=np.int64) if any(t != -1 for t in tracks) else None,
        cam_id=json_integer(image, 'cam_id', where, -1),
        width=width,
        height=height,
        image_id=image['id'],
    )


def _check_inside(person: dict[str, Any], width: int | None, height: int | None) -> None:
    """Refuse a box that has nothing of the image, where its size is known."""
    x1, y1, x2, y2 = person['box']
    if width and height and (x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0):
        raise DataError(
            f'{person["where"]}: bbox {person["bbox"]} lies outside of its image, {width}x{height}'
        )


def _person_id(annotation: dict[str, Any]) -> int:
    return max(json_integer(annotation, 'person_id', annotation['where'], -1), -1)


def coco_protocol(protocol_file: AnyPath, scenes: Sequence[Scene]) -> SearchProtocol:
    """Read a retrieval task on scenes of :func:`read_coco`.

    Args:
        protocol_file: The JSON file. A query's ``gallery`` is a list of image
            ids or ``"all"``, which is every image but the query's own. An
            ``exclude`` beside ``queries`` lists ``same_camera`` and
            ``same_track``: gallery images of the query's camera, or those
            that show the query's own track there, are left out.
        scenes: The scenes.

    Returns:
        The task. Matches follow from the person ids; a person listed twice in
        an image counts once, at the first box. Ignored boxes never match.

    Raises:
        DataError: If the file is missing, broken, empty or inconsistent, a
            query has no match in its gallery, or its gallery has its own
            image.
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
        query = _query(record, by_id, where)
        own = _image(record['image_id'], by_id, where)
        skipped = _same_track(own, query, scenes, where) if 'same_track' in exclude else set()
        gallery = [s for s in _gallery(record, by_id, where) if s.image not in skipped]
        truth = _truth(query.person_id, gallery)
        cameras = {scene.cam_id for scene in gallery if scene.image in dict(truth)}
        if not truth or ('same_camera' in exclude and cameras <= {query.cam_id}):
            raise DataError(f'{where}: no gallery image shows person_id {query.person_id}')
        queries.append(query)
        galleries.append([scene.image for scene in gallery])
        truths.append(truth)
        excluded.append(sorted(skipped - {query.image}))
        numbers.append(json_integer(record, 'query_id', where, i))
    if len(set(numbers)) != len(numbers):
        raise DataError(f'{protocol_file}, field queries: a query_id occurs twice')
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


def _image(image_id: Any, by_id: dict[Any, Scene], where: str) -> Scene:
    if image_id not in by_id:
        raise DataError(f'{where}: image_id {image_id} is not in the annotation file')
    return by_id[image_id]


def _query(record: Any, by_id: dict[Any, Scene], where: str) -> Query:
    scene = _image(_id_of(record, 'image_id', where), by_id, where)
    person_id = json_field(record, 'person_id', where)
    if not isinstance(person_id, int) or person_id < 0:
        raise DataError(f'{where}: person_id must be an integer >= 0, but got {person_id!r}')
    return Query(scene.image, json_box(record, where), person_id, scene.cam_id)


def _gallery(record: Any, by_id: dict[Any, Scene], where: str) -> list[Scene]:
    given = json_field(record, 'gallery', where)
    if given == 'all':
        return [scene for key, scene in by_id.items() if key != record['image_id']]
    if not isinstance(given, list):
        raise DataError(f'{where}: gallery must be a list of image ids or "all", but got {given!r}')
    if record['image_id'] in given:
        raise DataError(
            f"{where}: the gallery has the query's own image {record['image_id']}; leave it out"
        )
    return [
        _image(_id_of({'gallery entry': image_id}, 'gallery entry', where), by_id, where)
        for image_id in given
    ]


def _truth(person_id: int, gallery: list[Scene]) -> list[tuple[str, np.ndarray]]:
    truth = []
    for scene in gallery:
        mine = np.flatnonzero((scene.person_ids == person_id) & ~scene.ignore)
        if len(mine):
            truth.append((scene.image, scene.boxes[mine[0]]))
    return truth
