"""Which lines of a MOTChallenge gt.txt are people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmclsa.datasets.readers.mot_text import MOTRow
from mmclsa.datasets.readers.person_names import PERSON_NAMES, is_person_name, plain_name
from mmclsa.errors import DataError
from mmclsa.utils.text import read_text

__all__ = ['MOTClasses', 'classes_of', 'read_labels']

#: MOTChallenge's classes, from 1. Those after ``pedestrian`` that are like
#: people are neither people nor background.
MOT_CLASSES = (
    *('pedestrian', 'person on vehicle', 'car', 'bicycle', 'motorbike', 'non motorized vehicle'),
    *('static person', 'distractor', 'occluder', 'occluder on the ground', 'occluder full'),
    *('reflection',),
)
#: Of the detectors that trackers use.
COCO_PERSON = 0
_LIKE_PEOPLE = ('person on vehicle', 'static person', 'distractor', 'reflection', 'crowd')


@dataclass(frozen=True)
class MOTClasses:
    """How the classes of one gt.txt are read.

    Attributes:
        people: Numbers of people.
        like_people: Numbers of what is neither people nor background.
        names: Of all classes, from 1; None where the file has none.
        default: The class of lines that end before column 8.
        flags: Whether column 7 is a flag, and not a confidence.
    """

    people: frozenset[int]
    like_people: frozenset[int]
    names: tuple[str, ...] | None
    default: int = 1
    flags: bool = True

    def class_of(self, row: MOTRow) -> int:
        """Give a line's class."""
        return int(row.rest[0]) if row.rest else self.default

    def role(self, row: MOTRow) -> str:
        """Say what a line is: ``person``, ``ignored`` or ``other``."""
        counted = 'person' if row.flag or not self.flags else 'ignored'
        if self.names is None:
            return counted
        kind = self.class_of(row)
        if kind in self.people:
            return counted
        return 'ignored' if kind in self.like_people else 'other'

    def count_others(self, rows: Sequence[MOTRow]) -> str:
        """Name the classes of lines and how many each has, for a message."""
        if self.names is None:
            return f'{len(rows)} of flag 0' if rows else 'none'
        counts = Counter(self.class_of(row) for row in rows)
        told = [f'{count} of class {self._name(kind)}' for kind, count in sorted(counts.items())]
        return ', '.join(told) or 'none'

    def _name(self, kind: int) -> str:
        known = self.names is not None and 1 <= kind <= len(self.names)
        return f'{kind} ({(self.names or ())[kind - 1]})' if known else str(kind)


def read_labels(path: Path) -> tuple[str, ...] | None:
    """Read the names of classes that CVAT and Datumaro write beside gt.txt.

    Args:
        path: ``gt/labels.txt``: a name a line, that of class 1 first.

    Returns:
        The names; None if there is no such file.

    Raises:
        DataError: If it is unreadable, or empty, or no name is that of people.
    """
    if not path.is_file():
        return None
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'{path} is no readable text') from error
    names = [line.strip().strip('"\'') for line in lines]
    while names and not names[-1]:
        names.pop()
    if not any(map(is_person_name, names)):
        raise DataError(
            f'{path} must have a class of people, called {", ".join(PERSON_NAMES[:4])}, but has '
            f'{", ".join(filter(None, names)) or "no names"}'
        )
    return tuple(names)


def classes_of(rows: Sequence[MOTRow], labels: tuple[str, ...] | None, path: Path) -> MOTClasses:
    """Decide how the classes of a gt.txt are read.

    With ``labels`` column 8 is a place in them, from 1. Without, lines of 8
    or 9 columns have MOTChallenge's classes; those of MOT15 have 7 or 10
    columns and none: 8 to 10 are a place in the world there. Where column 9
    is -1 everywhere and a class is 0, a tracker has written the classes of
    its detector, of which 0 is a person (BoxMOT), and column 7 is a confidence.

    Raises:
        DataError: If a class is none of the names, or ten columns look as if
            they had classes.
    """
    if labels is None and not _has_classes(rows):
        _refuse_hidden_classes(rows, path)
        return MOTClasses(frozenset(), frozenset(), None)
    if labels is None and _are_of_detector(rows):
        return MOTClasses(frozenset({COCO_PERSON}), frozenset(), (), flags=False)
    names = MOT_CLASSES if labels is None else labels
    for row in rows:
        kind = int(row.rest[0]) if row.rest else 1
        if row.rest and kind != row.rest[0]:
            raise DataError(
                f'{path} line {row.line} has class {row.rest[0]:g}, which is no whole number'
            )
        if labels is not None and (kind == 0 or kind > len(labels)):
            raise DataError(
                f'{path} line {row.line} has class {kind}, but labels.txt beside it names '
                f'{len(labels)} classes, from 1: {", ".join(labels)[:100]}'
            )
    numbers = dict(enumerate(map(plain_name, names), 1))
    return MOTClasses(
        frozenset(n for n, name in numbers.items() if is_person_name(name)),
        frozenset(n for n, name in numbers.items() if name in _LIKE_PEOPLE),
        tuple(names),
        default=1 if labels is None or len(labels) == 1 else -1,
    )


def _has_classes(rows: Sequence[MOTRow]) -> bool:
    """Whether column 8 is a class: trackers write -1 there if they know none."""
    return any(1 <= len(row.rest) <= 2 and row.rest[0] >= 0 for row in rows)


def _are_of_detector(rows: Sequence[MOTRow]) -> bool:
    """Whether classes count from 0, as COCO's do, and nothing is known of visibility."""
    unseen = all(len(row.rest) == 2 and row.rest[1] == -1 for row in rows)
    return unseen and any(row.rest[0] == COCO_PERSON for row in rows)


def _refuse_hidden_classes(rows: Sequence[MOTRow], path: Path) -> None:
    """Refuse ten columns whose eighth can hardly be a place in the world.

    VisDrone has classes there, and so cars would be people.
    """
    long = [row.rest for row in rows if len(row.rest) >= 3]
    kinds = {rest[0] for rest in long}
    if kinds <= {-1, 0, 1} or any(kind < 0 or kind != int(kind) for kind in kinds):
        return
    if all(0 <= rest[1] <= 1 for rest in long):
        found = ', '.join(f'{kind:g}' for kind in sorted(kinds)[:12])
        raise DataError(
            f'{path} has {7 + len(long[0])} columns, of which the eighth seems to be a class '
            f'({found}), and not a place in the world as in MOT15: name the classes, that of '
            'number 1 first, in a file labels.txt beside it, a line each'
        )
