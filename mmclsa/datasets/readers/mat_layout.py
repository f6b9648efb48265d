"""The MATLAB layout that CUHK-SYSU and MovieNet-PS share.

``Images.mat`` has all boxes without identities; ``Train*.mat`` and
``TestG*.mat`` name people by image and box.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclsa.datasets.readers.mat_file import mat_field, mat_string
from mmclsa.datasets.readers.paths import AnyPath
from mmclsa.errors import DataError
from mmclsa.structures import Query, Scene, SearchProtocol

__all__ = [
    'SearchEntry',
    'build_task',
    'corners',
    'label_box',
    'make_scenes',
    'read_boxes',
    'read_pool',
    'read_search_entries',
    'read_training_people',
]


@dataclass(frozen=True, eq=False)
class SearchEntry:
    """One query with its gallery.

    Attributes:
        image: The query's image.
        box: Shape (4,), x y w h.
        gallery: Image, and the person's box x y w h or None, of each entry.
    """

    image: str
    box: np.ndarray
    gallery: list[tuple[str, np.ndarray | None]]

    def appearances(self) -> Iterator[tuple[str, np.ndarray]]:
        """List where the person is, the query first."""
        yield self.image, self.box
        for image, box in self.gallery:
            if box is not None:
                yield image, box


def corners(xywh: np.ndarray) -> np.ndarray:
    """Turn boxes x y w h of shape (..., 4) into float64 x1 y1 x2 y2 of shape (n, 4).

    Example:
        >>> corners(np.array([1, 2, 10, 20])).tolist()
        [[1.0, 2.0, 11.0, 22.0]]
    """
    boxes = np.asarray(xywh, dtype=np.float64).reshape(-1, 4).copy()
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def read_boxes(path: AnyPath) -> dict[str, np.ndarray]:
    """Read the boxes of every image.

    Args:
        path: ``Images.mat``.

    Returns:
        Image name to integer boxes (n, 4), x y w h, without those of no size.

    Raises:
        DataError: If the file is missing or broken, or a box is none.
    """
    boxes = {}
    for name, _, people in mat_field(path, 'Img').ravel():
        image = mat_string(name)
        rows = [_box(person[0], f'{path}, field box of {image}') for person in people.ravel()]
        found = np.array(rows, dtype=np.int64).reshape(-1, 4)
        boxes[image] = found[(found[:, 2] > 0) & (found[:, 3] > 0)]
    if not boxes:
        raise DataError(f'{path}, field Img: expected at least one image, but got none')
    return boxes


def _box(value: Any, where: str) -> np.ndarray:
    row = np.asarray(value, dtype=np.float64).ravel()
    if len(row) != 4 or not np.isfinite(row).all():
        raise DataError(f'{where}: a box must be 4 finite numbers x y w h, but is {row.tolist()}')
    return row


def read_pool(path: AnyPath) -> list[str]:
    """Read the names of the test images, in the file's order."""
    return [mat_string(name) for name in mat_field(path, 'pool').ravel()]


def read_training_people(path: AnyPath) -> list[list[tuple[str, np.ndarray]]]:
    """Read where each training person is.

    Args:
        path: ``Train*.mat``: structs, cells of one struct each (CUHK-SYSU), or
            a cell array with a row for each person (MovieNet-PS).

    Returns:
        For each person, image and box x y w h of each appearance.

    Raises:
        DataError: If the file is missing or broken.
    """
    people = []
    for number, record in enumerate(_records(mat_field(path, 'Train'))):
        where = f'{path}, person {number}'
        scenes = _records(record[2])
        people.append([(mat_string(scene[0]), _box(scene[1], where)) for scene in scenes])
    return people


def _records(table: np.ndarray) -> list[tuple[Any, ...]]:
    """List the records of a struct array, of cells of structs, or of a cell array of 3 columns."""
    if table.dtype.names:
        return [tuple(record) for record in table.ravel()]
    if table.ndim == 2 and table.shape[1] == 3:
        return [tuple(row) for row in table]
    return [record for cell in table.ravel() for record in _records(cell)]


def read_search_entries(path: AnyPath, variable: str) -> list[SearchEntry]:
    """Read the queries of ``TestG*.mat``.

    Args:
        path: The file.
        variable: The name of its variable.

    Returns:
        The queries, in order.

    Raises:
        DataError: If the file is missing or broken, or a box is none.
    """
    entries = []
    for number, item in enumerate(mat_field(path, variable).ravel()):
        where = f'{path}, query {number}'
        image, box = item['Query'].ravel()[0].tolist()[:2]
        gallery = [
            (mat_string(entry[0]), _box(entry[1], where) if entry[1].size else None)
            for entry in item['Gallery'].ravel()
        ]
        entries.append(SearchEntry(mat_string(image), _box(box, where), gallery))
    return entries


def label_box(
    ids: Mapping[str, np.ndarray],
    boxes: Mapping[str, np.ndarray],
    image: str,
    box: np.ndarray,
    person_id: int,
    source: AnyPath,
) -> None:
    """Give a person's id to the box of an image that equals theirs exactly.

    Args:
        ids: Ids of each image's boxes; changed.
        boxes: Of each image.
        image: Where the person is.
        box: Shape (4,), x y w h.
        person_id: Who it is.
        source: The file that says so, for the messages.

    Raises:
        DataError: If the image is unknown. A box that nobody has is a warning.
    """
    if image not in boxes:
        raise DataError(f'{source} lists image {image}, which Images.mat does not have')
    same = np.flatnonzero((boxes[image] == box).all(axis=1))
    if len(same) == 0:
        warnings.warn(
            f'{source}: no box of {image} equals {box.tolist()} of person {person_id}; the '
            'person stays unlabelled there',
            stacklevel=2,
        )
        return
    ids[image][same[0]] = person_id


def make_scenes(
    images: list[str], boxes: Mapping[str, np.ndarray], ids: Mapping[str, np.ndarray]
) -> list[Scene]:
    """Make scenes of images with their boxes x y w h and ids."""
    return [
        Scene(
            image=image,
            boxes=corners(boxes[image]),
            person_ids=ids[image],
            ignore=np.zeros(len(boxes[image]), dtype=bool),
        )
        for image in images
    ]


def build_task(
    name: str,
    path: AnyPath,
    entries: list[SearchEntry],
    images: list[str],
    query_ids: list[int],
    whole_pool: bool = False,
) -> SearchProtocol:
    """Make a retrieval task.

    Args:
        name: Of the task.
        path: The file it comes from, for messages.
        entries: Its queries.
        images: All test images.
        query_ids: Number of each query in the data set's list.
        whole_pool: Search every image but the query's own, not the listed ones.

    Returns:
        The task.

    Raises:
        DataError: If a query or gallery image is no test image, or nobody in
            a gallery is the query's person.
    """
    known = set(images)
    for number, entry in enumerate(entries):
        for image in (entry.image, *(i for i, _ in entry.gallery)):
            if image not in known:
                raise DataError(f'{path}, query {number}: image {image} is not in the pool')
        if all(box is None for _, box in entry.gallery):
            raise DataError(f'{path}, query {number}: no gallery image shows the person')
    return SearchProtocol.build(
        name,
        images,
        [Query(e.image, corners(e.box)[0], number) for number, e in zip(query_ids, entries)],
        [[(i, corners(b)[0]) for i, b in e.gallery if b is not None] for e in entries],
        galleries=None if whole_pool else [[i for i, _ in e.gallery] for e in entries],
        query_ids=query_ids,
    )
