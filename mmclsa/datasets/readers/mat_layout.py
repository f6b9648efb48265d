"""The MATLAB layout that CUHK-SYSU and MovieNet-PS share.

``Images.mat`` has all boxes without identities; ``Train*.mat`` and
``TestG*.mat`` name people by image and box.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mmclsa.datasets.readers.mat_file import mat_field, mat_string, read_mat
from mmclsa.datasets.readers.mat_stream import (
    Column,
    OtherLayoutError,
    struct_columns,
    struct_elements,
    struct_length,
)
from mmclsa.datasets.readers.paths import AnyPath, as_path
from mmclsa.datasets.readers.search_entries import NameTable, SearchEntries, SearchEntry
from mmclsa.errors import DataError
from mmclsa.structures import Scene, SearchProtocol, offsets_of
from mmclsa.utils.cache import cached_arrays
from mmclsa.utils.progress import told_when_slow

__all__ = [
    'build_task',
    'corners',
    'label_scenes',
    'read_boxes',
    'read_pool',
    'read_search_entries',
    'read_training_people',
]

# Image and box of each appearance, person by person.
People = Iterable[Sequence[tuple[str, np.ndarray]]]


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
    content = read_mat(path)
    arrays = cached_arrays(content, 'boxes', lambda: _lists_to_arrays(_boxes(path, content)))
    return dict(_arrays_to_lists(arrays))


def _boxes(path: AnyPath, content: bytes) -> Iterator[tuple[str, np.ndarray]]:
    images = mat_field(path, 'Img', content=content).ravel()
    if not len(images):
        raise DataError(f'{path}, field Img: expected at least one image, but got none')
    for name, _, people in told_when_slow(images, len(images), f'reading {as_path(path).name}'):
        image = mat_string(name)
        rows = [_box(person[0], f'{path}, field box of {image}') for person in people.ravel()]
        found = np.array(rows, dtype=np.int64).reshape(-1, 4)
        yield image, found[(found[:, 2] > 0) & (found[:, 3] > 0)]


def _lists_to_arrays(lists: Iterable[tuple[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Put the boxes of many names, of either number type, into flat arrays."""
    names, boxes = zip(*lists)
    return dict(
        names=np.array([name.encode() for name in names]),
        offsets=offsets_of([len(found) for found in boxes]),
        boxes=np.concatenate(boxes),
    )


