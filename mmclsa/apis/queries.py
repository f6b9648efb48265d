"""Who is looked for: the people of the query pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Optional, Union

import numpy as np

from mmclsa.apis.boxes import check_boxes
from mmclsa.apis.searching import QueryPerson
from mmclsa.errors import UserError
from mmclsa.gallery.building import QueryEmbedder
from mmclsa.media import InputsType, Picture, load_picture
from mmclsa.structures import FoundPeople

__all__ = ['Boxes', 'Chooser', 'choose_first', 'choose_queries', 'list_people']

Boxes = Union[Sequence[float], Sequence[Sequence[float]], np.ndarray]
#: Is given a picture and its people (at least two), and returns the number of one,
#: or None if it cannot tell.
Chooser = Callable[[Picture, FoundPeople], Optional[int]]


def choose_queries(
    embedder: QueryEmbedder,
    images: InputsType,
    boxes: Boxes | None = None,
    people: Sequence[int] | int | None = None,
    chooser: Chooser | None = None,
) -> list[QueryPerson]:
    """Settle who is looked for in each query picture.

    Args:
        embedder: Finds people where no box is given.
        images: A picture, or several of one person.
        boxes: A box x1 y1 x2 y2 for each picture, in pixels of the upright
            picture.
        people: Or for each the number of a person, from 1, in the order of
            certainty.
        chooser: Or a function that chooses where a picture has several people.

    Returns:
        One person a picture.

    Raises:
        UserError: If a box is outside of its picture, nobody is found, or it
            is not said which of several people is meant.
    """
    given_images = [images] if isinstance(images, (str, Path, np.ndarray)) else list(images)
    pictures = [load_picture(image) for image in given_images]
    if boxes is not None:
        given = np.asarray(boxes, np.float64).reshape(-1, 4) if _flat(boxes) else boxes
        _check_count('boxes', len(given), len(pictures))
        return [
            QueryPerson(picture.array, check_boxes([box], picture.array.shape)[0], picture.source)
            for picture, box in zip(pictures, given)
        ]
    numbers: Sequence[int | None] = [people] if isinstance(people, int) else people or []
    if numbers:
        _check_count('people', len(numbers), len(pictures))
    else:
        numbers = [None] * len(pictures)
    return [
        _choose(embedder, picture, number, chooser) for picture, number in zip(pictures, numbers)
    ]


def choose_first(_: Picture, people: FoundPeople) -> int:
    """Choose the most certain person."""
    return int(people.scores.argmax()) + 1


def _choose(
    embedder: QueryEmbedder,
    picture: Picture,
    number: int | None,
    chooser: Chooser | None,
) -> QueryPerson:
    (people,) = embedder.find_people([embedder.prepare(picture.array)])
    name = picture.source or 'the query picture'
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
            f'{list_people(people)}'
        )
    if not 1 <= number <= count:
        raise UserError(f'{name} has people 1 to {count}, but person {number} is asked for')
    box = check_boxes(people.boxes[number - 1 : number], picture.array.shape)[0]
    return QueryPerson(picture.array, box, picture.source)


def list_people(people: FoundPeople) -> str:
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


def _flat(boxes: Boxes) -> bool:
    return len(boxes) == 4 and all(np.isscalar(value) for value in boxes)


def _check_count(name: str, count: int, pictures: int) -> None:
    if count != pictures:
        raise UserError(f'there must be as many {name} as query pictures, {pictures}, not {count}')
