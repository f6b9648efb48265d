"""What the category of people is called in the files of other tools."""

from __future__ import annotations

__all__ = ['PERSON_NAMES', 'is_person_name', 'plain_name']

#: In lower case, the usual ones first.
PERSON_NAMES = (
    *('person', 'pedestrian', 'people', 'human', 'persons', 'pedestrians', 'humans'),
    *('man', 'men', 'woman', 'women', 'child', 'children', 'boy', 'boys', 'girl', 'girls'),
    *('adult', 'adults'),
)


def plain_name(name: str) -> str:
    """Write a category's name in lower case, its words apart by blanks.

    Example:
        >>> plain_name(' Static_person')
        'static person'
    """
    return ' '.join(name.lower().replace('_', ' ').replace('-', ' ').split())


def is_person_name(name: str) -> bool:
    """Say whether a category is that of people, by its name.

    Example:
        >>> is_person_name('Pedestrian '), is_person_name('car')
        (True, False)
    """
    return plain_name(name) in PERSON_NAMES
