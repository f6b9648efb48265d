"""Reading JSON files with errors that name the file and the field."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmclsa.datasets.readers.paths import AnyPath, as_path
from mmclsa.errors import DataError
from mmclsa.utils.text import read_text

__all__ = ['json_box', 'json_field', 'json_integer', 'json_list', 'load_json', 'xywh_to_box']


def load_json(path: AnyPath) -> Any:
    """Read a JSON file.

    Raises:
        DataError: If the file is missing or no JSON.
    """
    try:
        return json.loads(read_text(as_path(path)))
    except FileNotFoundError:
        raise DataError(f'{path} is missing') from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f'{path} is no readable JSON file ({error})') from None


def json_field(record: Any, name: str, where: str) -> Any:
    """Read one field of an object.

    Raises:
        DataError: If there is no such field.

    Example:
        >>> json_field({'id': 3}, 'id', 'a.json')
        3
    """
    if not isinstance(record, (dict, Mapping)) or name not in record:
        raise DataError(f'{where}: the field {name!r} is missing')
    return record[name]


def json_box(record: Any, where: str) -> np.ndarray:
    """Read the field ``bbox`` (x y w h) as x1 y1 x2 y2.

    Returns:
        Shape (4,), float64.

    Raises:
        DataError: If it is not four finite numbers with positive size.

    Example:
        >>> json_box({'bbox': [1, 2, 10, 20]}, 'a.json').tolist()
        [1.0, 2.0, 11.0, 22.0]
    """
    given = json_field(record, 'bbox', where)
    corners = xywh_to_box(given)
    if corners is None or corners[2] <= corners[0] or corners[3] <= corners[1]:
        raise DataError(
            f'{where}: bbox must be 4 finite numbers x y w h with positive size, but got {given}'
        )
    return np.array(corners)


def xywh_to_box(given: Any) -> tuple[float, float, float, float] | None:
    """Turn x y w h into x1 y1 x2 y2.

    Returns:
        Of any size; None if it is not four finite numbers, perhaps in quotes.

    Example:
        >>> xywh_to_box([1, 2, 0, '20']), xywh_to_box({'counts': 'a'})
        ((1.0, 2.0, 1.0, 22.0), None)
    """
    if not isinstance(given, (list, tuple)) or len(given) != 4:
        return None
    try:
        x, y, w, h = map(float, given)
    except (TypeError, ValueError, OverflowError):
        return None
    # The sum of four numbers is finite only if all are, unless they are absurd.
    return (x, y, x + w, y + h) if math.isfinite(x + y + w + h) else None


def json_list(record: Any, name: str, where: str) -> list[Any]:
    """Read a field that is a list.

    Raises:
        DataError: If there is no such field, or it is no list.

    Example:
        >>> json_list({'images': [1, 2]}, 'images', 'a.json')
        [1, 2]
    """
    value = json_field(record, name, where)
    if not isinstance(value, list):
        raise DataError(f'{where}: {name} must be a list, but got {value!r:.60}')
    return value


def json_integer(record: Any, name: str, where: str, default: int) -> int:
    """Read a field that is an integer, or ``default`` where it is absent or null.

    Raises:
        DataError: If it is no integer.

    Example:
        >>> json_integer({'cam_id': 3.0}, 'cam_id', 'a.json', -1)
        3
    """
    value = record.get(name)
    if value is None:
        return default
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise DataError(f'{where}: {name} must be an integer, but got {value!r:.60}')
    return value
