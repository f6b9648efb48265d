"""Where the tools that write COCO put people's ids, and what counts as one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Union

from mmclsa.errors import DataError

__all__ = [
    'WEAK_KEYS',
    'Candidate',
    'IdField',
    'Identity',
    'candidates',
    'choose_field',
    'file_key',
    'number_all',
    'read_identity',
    'refuse_mixture',
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

    Returns:
        A number >= 0 or a name; None for nobody: null, empty, negative or
        not a number. Digits in quotes are the number.

    Raises:
        DataError: If it is neither.

    Example:
        >>> [read_identity(v, 'id', 'a') for v in (7.0, '7', 'Ann', -1, '', None)]
        [7, 7, 'Ann', None, None, None]
    """
    if type(value) is int:  # nearly always, and there are millions
        return value if value >= 0 else None
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
        raise DataError(
            f'{where}: {name} must be an integer, but got {value!r:.60} (or a name in quotes)'
        )
    return value if value >= 0 else None


def refuse_mixture(given: Iterable[tuple[Any, str, str]]) -> None:
    """Refuse a name among numbers, which is a slip of somebody's pen.

    Args:
        given: Value, name of the field and place of each. Numbers may be in
            quotes; negative ones are nobody's.

    Raises:
        DataError: If there are both, naming the first name.

    Example:
        >>> refuse_mixture([('17', 'id', 'a'), ('Ann', 'id', 'b'), (-1, 'id', 'c')])
        >>> refuse_mixture([(17, 'id', 'a'), ('Ann', 'id', 'b'), (-1, 'id', 'c')])
        Traceback (most recent call last):
        mmclsa.errors.DataError: b: id must be an integer, but got 'Ann', as others are numbers
    """
    name, numbers = None, False
    for value, field_name, where in given:
        if isinstance(value, str):
            if name is None and isinstance(read_identity(value, field_name, where), str):
                name = value, field_name, where
        elif not numbers:
            numbers = read_identity(value, field_name, where) is not None
    if name is not None and numbers:
        raise DataError(
            f'{name[2]}: {name[1]} must be an integer, but got {name[0]!r:.60}, as others are '
            'numbers'
        )


def file_key(value: Any, name: str, where: str) -> Identity:
    """Read what images and categories are referred to by: an integer or a string.

    Raises:
        DataError: If it is neither.

    Example:
        >>> file_key('7', 'id', 'a'), file_key(7.0, 'id', 'a'), file_key('x7', 'id', 'a')
        (7, 7, 'x7')
    """
    if type(value) is int:
        return value
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


#: A field of an annotation: its key, the field as it is spelled, its value.
Candidate = tuple[str, str, Any]


def candidates(annotation: Mapping[str, Any], named: str | None = None) -> list[Candidate]:
    """List the fields of an annotation that may hold ids; the outer ones first.

    Args:
        annotation: The annotation.
        named: A field that the user names, ``attributes.player`` or ``player``.

    Example:
        >>> candidates({'id': 3, 'bbox': [1, 2, 3, 4], 'attributes': {'Person ID': 7}})
        [('personid', 'attributes.Person ID', 7)]
    """
    fields, containers = _plan(tuple(annotation), True, named)
    found = [(key, name, annotation[name]) for key, name in fields]
    for place in containers:
        inner = _as_mapping(annotation[place])
        if inner:
            fields, _ = _plan(tuple(inner), False, named)
            found += [(key, f'{place}.{name}', inner[name]) for key, name in fields]
    return found


@lru_cache(maxsize=4096)
def _plan(
    names: tuple[str, ...], outer: bool, named: str | None
) -> tuple[list[tuple[str, str]], list[str]]:
    """Choose among the names of an object: fields with ids, and objects that may have some."""
    wanted = {*PERSON_KEYS, *TRACK_KEYS, *WEAK_KEYS, *([_last(named)] if named else [])}
    keys = [(_plain(name), name) for name in names]
    # An annotation's own "id" is its number.
    fields = [(key, name) for key, name in keys if key in wanted and not (outer and name == 'id')]
    return fields, [name for key, name in keys if outer and key in CONTAINERS]


def _last(named: str) -> str:
    return _plain(named.rpartition('.')[2])


def _as_mapping(value: Any) -> Mapping[str, Any] | None:
    """Give an object, also one as a list of ``{"name": "person_id", "value": 3}``."""
    if isinstance(value, list):
        pairs = [one for one in value if isinstance(one, Mapping) and 'value' in one]
        return {str(one.get('name', one.get('key'))): one['value'] for one in pairs}
    return value if isinstance(value, Mapping) else None


def _is_given(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in NOBODY
    return type(value) is int or _is_number(value)


def _is_number(value: Any) -> bool:
    return value is not None and value == value and not isinstance(value, (bool, dict, list))


def value_of(found: Sequence[Candidate], wanted: IdField) -> tuple[str, Any] | None:
    """Look up a field among the candidates of an annotation, where it has a value.

    Returns:
        The field as it is spelled, and its value; None if there is none.
    """
    odd = None
    for key, spelled, value in found:
        if key == wanted.key:
            if _is_given(value):
                return spelled, value
            if value is not None and not isinstance(value, str) and odd is None:
                odd = spelled, value
    return odd


def choose_field(
    found: Sequence[tuple[Any, Sequence[Candidate]]], tracks: bool, named: str | None = None
) -> IdField | None:
    """Find the field that says who people are, or which track a box belongs to.

    Args:
        found: Image and candidates of each annotation of a file; one field
            serves them all.
        tracks: Look for tracks, not for people.
        named: The field's name, if the user knows it.

    Returns:
        The best one that has a value somewhere; None if there is none.
    """
    seen: dict[str, dict[str, None]] = {}
    images: dict[str, dict[str, Any]] = {}
    recurring: set[str] = set()
    for image, fields in found:
        for key, spelled, value in fields:
            if _is_given(value):
                seen.setdefault(key, {})[spelled] = None
                if (
                    key in WEAK_KEYS
                    and images.setdefault(key, {}).setdefault(str(value), image) != image
                ):
                    recurring.add(key)
    if named:
        order = [_last(named)]
    else:
        weak = [key for key in WEAK_KEYS if key in recurring and (key != 'id') == tracks]
        order = [*(TRACK_KEYS if tracks else PERSON_KEYS), *weak]
    best = next((key for key in order if key in seen), None)
    return None if best is None else IdField(best, tracks, tuple(seen[best]))
