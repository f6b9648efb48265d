"""CUHK-SYSU in its original layout.

Layout and quirks are described in docs/datasets.md. Published with Xiao et
al., "Joint Detection and Identification Feature Learning for Person Search",
CVPR 2017.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmclsa.datasets.readers.mat_file import mat_field, mat_string
from mmclsa.errors import DataError
from mmclsa.structures import Query, Scene, SearchProtocol

__all__ = ['cuhk_sysu_protocols', 'protocol_names', 'read_cuhk_sysu']

SIZES = (50, 100, 500, 1000, 2000, 4000)
SUBSETS = {
    'occlusion': ('Occlusion.mat', 'Occlusion1'),
    'resolution': ('Resolution.mat', 'Test_Size'),
}
TEST_FOLDER = Path('annotation', 'test', 'train_test')
SUBSET_FOLDER = Path('annotation', 'test', 'subset')


def _corners(xywh: np.ndarray) -> np.ndarray:
    """Turn int boxes x y w h of shape (..., 4) into float64 x1 y1 x2 y2."""
    boxes = np.asarray(xywh, dtype=np.float64).reshape(-1, 4).copy()
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _read_boxes(root: Path) -> dict[str, np.ndarray]:
    """Read the boxes x y w h of every image, without those of no size."""
    path = root / 'annotation' / 'Images.mat'
    table = mat_field(path, 'Img').ravel()
    boxes = {}
    for name, _, people in table:
        rows = [np.asarray(person[0], dtype=np.float64).ravel() for person in people.ravel()]
        image = mat_string(name)
        if any(len(row) != 4 or not np.isfinite(row).all() for row in rows):
            raise DataError(f'{path}, field box of {image}: a box must be 4 finite numbers x y w h')
        found = np.array(rows, dtype=np.int64).reshape(-1, 4)
        boxes[image] = found[(found[:, 2] > 0) & (found[:, 3] > 0)]
    if not boxes:
        raise DataError(f'{path}, field Img: expected at least one image, but got none')
    return boxes


def _read_pool(root: Path) -> list[str]:
    return [
        mat_string(name) for name in mat_field(root / 'annotation' / 'pool.mat', 'pool').ravel()
    ]


def _label(
    ids: dict[str, np.ndarray],
    boxes: dict[str, np.ndarray],
    image: str,
    box: np.ndarray,
    person_id: int,
    source: Path,
) -> None:
    """Give a person's id to the box of an image that equals theirs exactly."""
    if image not in boxes:
        raise DataError(f'{source} lists image {image}, which Images.mat does not have')
    same = np.flatnonzero((boxes[image] == np.asarray(box).ravel()).all(axis=1))
    if len(same) == 0:
        warnings.warn(
            f'{source}: no box of {image} equals {np.asarray(box).ravel().tolist()} of person '
            f'{person_id}; the person stays unlabelled there',
            stacklevel=2,
        )
        return
    ids[image][same[0]] = person_id


def _label_train(root: Path, boxes: dict[str, np.ndarray], ids: dict[str, np.ndarray]) -> None:
    path = root / TEST_FOLDER / 'Train.mat'
    for person_id, item in enumerate(mat_field(path, 'Train').ravel()):
        record = item.ravel()[0] if isinstance(item, np.ndarray) else item
        for scene in record[2].ravel():
            _label(ids, boxes, mat_string(scene[0]), scene[1], person_id, path)


def _label_test(root: Path, boxes: dict[str, np.ndarray], ids: dict[str, np.ndarray]) -> None:
    path, table = _read_protocol_table(root, 'gallery_50')
    for person_id, item in enumerate(table):
        appearances = [item['Query'].ravel()[0], *item['Gallery'].ravel()]
        for appearance in appearances:
            if appearance[1].size:
                _label(ids, boxes, mat_string(appearance[0]), appearance[1], person_id, path)


def read_cuhk_sysu(data_root: str | Path, split: str) -> list[Scene]:
    """Read the scenes of a split.

    Args:
        data_root: Folder with ``annotation/``.
        split: 'train' (all images outside the pool, by name) or 'test' (the
            pool, in its order).

    Returns:
        The scenes. Train ids are 0..5531 in the order of Train.mat; a test id
        is the query's place in the protocols.

    Raises:
        DataError: If a file is missing, broken or inconsistent.
    """
    root = Path(data_root)
    if split not in ('train', 'test'):
        raise DataError(f"split must be 'train' or 'test', but got {split!r}")
    boxes, pool = _read_boxes(root), _read_pool(root)
    unknown = [image for image in pool if image not in boxes]
    if unknown:
        raise DataError(
            f'{root / "annotation" / "pool.mat"} lists image {unknown[0]}, which Images.mat '
            'does not have'
        )
    ids = {image: np.full(len(found), -1, dtype=np.int64) for image, found in boxes.items()}
    if split == 'train':
        _label_train(root, boxes, ids)
        images = sorted(set(boxes) - set(pool))
    else:
        _label_test(root, boxes, ids)
        images = pool
    return [
        Scene(
            image=image,
            boxes=_corners(boxes[image]),
            person_ids=ids[image],
            ignore=np.zeros(len(boxes[image]), dtype=bool),
        )
        for image in images
    ]


