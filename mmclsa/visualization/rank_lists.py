"""Pictures of a query and what was found for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmclsa.visualization.canvas import (
    GREEN,
    GREY,
    QUERY,
    RED,
    Colour,
    crop_person,
    draw_boxes,
    fit_into,
    put_text,
)

__all__ = [
    'RankedPerson',
    'draw_gallery_montage',
    'draw_hit',
    'draw_rank_list',
    'truth_colour',
]

_GAP, _BORDER, _LINE = 8, 4, 20


@dataclass(frozen=True)
class RankedPerson:
    """A person to be drawn in a scene.

    Attributes:
        picture: The scene, shape (H, W, 3), uint8, RGB; None if missing.
        box: Shape (4,), x1 y1 x2 y2 in pixels.
        similarity: Cosine similarity to the query, or None.
        right: Whether it is the query's person; None = unknown.
        note: A line below, such as the image's name.
    """

    picture: np.ndarray | None
    box: np.ndarray
    similarity: float | None = None
    right: bool | None = None
    note: str = ''


def truth_colour(right: bool | None) -> Colour:
    """Give the colour of a truth flag: green right, red wrong, grey unknown.

    Example:
        >>> truth_colour(None)
        (140, 140, 140)
    """
    if right is None:
        return GREY
    return GREEN if right else RED


def draw_rank_list(
    query: RankedPerson,
    hits: Sequence[RankedPerson | np.ndarray],
    title: str = '',
    crop_size: tuple[int, int] = (104, 208),
    columns: int | None = None,
) -> np.ndarray:
    """Draw a query and its hits, best first.

    Each is a crop of the person in a border, the scene with the person's box
    below it, then rank and similarity. The query is at the left, in blue;
    hits are green (right), red (wrong) or grey (unknown).

    Args:
        query: Who was looked for.
        hits: What was found, in order, or what :func:`draw_hit` gave of it; may be empty.
        title: A line above.
        crop_size: Width and height of a crop, pixels.
        columns: Hits in a row; None for all in one.

    Returns:
        Shape (H, W, 3), uint8, RGB.

    Example:
        >>> person = RankedPerson(np.zeros((48, 64, 3), np.uint8), np.array([8, 8, 20, 40]), 0.9)
        >>> drawn = draw_rank_list(person, [person] * 3)
        >>> drawn.dtype.name, drawn.shape[2]
        ('uint8', 3)
    """
    head = _cell(query, 'query', QUERY, crop_size)
    cells = [
        hit if isinstance(hit, np.ndarray) else draw_hit(hit, rank, crop_size)
        for rank, hit in enumerate(hits, 1)
    ]
    if not cells:
        cells = [fit_into(None, (head.shape[1], head.shape[0]), 'nothing found')]
    body = _grid(cells, columns or len(cells))
    line = np.full((body.shape[0], 2, 3), 200, np.uint8)
    left = np.full((body.shape[0], head.shape[1], 3), 255, np.uint8)
    left[: head.shape[0]] = head
    gap = np.full((body.shape[0], _GAP, 3), 255, np.uint8)
    whole = np.concatenate([gap, left, gap, line, gap, body, gap], axis=1)
    top = np.full((_LINE + _GAP if title else _GAP, whole.shape[1], 3), 255, np.uint8)
    if title:
        put_text(top, title, (_GAP, _LINE - 2), size=16, width=whole.shape[1] - 2 * _GAP)
    bottom = np.full((_GAP, whole.shape[1], 3), 255, np.uint8)
    return np.concatenate([top, whole, bottom])


def draw_hit(hit: RankedPerson, rank: int, crop_size: tuple[int, int] = (104, 208)) -> np.ndarray:
    """Draw one of the hits for :func:`draw_rank_list`, after which its scene need not be kept.

    Args:
        hit: What was found.
        rank: From 1.
        crop_size: Width and height of the crop, pixels.

    Returns:
        Shape (h, w, 3), uint8, RGB.
    """
    return _cell(hit, str(rank), truth_colour(hit.right), crop_size)


def draw_gallery_montage(
    pictures: Sequence[np.ndarray | None],
    boxes: Sequence[np.ndarray] | None = None,
    notes: Sequence[str] | None = None,
    columns: int = 4,
    cell_size: tuple[int, int] = (240, 180),
) -> np.ndarray:
    """Lay pictures out in rows.

    Args:
        pictures: Shape (h, w, 3) each, uint8, RGB; None for a missing one.
        boxes: For each picture, boxes (n, 4) to draw, in its pixels.
        notes: A line below each.
        columns: Pictures in a row.
        cell_size: Width and height of each, pixels.

    Returns:
        Shape (H, W, 3), uint8, RGB.

    Example:
        >>> draw_gallery_montage([np.zeros((30, 40, 3), np.uint8)] * 5, columns=3).shape[2]
        3
    """
    cells = []
    for number, picture in enumerate(pictures):
        if picture is not None and boxes is not None:
            picture = _mark(picture, boxes[number], QUERY, cell_size)
        cell = fit_into(picture, cell_size)
        if notes is not None:
            line = np.full((_LINE, cell_size[0], 3), 255, np.uint8)
            put_text(line, notes[number], (2, _LINE - 6), size=13, width=cell_size[0] - 4)
            cell = np.concatenate([cell, line])
        cells.append(cell)
    if not cells:
        cells = [fit_into(None, cell_size)]
    body = _grid(cells, min(columns, len(cells)))
    return _frame(body, _GAP, (255, 255, 255))


def _cell(
    person: RankedPerson, heading: str, colour: Colour, crop_size: tuple[int, int]
) -> np.ndarray:
    """Draw the crop, the scene and the text of one person."""
    width, height = crop_size
    crop = scene = None
    if person.picture is not None:
        crop = crop_person(person.picture, person.box, width / height)
        scene = _mark(person.picture, person.box[None], colour, (width, width))
    inner = fit_into(crop, crop_size)
    framed = _frame(inner, _BORDER, colour)
    full = width + 2 * _BORDER
    text = np.full((_LINE * (2 if person.note else 1), full, 3), 255, np.uint8)
    used = put_text(text, heading, (2, _LINE - 5), colour, 17)
    if person.similarity is not None:
        put_text(text, f'{person.similarity:.3f}', (used + 12, _LINE - 5), size=15)
    if person.note:
        put_text(text, person.note, (2, 2 * _LINE - 7), GREY, 12, full - 4)
    small = fit_into(scene, (full, round(0.75 * full)))
    space = np.full((_BORDER, full, 3), 255, np.uint8)
    return np.concatenate([framed, space, small, text])


def _frame(picture: np.ndarray, width: int, colour: Colour) -> np.ndarray:
    return cv2.copyMakeBorder(
        picture, width, width, width, width, cv2.BORDER_CONSTANT, value=colour
    )


def _mark(
    picture: np.ndarray, boxes: np.ndarray, colour: Colour, size: tuple[int, int]
) -> np.ndarray:
    """Scale a scene down first, so that lines stay two pixels wide."""
    scale = min(1.0, size[0] / picture.shape[1], 4 * size[1] / picture.shape[0])
    shape = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    return draw_boxes(small, np.asarray(boxes, float) * scale, colours=colour)


def _grid(cells: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Lay cells of one size out in rows, on white."""
    blank = np.full_like(cells[0], 255)
    rows = []
    for start in range(0, len(cells), columns):
        row = [*cells[start : start + columns]]
        row += [blank] * (columns - len(row))
        parts: list[np.ndarray] = []
        for cell in row:
            parts += [cell, np.full((cell.shape[0], _GAP, 3), 255, np.uint8)]
        rows += [np.concatenate(parts[:-1], axis=1)]
        rows.append(np.full((_GAP, rows[0].shape[1], 3), 255, np.uint8))
    return np.concatenate(rows[:-1])
