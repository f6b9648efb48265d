"""PRW in its original layout.

Layout and quirks are described in docs/datasets.md. Published with Zheng et
al., "Person Re-identification in the Wild", CVPR 2017.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from mmclsa.datasets.readers.mat_file import mat_field, mat_string
from mmclsa.datasets.readers.paths import AnyPath, ReadablePath, as_path
from mmclsa.errors import DataError
from mmclsa.structures import Query, Scene, SearchProtocol
from mmclsa.utils.text import read_text

__all__ = ['camera_of', 'prw_protocols', 'read_prw']

ANNOTATION_KEYS = ('box_new', 'anno_file', 'anno_previous')
UNLABELLED = -2
PROTOCOLS = ('regular', 'multi_view')
MINI = 'prw_mini'
QUERY_FILES = {MINI: 'prwmini_query_info.txt'}


def camera_of(image: str) -> int:
    """Read the camera from a frame's name.

    Returns:
        The camera, from 1.

    Raises:
        DataError: If the name has no camera.

    Example:
        >>> camera_of('c6s1_001051.jpg')
        6
    """
    match = re.match(r'c(\d+)s', image)
    if match is None:
        raise DataError(f'{image}: expected a name like c1s1_001051.jpg with the camera in it')
    return int(match.group(1))


def _frames(root: ReadablePath, split: str) -> list[str]:
    path = root / f'frame_{split}.mat'
    names = mat_field(path, f'img_index_{split}').ravel()
    if len(names) == 0:
        raise DataError(f'{path}, field img_index_{split}: expected at least one frame')
    return [f'{mat_string(name)}.jpg' for name in names]


def _read_frame(root: ReadablePath, image: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a frame's boxes (n, 4) x1 y1 x2 y2 and raw ids (n,)."""
    path = root / 'annotations' / f'{image}.mat'
    rows = mat_field(path, *ANNOTATION_KEYS)
    if rows.size == 0:  # MATLAB's [], where nobody is
        rows = np.zeros((0, 5))
    if rows.ndim != 2 or rows.shape[1] != 5:
        raise DataError(f'{path}: expected rows of 5 numbers id x y w h, but got {rows.shape}')
    if not np.isfinite(rows).all():
        raise DataError(f'{path}: a row holds a number that is not finite')
    # Some coordinates are negative; the peers clip x y w h before they add, and truncate.
    boxes = np.clip(rows[:, 1:].astype(np.float64), 0, None)
    boxes[:, 2:] += boxes[:, :2]
    return np.trunc(boxes), rows[:, 0].astype(np.int64)


def read_prw(data_root: AnyPath, split: str) -> list[Scene]:
    """Read the scenes of a split.

    Args:
        data_root: Folder with ``annotations/`` and ``frame_*.mat``.
        split: 'train' or 'test'.

    Returns:
        The scenes. Train ids are 0..482 in the order of ID_train.mat's sorted
        ids (1..478, 480..483, 932); test ids are PRW's own.

    Raises:
        DataError: If a file is missing, broken or inconsistent.
    """
    root = as_path(data_root)
    if split not in ('train', 'test'):
        raise DataError(f"split must be 'train' or 'test', but got {split!r}")
    known = np.sort(mat_field(root / 'ID_train.mat', 'ID_train').ravel().astype(np.int64))
    if split == 'train' and len(known) == 0:
        raise DataError(
            f'{root / "ID_train.mat"}, field ID_train: expected the ids of the training people, '
            'but it is empty'
        )
    scenes = []
    for image in _frames(root, split):
        boxes, ids = _read_frame(root, image)
        if split == 'train':
            place = np.searchsorted(known, ids).clip(max=len(known) - 1)
            ids = np.where(known[place] == ids, place, -1)
        else:
            ids = np.where(ids == UNLABELLED, -1, ids)
        scenes.append(
            Scene(
                image=image,
                boxes=boxes,
                person_ids=ids,
                ignore=np.zeros(len(boxes), dtype=bool),
                cam_id=camera_of(image),
            )
        )
    return scenes