def _arrays_to_lists(arrays: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    ends = arrays['offsets'].tolist()
    for name, start, stop in zip(arrays['names'].tolist(), ends, ends[1:]):
        yield name.decode(), arrays['boxes'][start:stop]


def _box(value: Any, where: str) -> np.ndarray:
    row = np.asarray(value, dtype=np.float64).ravel()
    if len(row) != 4 or not np.isfinite(row).all():
        raise DataError(f'{where}: a box must be 4 finite numbers x y w h, but is {row.tolist()}')
    return row


def read_pool(path: AnyPath) -> list[str]:
    """Read the names of the test images, in the file's order."""
    content = read_mat(path)

    def read() -> dict[str, np.ndarray]:
        names = mat_field(path, 'pool', content=content).ravel()
        return dict(names=np.array([mat_string(name).encode() for name in names], dtype=bytes))

    return [name.decode() for name in cached_arrays(content, 'pool', read)['names'].tolist()]


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
    content = read_mat(path)

    def read() -> dict[str, np.ndarray]:
        people = list(_training_people(path, content))
        appearances = [pair for person in people for pair in person]
        return dict(
            names=np.array([image.encode() for image, _ in appearances], dtype=bytes),
            boxes=np.array([box for _, box in appearances], dtype=np.float64).reshape(-1, 4),
            offsets=offsets_of([len(person) for person in people]),
        )

    arrays = cached_arrays(content, 'train', read)
    names = [name.decode() for name in arrays['names'].tolist()]
    flat, ends = list(zip(names, arrays['boxes'])), arrays['offsets'].tolist()
    return [flat[start:stop] for start, stop in zip(ends, ends[1:])]


def _training_people(path: AnyPath, content: bytes) -> Iterator[list[tuple[str, np.ndarray]]]:
    for number, record in enumerate(_records(mat_field(path, 'Train', content=content))):
        where = f'{path}, person {number}'
        scenes = _records(record[2])
        yield [(mat_string(scene[0]), _box(scene[1], where)) for scene in scenes]


def _records(table: np.ndarray) -> list[tuple[Any, ...]]:
    """List the records of a struct array, of cells of structs, or of a cell array of 3 columns."""
    if table.dtype.names:
        return [tuple(record) for record in table.ravel()]
    if table.ndim == 2 and table.shape[1] == 3:
        return [tuple(row) for row in table]
    return [record for cell in table.ravel() for record in _records(cell)]


def read_search_entries(path: AnyPath, variable: str) -> SearchEntries:
    """Read the queries of ``TestG*.mat``.

    Raises:
        DataError: If the file is missing or broken, or a box is none.
    """
    content = read_mat(path)

    def read() -> dict[str, np.ndarray]:
        try:
            entries = _stream_entries(path, content, variable)
        except OtherLayoutError:
            entries = SearchEntries.of(list(_single_entries(path, content, variable)))
        return entries.to_arrays()

    return SearchEntries.from_arrays(cached_arrays(content, f'entries-{variable}', read))


def _single_entries(path: AnyPath, content: bytes, variable: str) -> Iterator[SearchEntry]:
    """Read queries of any form, one object for each value."""
    for number, item in enumerate(mat_field(path, variable, content=content).ravel()):
        where = f'{path}, query {number}'
        if item['Query'].size == 0:
            raise DataError(f'{where}, field Query: expected an image and a box, but it is empty')
        image, box = item['Query'].ravel()[0].tolist()[:2]
        gallery = [
            (mat_string(entry[0]), _box(entry[1], where) if entry[1].size else None)
            for entry in item['Gallery'].ravel()
        ]
        yield SearchEntry(mat_string(image), _box(box, where), gallery)


def _stream_entries(path: AnyPath, content: bytes, variable: str) -> SearchEntries:
    """Read queries of the usual form, all entries of a gallery at once.

    Raises:
        OtherLayoutError: If they have another form.
    """
    table, total = NameTable(), struct_length(content, variable)
    elements = struct_elements(content, variable)
    parts: list[tuple[np.ndarray, ...]] = []
    for element in told_when_slow(elements, total, f'reading {as_path(path).name}'):
        if not {'Query', 'Gallery'} <= element.keys():
            raise OtherLayoutError('a query has no fields Query and Gallery')
        query, gallery = (_columns(element[name]) for name in ('Query', 'Gallery'))
        owner, box = query[1].rows(4)
        if len(owner) != 1 or not np.isfinite(box).all():
            raise OtherLayoutError('a query has not one box')
        shown, boxes = gallery[1].rows(4)
        if not np.isfinite(boxes).all():
            raise OtherLayoutError('a box is not finite')
        image, listed = table.number(query[0].texts()), table.number(gallery[0].texts())
        parts.append((image, box, listed, shown, boxes))
    if not parts:
        raise OtherLayoutError('there is no query')
    images, boxes, galleries, shown, shown_boxes = zip(*parts)
    offsets = offsets_of([len(listed) for listed in galleries])
    return SearchEntries(
        names=tuple(table.names),
        images=np.concatenate(images),
        boxes=np.concatenate(boxes),
        offsets=offsets,
        gallery=np.concatenate(galleries),
        shown=np.concatenate([start + places for start, places in zip(offsets, shown)]),
        shown_boxes=np.concatenate(shown_boxes),
    )


def _columns(data: memoryview) -> tuple[Column, Column]:
    """Find names and boxes, the first two fields, as the slow way takes them."""
    columns = list(struct_columns(data).values())
    if len(columns) < 2:
        raise OtherLayoutError('an entry has no name and box')
    return columns[0], columns[1]


def label_scenes(
    images: Iterable[str], boxes: Mapping[str, np.ndarray], tables: Iterable[tuple[AnyPath, People]]
) -> list[Scene]:
    """Make scenes of images; whose box equals that of an appearance exactly is that person.

    Args:
        images: In the order of the scenes.
        boxes: Of every image of the data set, x y w h.
        tables: Files with where their people are: each one's images and boxes
            (4,), x y w h. A person's id is the place in the file.

    Raises:
        DataError: If an image is unknown. A box that nobody has is a warning.
    """
    ids = {image: np.full(len(found), -1, dtype=np.int64) for image, found in boxes.items()}
    for source, people in tables:
        for person_id, appearances in enumerate(people):
            for image, box in appearances:
                if image not in boxes:
                    raise DataError(f'{source} lists image {image}, which Images.mat does not have')
                same = np.flatnonzero((boxes[image] == box).all(axis=1))
                if len(same):
                    ids[image][same[0]] = person_id
                    continue
                warnings.warn(
                    f'{source}: no box of {image} equals {box.tolist()} of person {person_id}; the '
                    'person stays unlabelled there',
                    stacklevel=2,
                )
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
    entries: SearchEntries,
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

    Raises:
        DataError: If a query or gallery image is no test image, or nobody in
            a gallery is the query's person.
    """
    index = {image: number for number, image in enumerate(images)}
    numbers = np.array([index.get(name, -1) for name in entries.names], dtype=np.int64)
    query_images, gallery = numbers[entries.images], numbers[entries.gallery]
    ends = entries.shown_offsets()
    _check_task(path, entries, query_images, gallery, ends)
    shown_boxes = corners(entries.shown_boxes)
    return SearchProtocol(
        name=name,
        images=tuple(images),
        query_ids=np.array(query_ids, dtype=np.int64),
        query_images=query_images,
        query_boxes=corners(entries.boxes),
        person_ids=np.array(query_ids, dtype=np.int64),
        cam_ids=np.full(len(entries), -1, dtype=np.int64),
        truth_offsets=ends,
        truth_images=gallery[entries.shown],
        truth_boxes=shown_boxes,
        gallery_offsets=None if whole_pool else entries.offsets,
        gallery_images=None if whole_pool else gallery,
    )


def _check_task(
    path: AnyPath,
    entries: SearchEntries,
    query_images: np.ndarray,
    gallery: np.ndarray,
    ends: np.ndarray,
) -> None:
    """Refuse images that are no test images, and a query that nobody in its gallery answers."""
    strange = np.flatnonzero(query_images < 0)
    listed = np.flatnonzero(gallery < 0)
    alone = np.flatnonzero(np.diff(ends) == 0)
    owners = np.searchsorted(entries.offsets, listed, side='right') - 1
    first = min(found[0] for found in (strange, owners, alone, [len(entries)]) if len(found))
    if first == len(entries):
        return
    if first in strange or first in owners:
        wrong = entries.images[first] if first in strange else entries.gallery[listed[0]]
        raise DataError(f'{path}, query {first}: image {entries.names[wrong]} is not in the pool')
    raise DataError(f'{path}, query {first}: no gallery image shows the person')
