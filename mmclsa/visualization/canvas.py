"""Cells, borders and text on pictures: what all drawings are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmclsa.errors import DataError
from mmclsa.utils.io import atomic_write, telling_write_errors
from mmclsa.visualization.fonts import drawable, split_by_font

__all__ = [
    'GREEN',
    'GREY',
    'QUERY',
    'RED',
    'crop_person',
    'draw_boxes',
    'fit_into',
    'put_text',
    'write_picture',
]

Colour = tuple[int, int, int]
#: Right, wrong and unknown hits, and the query; RGB.
GREEN: Colour = (24, 160, 72)
RED: Colour = (214, 40, 40)
GREY: Colour = (140, 140, 140)
QUERY: Colour = (30, 100, 220)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SCALE = 30  # height of a line in OpenCV's font at scale 1, pixels
_EMPTY: Colour = (228, 228, 228)


def put_text(
    picture: np.ndarray,
    text: str,
    place: tuple[int, int],
    colour: Colour = (20, 20, 20),
    size: int = 14,
    width: int | None = None,
) -> int:
    r"""Write a line of text into a picture.

    Args:
        picture: Shape (H, W, 3), uint8, RGB; changed.
        text: What to write, in any script; a letter that no font of this
            machine has becomes ``\u8857`` or the like.
        place: Left end of the baseline, x y in pixels.
        colour: RGB.
        size: Height of a line, pixels.
        width: Room in pixels; a longer text ends in ``...``.

    Returns:
        The width of what was written, pixels.

    Example:
        >>> canvas = np.full((20, 60, 3), 255, np.uint8)
        >>> 0 < put_text(canvas, 'a rather long text', (2, 15), width=50) <= 50
        True
    """
    text = drawable(text)
    if width is not None and _text_width(text, size) > width:
        while text and _text_width(f'{text}...', size) > width:
            text = text[:-1]
        text += '...'
    if text.isascii():
        cv2.putText(picture, text, place, _FONT, size / _SCALE, colour, 1, cv2.LINE_AA)
    else:
        _put_letters(picture, text, place, colour, size)
    return _text_width(text, size)


def _put_letters(
    picture: np.ndarray, text: str, place: tuple[int, int], colour: Colour, size: int
) -> None:
    """Write what OpenCV's font does not have."""
    image = Image.fromarray(picture)
    brush, x = ImageDraw.Draw(image), float(place[0])
    for part, font in _fonts(text, size):
        brush.text((x, place[1]), part, colour, font, anchor='ls')
        x += font.getlength(part)
    picture[:] = np.asarray(image)


def _fonts(text: str, size: int) -> list[tuple[str, ImageFont.FreeTypeFont]]:
    return [(part, ImageFont.truetype(str(path), size)) for part, path in split_by_font(text)]


def _text_width(text: str, size: int) -> int:
    if text.isascii():
        return int(cv2.getTextSize(text, _FONT, size / _SCALE, 1)[0][0])
    return math.ceil(sum(font.getlength(part) for part, font in _fonts(text, size)))


def draw_boxes(
    picture: np.ndarray,
    boxes: np.ndarray,
    labels: Sequence[str] | None = None,
    colours: Colour | Sequence[Colour] = GREEN,
    thickness: int = 2,
) -> np.ndarray:
    """Draw boxes with labels.

    Args:
        picture: Shape (H, W, 3), uint8, RGB.
        boxes: Shape (n, 4), x1 y1 x2 y2 in pixels; what is outside of the
            picture is not seen, boxes that are not finite are left out.
        labels: A text for each box, on a patch of its colour.
        colours: RGB, one for all or one each.
        thickness: Of the lines, pixels.

    Returns:
        A new picture of the same shape.

    Example:
        >>> blank = np.zeros((40, 40, 3), np.uint8)
        >>> drawn = draw_boxes(blank, np.array([[5, 5, 20, 30]]))
        >>> drawn[5, 10].tolist(), int(blank.max())
        ([24, 160, 72], 0)
    """
    drawn = np.ascontiguousarray(picture).copy()
    boxes = np.asarray(boxes, dtype=float).reshape(-1, 4)
    paints = np.broadcast_to(np.asarray(colours, dtype=int).reshape(-1, 3), (len(boxes), 3))
    for number, box in enumerate(boxes):
        if not np.isfinite(box).all():
            continue
        paint = paints[number].tolist()
        x1, y1, x2, y2 = (int(v) for v in np.clip(np.rint(box), -32000, 32000))
        cv2.rectangle(drawn, (x1, y1), (x2 - 1, y2 - 1), paint, thickness)
        if labels is not None and labels[number]:
            _label(drawn, labels[number], (x1, y1), paint)
    return drawn