def _protocol_file(root: Path, name: str) -> tuple[Path, str]:
    if name in SUBSETS:
        file, variable = SUBSETS[name]
        return root / SUBSET_FOLDER / file, variable
    size = name[len('gallery_') :]
    if not name.startswith('gallery_') or not size.isdigit():
        known = [f'gallery_{s}' for s in SIZES] + ['full', *SUBSETS]
        raise DataError(f'unknown CUHK-SYSU protocol {name!r}: expected one of {known}')
    return root / TEST_FOLDER / f'TestG{size}.mat', f'TestG{size}'


def _read_protocol_table(root: Path, name: str) -> tuple[Path, np.ndarray]:
    path, variable = _protocol_file(root, name)
    return path, mat_field(path, variable).ravel()


def protocol_names(data_root: str | Path) -> list[str]:
    """List the protocols whose files are there: ``gallery_50``, ... in order of size."""
    root = Path(data_root)
    sizes = [int(p.stem[len('TestG') :]) for p in (root / TEST_FOLDER).glob('TestG*.mat')]
    subsets = [name for name in SUBSETS if _protocol_file(root, name)[0].exists()]
    return [f'gallery_{size}' for size in sorted(sizes)] + subsets


def cuhk_sysu_protocols(
    data_root: str | Path, names: Sequence[str] | None = None
) -> list[SearchProtocol]:
    """Read retrieval tasks.

    Args:
        data_root: Folder with ``annotation/``.
        names: ``gallery_50`` ... ``gallery_4000``, ``full`` (TestG50's queries
            against the whole pool), ``occlusion``, ``resolution``; None for
            every task whose file is there.

    Returns:
        The tasks. ``query_ids`` are places in TestG50, so that all tasks
        share the queries' embeddings.

    Raises:
        DataError: If a file is missing, broken or inconsistent, or a name is
            unknown.
    """
    root = Path(data_root)
    pool = _read_pool(root)
    chosen = protocol_names(root) if names is None else list(names)
    if not chosen:
        raise DataError(f'{root / TEST_FOLDER} has no TestG*.mat')
    return [_read_protocol(root, name, pool) for name in chosen]


def _read_protocol(root: Path, name: str, pool: list[str]) -> SearchProtocol:
    path, table = _read_protocol_table(root, 'gallery_50' if name == 'full' else name)
    known = set(pool)
    queries, truths, galleries = [], [], []
    for number, item in enumerate(table):
        image, box = item['Query'].ravel()[0].tolist()[:2]
        entries = [(mat_string(e[0]), e[1]) for e in item['Gallery'].ravel()]
        for entry in (mat_string(image), *(i for i, _ in entries)):
            if entry not in known:
                raise DataError(f'{path}, query {number}: image {entry} is not in pool.mat')
        queries.append(Query(mat_string(image), _corners(box)[0], number))
        truths.append([(i, _corners(b)[0]) for i, b in entries if b.size])
        galleries.append([i for i, _ in entries])
        if not truths[-1]:
            raise DataError(f'{path}, query {number}: no gallery image shows the person')
    return SearchProtocol.build(
        name,
        pool,
        queries,
        truths,
        galleries=None if name == 'full' else galleries,
        query_ids=_query_ids(root, name, queries),
    )


def _query_ids(root: Path, name: str, queries: list[Query]) -> list[int]:
    """Find the subsets' queries among TestG50's; the others share its order."""
    if name not in SUBSETS:
        return list(range(len(queries)))
    _, table = _read_protocol_table(root, 'gallery_50')
    place = {}
    for number, item in enumerate(table):
        image, box = item['Query'].ravel()[0].tolist()[:2]
        place[(mat_string(image), *_corners(box)[0].tolist())] = number
    try:
        return [place[(q.image, *q.box.tolist())] for q in queries]
    except KeyError as error:
        raise DataError(
            f'{_protocol_file(root, name)[0]}: query {error.args[0]} is not one of TestG50.mat'
        ) from None