def _read_queries(path: ReadablePath) -> list[Query]:
    try:
        lines = read_text(path).splitlines()
    except FileNotFoundError:
        raise DataError(
            f'{path} is missing; docs/datasets.md tells how to get this data set'
        ) from None
    queries = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        try:
            person_id, (x, y, w, h), name = int(words[0]), map(float, words[1:5]), words[5]
        except (ValueError, IndexError):
            raise DataError(
                f'{path}, line {number}: expected "id x y w h frame", but got {line!r}'
            ) from None
        # Unlike the gallery's boxes these are clipped after the addition, as in the peers.
        box = np.trunc(np.clip([x, y, x + w, y + h], 0, None))
        queries.append(Query(f'{name}.jpg', box, person_id, camera_of(name)))
    if not queries:
        raise DataError(f'{path}: expected at least one query, but the file has none')
    return queries


def prw_protocols(
    data_root: AnyPath,
    names: Sequence[str] | None = None,
    scenes: Sequence[Scene] | None = None,
) -> list[SearchProtocol]:
    """Make PRW's retrieval tasks.

    Args:
        data_root: Folder with ``query_info.txt``.
        names: 'regular' (every other test frame), 'multi_view' (frames of
            other cameras only), 'prw_mini' (the queries of
            ``prwmini_query_info.txt`` against every other test frame); None
            for the first two.
        scenes: The test scenes, if they were read already.

    Returns:
        The tasks. An identity that a frame lists twice counts once, at its
        first box.

    Raises:
        DataError: If a file is missing, broken or inconsistent, or a name is
            unknown.
    """
    root = as_path(data_root)
    for name in names or ():
        if name not in (*PROTOCOLS, MINI):
            raise DataError(f'unknown PRW protocol {name!r}: expected one of {(*PROTOCOLS, MINI)}')
    scenes = read_prw(root, 'test') if scenes is None else scenes
    everybody = _read_queries(root / 'query_info.txt')
    return [_protocol(root, name, scenes, everybody) for name in (names or PROTOCOLS)]


def _protocol(
    root: ReadablePath, name: str, scenes: Sequence[Scene], everybody: Sequence[Query]
) -> SearchProtocol:
    """Make one task; its queries are numbered by their lines in query_info.txt."""
    path = root / QUERY_FILES.get(name, 'query_info.txt')
    queries = everybody if name in PROTOCOLS else _read_queries(path)
    images = [scene.image for scene in scenes]
    known, numbers = set(images), {_identity(query): n for n, query in enumerate(everybody)}
    for query in queries:
        if query.image not in known:
            raise DataError(f'{path}: frame {query.image} is no test frame')
        if _identity(query) not in numbers:
            raise DataError(f'{path}: the query in frame {query.image} is not in query_info.txt')
    return SearchProtocol.build(
        name,
        images,
        queries,
        _truths(queries, scenes),
        query_ids=[
            n if name in PROTOCOLS else numbers[_identity(query)] for n, query in enumerate(queries)
        ],
        image_cams=np.array([scene.cam_id for scene in scenes]),
        cross_camera=name == 'multi_view',
        cbgm_sizes=(30, 4),
    )


def _identity(query: Query) -> tuple[str, int, tuple[float, ...]]:
    return query.image, query.person_id, tuple(query.box.tolist())


def _truths(
    queries: Sequence[Query], scenes: Sequence[Scene]
) -> list[list[tuple[str, np.ndarray]]]:
    """List, for each query, the other frames that show the person."""
    shown: dict[int, list[tuple[Scene, np.ndarray]]] = {}
    for scene in scenes:
        for person_id in np.unique(scene.person_ids[scene.person_ids >= 0]):
            first = scene.boxes[scene.person_ids == person_id][0]
            shown.setdefault(int(person_id), []).append((scene, first))
    return [
        [
            (scene.image, box)
            for scene, box in shown.get(query.person_id, [])
            if scene.image != query.image
        ]
        for query in queries
    ]