def _label(picture: np.ndarray, text: str, corner: tuple[int, int], paint: list[int]) -> None:
    """Write a label above a box's corner, moved to where it can be read."""
    size = 13
    width = _text_width(drawable(text), size) + 4
    x = max(0, min(corner[0], picture.shape[1] - width))
    y = max(size + 2, corner[1])
    cv2.rectangle(picture, (x, y - size - 2), (x + width, y), paint, -1)
    bright = 0.3 * paint[0] + 0.59 * paint[1] + 0.11 * paint[2] > 150
    put_text(picture, text, (x + 2, y - 4), (0, 0, 0) if bright else (255, 255, 255), size)


def crop_person(picture: np.ndarray, box: np.ndarray, aspect: float = 0.5) -> np.ndarray:
    """Cut a person out, with surroundings up to a given shape.

    Args:
        picture: Shape (H, W, 3).
        box: Shape (4,), x1 y1 x2 y2 in pixels.
        aspect: Width over height of the crop.

    Returns:
        Shape (h, w, 3): the box with a tenth of its size around it, wider or
        higher to have the aspect; borders repeat where it leaves the picture.
        One pixel at least.

    Example:
        >>> crop_person(np.zeros((100, 80, 3), np.uint8), np.array([10, 10, 30, 60])).shape
        (60, 30, 3)
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    height = 1.2 * max(y2 - y1, 1.0)
    width = 1.2 * max(x2 - x1, 1.0)
    height, width = max(height, width / aspect), max(width, height * aspect)
    rows = np.arange(round(height)) + round((y1 + y2 - height) / 2)
    columns = np.arange(round(width)) + round((x1 + x2 - width) / 2)
    rows = np.clip(rows, 0, picture.shape[0] - 1)
    columns = np.clip(columns, 0, picture.shape[1] - 1)
    return picture[rows[:, None], columns]


def fit_into(
    picture: np.ndarray | None, size: tuple[int, int], note: str = 'no picture'
) -> np.ndarray:
    """Scale a picture into a cell, keeping its shape, on a light ground.

    Args:
        picture: Shape (h, w, 3), uint8, RGB; None for a picture that is missing.
        size: Width and height of the cell, pixels.
        note: What the cell says if there is none.

    Returns:
        Shape (height, width, 3), uint8.

    Example:
        >>> fit_into(np.zeros((10, 10, 3), np.uint8), (30, 20)).shape
        (20, 30, 3)
    """
    width, height = size
    cell = np.full((height, width, 3), _EMPTY, np.uint8)
    if picture is None or picture.size == 0:
        put_text(cell, note, (4, height // 2 + 4), GREY, 12, width - 8)
        return cell
    scale = min(width / picture.shape[1], height / picture.shape[0])
    w = min(width, max(1, round(picture.shape[1] * scale)))
    h = min(height, max(1, round(picture.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    x, y = (width - w) // 2, (height - h) // 2
    cell[y : y + h, x : x + w] = cv2.resize(picture, (w, h), interpolation=method)
    return cell


def write_picture(path: str | Path, picture: np.ndarray) -> Path:
    """Write a picture, whole or not at all.

    Args:
        path: The file; its suffix says the format (``.png``, ``.jpg``).
        picture: Shape (H, W, 3), uint8, RGB.

    Raises:
        UserError: If the folder cannot be written to, the path is that of a
            folder, or the disk is full or fails.
        DataError: If the suffix names no picture format.
    """
    path = Path(path)
    known = path.suffix.lower() in {'.png', '.jpg', '.jpeg', '.bmp', '.webp'}
    if not known:
        raise DataError(
            f'{path} must end in .png, .jpg, .jpeg, .bmp or .webp, but ends in {path.suffix!r}'
        )
    _, data = cv2.imencode(path.suffix.lower(), picture[..., ::-1])
    with telling_write_errors(path), atomic_write(path) as temporary:
        temporary.write_bytes(data.tobytes())
    return path
