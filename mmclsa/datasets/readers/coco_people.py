"""Which boxes of a COCO file are people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmclsa.datasets.readers.coco_ids import Identity, file_key
from mmclsa.datasets.readers.json_file import json_field
from mmclsa.datasets.readers.person_names import PERSON_NAMES, plain_name
from mmclsa.errors import DataError

__all__ = ['Categories', 'read_categories']


@dataclass(frozen=True)
class Categories:
    """The categories of a file.

    Attributes:
        names: Name by the file's id; empty if the file lists none.
        people: The ids that are people.
    """

    names: Mapping[Identity, str]
    people: frozenset[Identity]

    def other(self, annotation: Mapping[str, Any], where: str) -> str | None:
        """Name what a box is, where it is nobody.

        Returns:
            The category's name; None for a person.

        Raises:
            DataError: If the box has no category, but there are several.
        """
        given = annotation.get('category_id')
        if given is None and len(self.names) <= 1:
            return None
        key = file_key(json_field(annotation, 'category_id', where), 'category_id', where)
        if key not in self.names:  # some write the name
            key = next((one for one, name in self.names.items() if name == key), key)
        if key in self.people or (not self.names and not self.people):
            return None
        return self.names.get(key, f'{key}, which "categories" lacks')


def read_categories(
    data: Mapping[str, Any],
    annotations: Sequence[Mapping[str, Any]],
    wanted: str | int | Sequence[str | int] | None,
    where: str,
) -> Categories:
    """Read which categories are people.

    Args:
        data: The content of the file.
        annotations: Its boxes.
        wanted: Names or ids of the categories that are people; None for those
            with one of :data:`PERSON_NAMES`, in upper or lower case. A file
            that lists no categories has people alone, of one category.
        where: The file, for messages.

    Raises:
        DataError: If none of them is people, or one that is wanted is not there.
    """
    names = _names(data, where)
    if wanted is None:
        people = {key for key, name in names.items() if plain_name(name) in PERSON_NAMES}
        if names and not people:
            raise DataError(
                f'{where} has no category of people, but {_list(names.values())}: name those '
                'that are with person_categories=[...] of the data set'
            )
        used = {str(one['category_id']) for one in annotations if 'category_id' in one}
        if not names and len(used) > 1:
            raise DataError(
                f'{where} lists no categories, but its boxes are of {_list(sorted(used))}: say '
                'which category_id are people with person_categories=[...] of the data set'
            )
        return Categories(names, frozenset(people))
    chosen = [wanted] if isinstance(wanted, (str, int)) else list(wanted)
    people = set()
    for one in chosen:
        number = file_key(one, 'person_categories', where)
        found = {key for key, name in names.items() if str(one) == name} or {number} & set(names)
        if not found and names:
            raise DataError(
                f'{where} has no category {one!r} of person_categories, but {_list(names.values())}'
            )
        people |= found or {number}
    return Categories(names, frozenset(people))


def _names(data: Mapping[str, Any], where: str) -> dict[Identity, str]:
    given = data.get('categories') or []
    if not isinstance(given, list):
        raise DataError(f'{where}: categories must be a list, but got {given!r:.60}')
    names: dict[Identity, str] = {}
    for number, one in enumerate(given):
        place = f'{where}, categories[{number}]'
        names[file_key(json_field(one, 'id', place), 'id', place)] = str(
            json_field(one, 'name', place)
        )
    return names


def _list(names: Any, most: int = 8) -> str:
    listed = list(dict.fromkeys(names))
    more = f' and {len(listed) - most} more' if len(listed) > most else ''
    return ', '.join(map(str, listed[:most])) + more
