"""Where the tools that write COCO put people's ids, and what counts as one."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Union

from mmclsa.errors import DataError

__all__ = [
    'IdField',
    'Identity',
    'choose_field',
    'file_key',
    'number_all',
    'read_identity',
    'value_of',
]

#: An id as a file has it: a number or a name.
Identity = Union[int, str]

#: Where ids stand, beside the annotation itself: CVAT and Datumaro, Roboflow, others.
CONTAINERS = (
    'attributes', 'extra', 'extras', 'properties', 'metadata', 'custom', 'customattributes', 'tags',
)  # fmt: skip
#: Keys as :func:`_plain` writes them, the best first.
PERSON_KEYS = (
    'personid', 'pid', 'identityid', 'identity', 'personidentity', 'reid', 'reidid', 'globalid',
    'globalpersonid', 'humanid', 'pedestrianid', 'peopleid', 'subjectid',
)  # fmt: skip
TRACK_KEYS = ('trackid', 'trackingid', 'trackletid', 'track', 'tracklet')
# Some tools number the boxes with these; they are ids where one stands in several images.
WEAK_KEYS = ('id', 'instanceid', 'objectid', 'objid', 'targetid')
NOBODY = frozenset(['', 'none', 'null', 'nan', 'unknown', 'unlabeled', 'unlabelled', 'n/a', '?'])
_WHOLE = re.compile(r'[+-]?\d{1,300}(\.0*)?')
#: Ids above are numbered anew: they are kept with class labels in one int64 number.
LARGEST = 2**31 - 1


@lru_cache(maxsize=4096)
def _plain(key: str) -> str:
    """Write ``person_id``, ``personId``, ``Person ID`` and ``person-id`` alike."""
    return re.sub(r'[^a-z0-9]', '', key.lower())


def read_identity(value: Any, name: str, where: str) -> Identity | None:
    """Read an id: a whole number of any size, or a name.

    Args:
        value: As JSON gives it.
        name: Of the field, for the message.
        where: File and place, for the message.

    Returns:
        A number >= 0 or a name; None for nobody: null, empty, negative or
        not a number. Digits in quotes are the number.

    Raises:
        DataError: If it is neither.

    Example:
        >>> [read_identity(v, 'id', 'a') for v in (7.0, '7', 'Ann', -1, '', None)]
        [7, 7, 'Ann', None, None, None]
    """
    if isinstance(value, str):
        text = value.strip()
        if not _WHOLE.fullmatch(text):
            return None if text.lower() in NOBODY else text
        value = int(text.partition('.')[0])
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise DataError(f'{where}: {name} must be an integer or a name, but got {value!r:.60}')
    return value if value >= 0 else None


def file_key(value: Any, name: str, where: str) -> Identity:
    """Read what images and categories are referred to by: an integer or a string.

    Raises:
        DataError: If it is neither.

    Example:
        >>> file_key('7', 'id', 'a'), file_key(7.0, 'id', 'a'), file_key('x7', 'id', 'a')
        (7, 7, 'x7')
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and re.fullmatch(r'0|-?[1-9]\d{0,300}', value):
        value = int(value)
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise DataError(f'{where}: {name} must be an integer or a string, but got {value!r:.60}')
    return value


def number_all(ids: Iterable[Identity | None]) -> dict[Identity, int]:
    """Give ids numbers: small whole numbers stay what they are, others are counted from 0.

    Args:
        ids: Of one kind, in any order.

    Returns:
        Number by id, in the order of numbers first, names after them.

    Example:
        >>> number_all([3, None, 8]), number_all(['Zoe', 2**63, 'Ann'])
        ({3: 3, 8: 8}, {9223372036854775808: 0, 'Ann': 1, 'Zoe': 2})
    """
    known = {one for one in ids if one is not None}
    numbers = sorted(one for one in known if isinstance(one, int))
    names = sorted(one for one in known if isinstance(one, str))
    if not names and (not numbers or numbers[-1] <= LARGEST):
        return {one: one for one in numbers}
    ordered: list[Identity] = [*numbers, *names]
    return {one: place for place, one in enumerate(ordered)}


@dataclass(frozen=True)
class IdField:
    """A field of annotations that holds ids.

    Attributes:
        key: As :func:`_plain` writes it.
        is_track: Whether it names tracks, not people.
        seen: The field as the file spells it, with the object that it stands
            in: ``attributes.person_id``.
    """

    key: str
    is_track: bool
    seen: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return ', '.join(self.seen) or self.key


def _inner(annotation: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """List the objects within an annotation in which ids may stand."""
    for name, value in annotation.items():
        if _plain(name) not in CONTAINERS:
            continue
        if isinstance(value, Mapping):
            yield name, value
        elif isinstance(value, list):  # [{"name": "person_id", "value": 3}, ...]
            pairs = [one for one in value if isinstance(one, Mapping)]
            yield (
                name,
                {
                    str(one.get('name', one.get('key'))): one.get('value')
                    for one in pairs
                    if 'value' in one
                },
            )


def _fields(annotation: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """List an annotation's fields: where it stands, its key and its value; the outer ones first."""
    for name, value in annotation.items():
        if name != 'id':  # the annotation's own
            yield '', name, value
    for place, inner in _inner(annotation):
        for name, value in inner.items():
            yield f'{place}.', str(name), value


def _is_given(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in NOBODY
    return value is not None and value == value and not isinstance(value, (bool, dict, list))


def value_of(annotation: Mapping[str, Any], wanted: IdField) -> tuple[str, Any] | None:
    """Look up a field in an annotation, where it has a value.

    Returns:
        The field as it is spelled, and its value; None if there is none.
    """
    found = None
    for place, name, value in _fields(annotation):
        if _plain(name) == wanted.key:
            if _is_given(value):
                return f'{place}{name}', value
            if value is not None and not isinstance(value, str) and found is None:
                found = f'{place}{name}', value
    return found


def choose_field(
    annotations: Sequence[Mapping[str, Any]], tracks: bool, named: str | None = None
) -> IdField | None:
    """Find the field that says who people are, or which track a box belongs to.

    Args:
        annotations: All of a file; one field serves them all.
        tracks: Look for tracks, not for people.
        named: The field's name, ``attributes.player`` or ``player``, if the
            user knows it.

    Returns:
        The best one that has a value somewhere; None if there is none.
    """
    keys = TRACK_KEYS if tracks else PERSON_KEYS
    wanted = frozenset([_plain(named.rpartition('.')[2])] if named else [*keys, *WEAK_KEYS])
    seen: dict[str, dict[str, None]] = {}
    images: dict[str, Counter[tuple[Any, Any]]] = {}
    for annotation in annotations:
        for place, name, value in _fields(annotation):
            key = _plain(name)
            if key in wanted and _is_given(value):
                seen.setdefault(key, {})[f'{place}{name}'] = None
                if key in WEAK_KEYS:
                    where = (str(value), str(annotation.get('image_id')))
                    images.setdefault(key, Counter())[where] += 1
    weak = [key for key in WEAK_KEYS if _recurs(images.get(key, Counter()))]
    order = list(wanted) if named else [*keys, *(key for key in weak if (key != 'id') == tracks)]
    best = next((key for key in order if key in seen), None)
    return None if best is None else IdField(best, tracks, tuple(seen[best]))


def _recurs(found: Counter[tuple[Any, Any]]) -> bool:
    """Tell whether some id stands in two images."""
    return any(count > 1 for count in Counter(value for value, _ in found).values())
