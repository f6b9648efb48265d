"""Boxes with ids in the files of labelme and Label Studio."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlparse

from mmclsa.datasets.readers.json_file import json_field, json_list, load_json
from mmclsa.errors import DataError

__all__ = ['LabelledBox', 'LabelledImage', 'read_label_studio', 'read_labelme']

# What Label Studio puts before the names of uploaded files.
_UPLOAD = re.compile(r'^[0-9a-f]{8}-')


class LabelledBox(NamedTuple):
    """A box as somebody drew it.

    Attributes:
        label: Its class.
        box: x y width height in pixels.
        person: Who it is, as the file has it; None if it does not say.
    """

    label: str
    box: tuple[float, float, float, float]
    person: int | str | None


class LabelledImage(NamedTuple):
    """An image with its boxes.

    Attributes:
        file_name: Of the picture, with forward slashes.
        size: Width and height as the file has them; None if it does not.
        boxes: Those of it.
        left_out: How many shapes are no boxes (circles, lines, points).
    """

    file_name: str
    size: tuple[int, int] | None
    boxes: list[LabelledBox]
    left_out: int


def read_labelme(folder: Path) -> list[LabelledImage]:
    """Read the files that labelme writes beside pictures.

    A person's id is the ``group_id`` of a shape. Rectangles are boxes, and a
    polygon or mask is the box around it.

    Args:
        folder: With the JSON files, perhaps in folders of their own.

    Returns:
        The images in the order of the files; ``file_name`` is relative to
        ``folder``.

    Raises:
        DataError: If there is no such file, or one is broken.
    """
    files = [p for p in sorted(folder.rglob('*.json')) if not p.name.startswith('.')]
    contents = [(path, load_json(path)) for path in files]
    found = [
        _labelme_image(content, path, folder)
        for path, content in contents
        if isinstance(content, Mapping) and 'shapes' in content
    ]
    if not found:
        raise DataError(f'{folder} has no JSON file of labelme (with the field "shapes")')
    return found


def _labelme_image(content: Mapping[str, Any], path: Path, folder: Path) -> LabelledImage:
    where = str(path)
    name = str(json_field(content, 'imagePath', where)).replace('\\', '/')
    shapes = json_list(content, 'shapes', where)
    boxes = []
    for number, shape in enumerate(shapes):
        place = f'{where}, shapes[{number}]'
        kind = json_field(shape, 'shape_type', place) if 'shape_type' in shape else 'polygon'
        if kind in ('rectangle', 'polygon', 'mask'):
            points = json_field(shape, 'points', place)
            label = str(json_field(shape, 'label', place))
            boxes.append(LabelledBox(label, _around(points, place), shape.get('group_id')))
    beside = path.parent.relative_to(folder)
    width, height = content.get('imageWidth'), content.get('imageHeight')
    size = (int(width), int(height)) if width and height else None
    return LabelledImage((beside / name).as_posix(), size, boxes, len(shapes) - len(boxes))


def _around(points: Any, where: str) -> tuple[float, float, float, float]:
    try:
        xs, ys = zip(*((float(x), float(y)) for x, y in points))
    except (TypeError, ValueError) as error:
        raise DataError(
            f'{where}: points must be pairs of numbers, but got {points!r:.60}'
        ) from error
    if not all(map(math.isfinite, (*xs, *ys))):
        raise DataError(f'{where}: points must be finite, but are {points!r:.60}')
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def read_label_studio(path: Path, field: str | None = None) -> list[LabelledImage]:
    """Read a JSON export of Label Studio.

    Boxes are its rectangles. A person's id is what a control with
    ``perRegion="true"`` says of the box: a Number, TextArea or Choices.

    Args:
        path: The export ("JSON", not "JSON-MIN").
        field: Name of that control; None if there is one alone.

    Returns:
        The images in the order of tasks; ``file_name`` is the last part of
        the picture's address.

    Raises:
        DataError: If it is no such file, or several controls could say who
            somebody is.
    """
    tasks = load_json(path)
    if not isinstance(tasks, list) or not all(isinstance(task, Mapping) for task in tasks):
        raise DataError(f'{path} is no JSON export of Label Studio, which is a list of tasks')
    fields = sorted({name for task in tasks for r in _results(task, path) if (name := _said_by(r))})
    if field is None and len(fields) > 1:
        raise DataError(
            f'{path}: {", ".join(fields)} say something of boxes: name the one that is the id '
            'of a person with --id-field'
        )
    if field is not None and field not in fields:
        raise DataError(f'{path}: no box has {field!r}, but {", ".join(fields) or "none"}')
    wanted = field or (fields[0] if fields else None)
    return [_studio_image(task, wanted, f'{path}, task {n}', path) for n, task in enumerate(tasks)]


def _results(task: Mapping[str, Any], path: Path) -> Iterator[Mapping[str, Any]]:
    """Give what was drawn and said in a task, of the first annotation that is not cancelled."""
    annotations = json_list(task, 'annotations', str(path))
    kept = [a for a in annotations if isinstance(a, Mapping) and not a.get('was_cancelled')]
    for result in kept[0].get('result') or [] if kept else []:
        if isinstance(result, Mapping):
            yield result


def _said_by(result: Mapping[str, Any]) -> str:
    """Name the control that says something of a box; empty for the box itself."""
    said = _value(result) is not None and 'id' in result
    return str(result.get('from_name', '')) if said else ''


def _value(result: Mapping[str, Any]) -> int | str | None:
    """Give the number, text or choice of a result."""
    value = result.get('value')
    if not isinstance(value, Mapping):
        return None
    if isinstance(value.get('number'), (int, float)):
        number = value['number']
        return int(number) if float(number).is_integer() else str(number)
    said: Any = value.get('text') or value.get('choices')
    if isinstance(said, Sequence) and not isinstance(said, str) and said:
        said = said[0]
    return said.strip() if isinstance(said, str) and said.strip() else None


def _studio_image(
    task: Mapping[str, Any], field: str | None, where: str, path: Path
) -> LabelledImage:
    data = json_field(task, 'data', where)
    address = next((v for v in data.values() if isinstance(v, str) and v), None)
    address = data.get('image', data.get('img', address)) if isinstance(data, Mapping) else None
    if not isinstance(address, str):
        raise DataError(f'{where}: data has no address of an image')
    results = list(_results(task, path))
    people = {
        result['id']: _value(result)
        for result in results
        if field is not None and result.get('from_name') == field and 'id' in result
    }
    boxes: list[LabelledBox] = []
    size: tuple[int, int] | None = None
    for result in results:
        value = result.get('value')
        if not isinstance(value, Mapping) or not value.get('rectanglelabels'):
            continue
        size = (
            int(json_field(result, 'original_width', where)),
            int(json_field(result, 'original_height', where)),
        )
        label = str(value['rectanglelabels'][0])
        who = people.get(result.get('id'))
        boxes.append(LabelledBox(label, _pixels(value, size, where), who))
    drawn = sum('original_width' in result for result in results) - len(boxes)
    drawn -= sum(bool(_said_by(result)) for result in results)
    return LabelledImage(_file_name(address), size, boxes, max(drawn, 0))


def _pixels(
    value: Mapping[str, Any], size: tuple[int, int], where: str
) -> tuple[float, float, float, float]:
    """Turn hundredths of the picture into pixels."""
    try:
        x, y, w, h = (float(value[name]) / 100 for name in ('x', 'y', 'width', 'height'))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f'{where}: a rectangle needs x, y, width and height') from error
    if value.get('rotation'):
        raise DataError(f'{where}: a rectangle is turned by {value["rotation"]}; draw it upright')
    return x * size[0], y * size[1], w * size[0], h * size[1]


def _file_name(address: str) -> str:
    """Take the file's name from an upload, a local file's address, or a URL."""
    parts = urlparse(address)
    local = parse_qs(parts.query).get('d', [''])[0]
    name = unquote(local or parts.path).replace('\\', '/').rpartition('/')[2]
    return _UPLOAD.sub('', name) if '/upload/' in address else name
