"""PoseTrack21's person search in its original layout.

Published with Döring et al., "PoseTrack21: A Dataset for Person Search,
Multi-Object Tracking and Multi-Person Pose Tracking", CVPR 2022.
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
from mmclsa.datasets.readers.paths import AnyPath, ReadablePath, as_path
from mmclsa.errors import DataError
from mmclsa.structures import Query, Scene, SearchProtocol

__all__ = ['posetrack21_folder', 'posetrack21_protocol', 'read_posetrack21']

FOLDERS = ('posetrack_person_search', 'annotations/posetrack_person_search')
FILES = {'train': 'train.json', 'test': 'val.json'}


def posetrack21_folder(root: AnyPath) -> ReadablePath:
    """Find the folder of ``train.json``, ``val.json`` and ``query.json``.

    Raises:
        DataError: If there is none.
    """
    for name in FOLDERS:
        if (folder := as_path(root) / name).is_dir():
            return folder
    raise DataError(
        f'{as_path(root) / FOLDERS[0]} is missing; docs/datasets.md tells how to get this data set'
    )


def read_posetrack21(data_root: AnyPath, split: str) -> list[Scene]:
    """Read the scenes of a split.

    Args:
        data_root: Folder with ``posetrack_person_search/``.
        split: 'train' or 'test' (``val.json``).

    Returns:
        The scenes, in the file's order, with its person ids, ``cam_id`` = the
        video and the polygons within which nobody is annotated.

    Raises:
        DataError: If a file is missing, broken or inconsistent.
    """
    if split not in FILES:
        raise DataError(f"split must be 'train' or 'test', but got {split!r}")
    path = posetrack21_folder(data_root) / FILES[split]
    images, people = _read(path)
    videos: dict[str, int] = {}
    return [
        Scene(
            image=image['file_name'],
            boxes=np.array([p['box'] for p in people[key]], dtype=np.float64).reshape(-1, 4),
            person_ids=np.array([p['person_id'] for p in people[key]], dtype=np.int64),
            ignore=np.zeros(len(people[key]), dtype=bool),
            track_ids=np.array([p['track_id'] for p in people[key]], dtype=np.int64),
            cam_id=videos.setdefault(str(image.get('vid_id')), len(videos)),
            width=json_integer(image, 'width', where, 0) or None,
            height=json_integer(image, 'height', where, 0) or None,
            image_id=image['id'],
            ignore_regions=_regions(image, where),
        )
        for key, (where, image) in images.items()
    ]


def _read(path: ReadablePath) -> tuple[dict[Any, tuple[str, dict[str, Any]]], dict[Any, list[Any]]]:
    """Read a file's images by id, each with its place, and the people in each."""
    data = load_json(path)
    images: dict[Any, tuple[str, dict[str, Any]]] = {}
    for number, image in enumerate(json_list(data, 'images', str(path))):
        where = f'{path}, images[{number}]'
        json_field(image, 'file_name', where)
        images[json_field(image, 'id', where)] = (where, image)
    if not images:
        raise DataError(f'{path}, field images: expected at least one image, but got none')
    people: dict[Any, list[Any]] = {key: [] for key in images}
    for number, person in enumerate(json_list(data, 'annotations', str(path))):
        where = f'{path}, annotations[{number}]'
        image_id = json_field(person, 'image_id', where)
        if image_id not in images:
            raise DataError(f'{where}: image_id {image_id} is not among the images')
        person_id = json_integer(person, 'person_id', where, -1)
        track_id = json_integer(person, 'track_id', where, -1)
        people[image_id].append(
            dict(box=json_box(person, where), person_id=max(person_id, -1), track_id=track_id)
        )
    return images, people


def _regions(image: dict[str, Any], where: str) -> tuple[np.ndarray, ...]:
    """Read the polygons (k, 2) of an image; a single one may come as a flat list."""
    sides = [image.get(f'ignore_regions_{axis}') or [] for axis in 'xy']
    xs, ys = ([side] if side and not isinstance(side[0], list) else side for side in sides)
    try:
        polygons = [np.stack([np.asarray(x, float), np.asarray(y, float)], axis=-1)
                    for x, y in zip(xs, ys)]  # fmt: skip
    except (TypeError, ValueError):
        polygons = []
    broken = len(xs) != len(ys) or len(polygons) != len(xs)
    if broken or any(p.ndim != 2 or not np.isfinite(p).all() for p in polygons):
        raise DataError(
            f'{where}: ignore_regions_x and ignore_regions_y must be equally long lists of numbers'
        )
    return tuple(polygon for polygon in polygons if len(polygon) >= 3)


def posetrack21_protocol(data_root: AnyPath, scenes: Sequence[Scene]) -> SearchProtocol:
    """Read the retrieval task.

    Args:
        data_root: Folder with ``posetrack_person_search/``.
        scenes: The test scenes.

    Returns:
        The task ``val``: the gallery of a query is every test image but its
        own. Queries whose person is in no other image are left out, as in the
        data set's own code; ``query_ids`` count those that are kept.

    Raises:
        DataError: If a file is missing, broken or inconsistent, or no query
            is left.
    """
    path = posetrack21_folder(data_root) / 'query.json'
    images, people = _read(path)
    by_image = {scene.image: scene for scene in scenes}
    shown: dict[int, list[tuple[str, np.ndarray]]] = {}
    for scene in scenes:
        for person_id in np.unique(scene.person_ids[scene.person_ids >= 0]).tolist():
            box = scene.boxes[scene.person_ids == person_id][0]
            shown.setdefault(person_id, []).append((scene.image, box))
    queries, truths = [], []
    for key, (where, image) in images.items():
        name = image['file_name']
        if name not in by_image:
            raise DataError(f'{where}: {name} is no image of val.json')
        for person in people[key]:
            others = [entry for entry in shown.get(person['person_id'], []) if entry[0] != name]
            if others:
                cam_id = by_image[name].cam_id
                queries.append(Query(name, person['box'], person['person_id'], cam_id))
                truths.append(others)
    if not queries:
        raise DataError(f'{path}: nobody is seen in another image of val.json')
    return SearchProtocol.build(
        'val',
        [scene.image for scene in scenes],
        queries,
        truths,
        image_cams=np.array([scene.cam_id for scene in scenes], dtype=np.int64),
        cbgm_sizes=(30, 4),
    )
