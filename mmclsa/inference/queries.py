"""Who is looked for: the people of the query pictures."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Union

import numpy as np

from mmclsa.errors import UserError
from mmclsa.gallery import GalleryRecord
from mmclsa.gallery.building import QueryEmbedder, find_people_in
from mmclsa.gallery.index_reader import IndexReader
from mmclsa.inference.boxes import as_boxes, check_boxes
from mmclsa.inference.record_pictures import decode_crop, load_record_pictures
from mmclsa.media import InputsType, Picture, as_inputs, load_picture
from mmclsa.structures import FoundPeople

__all__ = [
    'Boxes',
    'Chooser',
    'QueryPerson',
    'choose_first',
    'choose_queries',
    'describe_people',
    'describe_queries',
    'fuse_embeddings',
    'list_people',
    'queries_of_rows',
]

Boxes = Union[Sequence[float], Sequence[Sequence[float]], np.ndarray]
#: Is given a picture and its people (at least two), and returns the number of one,
#: or None if it cannot tell.
Chooser = Callable[[Picture, FoundPeople], Optional[int]]


@dataclass(frozen=True, eq=False)
class QueryPerson:
    """Somebody to look for.

    Attributes:
        picture: Shape (H, W, 3), uint8, BGR, upright.
        box: Shape (4,), x1 y1 x2 y2 in its pixels.
        source: The picture's file; empty for an array.
        embedding: Shape (D,), float32, of unit length, if finding the person
            has given it.
        row: The row of an index, of somebody who is in one; else -1.
        record: And the record; the picture may then be a crop of its source.
    """

    picture: np.ndarray = field(repr=False)
    box: np.ndarray
    source: str = ''
    embedding: np.ndarray | None = field(default=None, repr=False)
    row: int = -1
    record: GalleryRecord | None = field(default=None, repr=False)


def choose_queries(
    embedder: QueryEmbedder,
    images: InputsType,
    boxes: Boxes | Any | None = None,
    people: Sequence[int] | int | None = None,
    chooser: Chooser | None = None,
) -> list[QueryPerson]:
    """Settle who is looked for in each query picture.

    Args:
        embedder: Finds people where no box is given.
        images: A picture, or several of one person.
        boxes: A box x1 y1 x2 y2 for each picture, in pixels of the upright
            picture; in any form that ``as_boxes`` takes.
        people: Or for each the number of a person, from 1, in the order of
            certainty.
        chooser: Or a function that chooses where a picture has several people.

    Returns:
        One person a picture.

    Raises:
        UserError: If a box is outside of its picture, nobody is found, or it
            is not said which of several people is meant; if boxes and numbers
            are given, or there is no picture.
    """
    pictures = [load_picture(image) for image in as_inputs(images)]
    if not pictures:
        raise UserError('there must be a query picture at least')
    numbers = [] if people is None else _as_numbers(people)
    if boxes is not None and numbers:
        raise UserError('either a box or the number of a person may be given, not both')
    if boxes is not None:
        given = as_boxes(boxes)
        _check_count('boxes', len(given), len(pictures))
        return [
            QueryPerson(picture.array, _given_box(box, picture), picture.source)
            for picture, box in zip(pictures, given)
        ]
    numbers = numbers or [None] * len(pictures)
    _check_count('people', len(numbers), len(pictures))
    return [
        _choose(embedder, picture, number, chooser) for picture, number in zip(pictures, numbers)
    ]


def _as_numbers(people: Any) -> list[int | None]:
    """Take one number or several; those of NumPy and PyTorch do as well.

    Example:
        >>> _as_numbers(np.int64(2)), _as_numbers((1, 2))
        ([2], [1, 2])
    """
    several = people if np.ndim(people) else [people]
    try:
        return [None if number is None else operator.index(number) for number in several]
    except TypeError as error:
        raise UserError(f'the number of a person must be an integer, not {people!r}') from error


def _given_box(box: np.ndarray, picture: Picture) -> np.ndarray:
    try:
        return check_boxes([box], picture.array.shape)[0]
    except UserError as error:
        raise UserError(f'{picture.source or "the query picture"}: {error}') from error


def choose_first(_: Picture, people: FoundPeople) -> int:
    """Choose the most certain person."""
    return int(people.scores.argmax()) + 1


def _choose(
    embedder: QueryEmbedder,
    picture: Picture,
    number: int | None,
    chooser: Chooser | None,
) -> QueryPerson:
    name = picture.source or 'the query picture'
    people = find_people_in(embedder, picture.array, name)
    count = len(people.scores)
    if not count:
        raise UserError(
            f'nobody is found in {name} with a score of {embedder.det_thresh} or more: give a box'
        )
    if number is None:
        number = 1 if count == 1 else chooser and chooser(picture, people)
    if number is None:
        raise UserError(
            f'{name} has {count} people, and one must be chosen, by its number or box: '
            f'{describe_people(people)}'
        )
    if not 1 <= number <= count:
        there = f'people 1 to {count}' if count > 1 else '1 person'
        raise UserError(f'{name} has {there}, but person {number} is asked for')
    box = check_boxes(people.boxes[number - 1 : number], picture.array.shape)[0]
    embedding = people.embeddings[number - 1]
    return QueryPerson(picture.array, box, picture.source, embedding)


def queries_of_rows(index: IndexReader, rows: Sequence[int]) -> list[QueryPerson]:
    """Make queries of people whom an index holds.

    Args:
        index: The index.
        rows: Their rows.

    Returns:
        A query each. The picture is the crop that the index keeps, or the
        scene; where that is gone too, a grey one.

    Raises:
        DataError: If there is no such row.
    """
    records, vectors, crops = index.records(rows), index.embeddings(rows), index.crops(rows)
    return [
        _StoredPerson(row, record, vector, crops.get(row))
        for row, record, vector in zip(rows, records, vectors)
    ]


class _StoredPerson(QueryPerson):
    """Somebody of an index, whose picture is loaded when it is looked at: most never are."""

    def __init__(
        self, row: int, record: GalleryRecord, embedding: np.ndarray, crop: bytes | None
    ) -> None:
        known = dict(source=record.source, embedding=embedding, row=row, record=record)
        vars(self).update(known, _crop=crop)

    def __repr__(self) -> str:
        return f'QueryPerson(source={self.source!r}, row={self.row}, record={self.record!r})'

    def __getattr__(self, name: str) -> Any:
        if name not in ('picture', 'box') or self.record is None:
            raise AttributeError(f'{type(self).__name__!r} object has no attribute {name!r}')
        picture, box = _picture_of(self.record, vars(self)['_crop'])
        vars(self).update(picture=picture, box=box)
        return vars(self)[name]


def _picture_of(record: GalleryRecord, crop: bytes | None) -> tuple[np.ndarray, np.ndarray]:
    """Give a picture with a person, BGR, and his box in it."""
    if crop is not None:
        picture = decode_crop(crop)
        return picture, np.array([0.0, 0.0, picture.shape[1], picture.shape[0]])
    (scene,) = load_record_pictures([record])
    if scene is None:
        scene = np.full((128, 64, 3), 160, np.uint8)
        return scene, np.array([0.0, 0.0, 64.0, 128.0])
    return np.ascontiguousarray(scene[..., ::-1]), np.array(record.box)


def fuse_embeddings(embeddings: np.ndarray) -> np.ndarray:
    """Make one description of several views of one person, each of which counts as much.

    What an index keeps of a track is weighted instead
    (:func:`~mmclsa.gallery.building.sightings.fuse_weighted`).

    Args:
        embeddings: Shape (n, D), unit vectors, n >= 1.

    Returns:
        Their mean, of unit length, shape (D,), float32.

    Example:
        >>> fuse_embeddings(np.eye(2)).round(3).tolist()
        [0.7070000171661377, 0.7070000171661377]
    """
    mean = np.asarray(embeddings, np.float64).mean(axis=0)
    length = np.linalg.norm(mean)
    # Views that cancel out have no mean; the first is as good as any.
    fused = mean / length if length > 1e-6 else np.asarray(embeddings[0], np.float64)
    return fused.astype(np.float32)


def describe_queries(embedder: QueryEmbedder, queries: Sequence[QueryPerson]) -> np.ndarray:
    """Describe a person who is in one or several pictures.

    Args:
        embedder: The model.
        queries: The pictures, with the person's box.

    Returns:
        Shape (D,), float32, a unit vector.
    """
    known = [
        embedder.embed_boxes(query.picture, query.box[None])[0]
        if query.embedding is None
        else query.embedding
        for query in queries
    ]
    return fuse_embeddings(np.stack(known))


def describe_people(people: FoundPeople) -> str:
    """Write numbers and boxes of the people of a picture.

    Args:
        people: The people.

    Returns:
        Such as ``1 at 10 20 50 140 (0.93), 2 at ...``.
    """
    return ', '.join(
        f'{number} at {" ".join(f"{value:.0f}" for value in box)} ({score:.2f})'
        for number, (box, score) in enumerate(zip(people.boxes, people.scores), 1)
    )


def list_people(people: FoundPeople) -> str:
    """Do as :func:`describe_people` does: the former name, which tools/list_people.py has too."""
    return describe_people(people)


def _check_count(name: str, count: int, pictures: int) -> None:
    if count != pictures:
        raise UserError(f'there must be as many {name} as query pictures, {pictures}, not {count}')
