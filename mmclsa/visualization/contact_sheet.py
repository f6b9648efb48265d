"""Sheets of people: a row each, with the crops of when they were seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmclsa.visualization.canvas import GREY, fit_into, put_text

__all__ = ['SheetPerson', 'draw_contact_sheet']

_GAP, _LINE = 6, 18


@dataclass(frozen=True, eq=False)
class SheetPerson:
    """A row of the sheet.

    Attributes:
        heading: A line above.
        pictures: Crops, shape (h, w, 3) each, uint8, RGB; None for a missing one.
        notes: A line below each.
    """

    heading: str
    pictures: Sequence[np.ndarray | None]
    notes: Sequence[str]


def draw_contact_sheet(
    people: Sequence[SheetPerson], crop_size: tuple[int, int] = (80, 160), columns: int = 8
) -> np.ndarray:
    """Draw people, a row of crops each.

    Args:
        people: From top to bottom; may be empty.
        crop_size: Width and height of a crop, pixels.
        columns: Crops in a row. Of a person with more, the heading's end says
            how many are not shown.

    Returns:
        Shape (H, W, 3), uint8, RGB.

    Example:
        >>> crop = np.zeros((40, 20, 3), np.uint8)
        >>> draw_contact_sheet([SheetPerson('person 1', [crop] * 3, ['0:01'] * 3)]).shape[2]
        3
    """
    width = columns * (crop_size[0] + _GAP) + _GAP
    rows = [_row(person, crop_size, columns, width) for person in people]
    if not rows:
        rows = [np.full((_LINE + 2 * _GAP, width, 3), 255, np.uint8)]
        put_text(rows[0], 'nobody', (_GAP, _LINE), size=14)
    return np.concatenate(rows)


def _row(person: SheetPerson, crop_size: tuple[int, int], columns: int, width: int) -> np.ndarray:
    crop_width, height = crop_size
    row = np.full((2 * _LINE + height + 2 * _GAP, width, 3), 255, np.uint8)
    row[0] = 200
    more = len(person.pictures) - columns
    heading = f'{person.heading} (+{more} more)' if more > 0 else person.heading
    put_text(row, heading, (_GAP, _LINE - 2), size=14, width=width - 2 * _GAP)
    for place, (picture, note) in enumerate(zip(person.pictures[:columns], person.notes)):
        left = _GAP + place * (crop_width + _GAP)
        row[_LINE + _GAP : _LINE + _GAP + height, left : left + crop_width] = fit_into(
            picture, crop_size
        )
        put_text(row, note, (left, 2 * _LINE + height), GREY, 11, crop_width)
    return row
