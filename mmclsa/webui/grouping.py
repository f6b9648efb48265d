"""The people of an index, while others search it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from mmclsa.errors import DataError
from mmclsa.gallery import GalleryIndex, SearchFilter
from mmclsa.gallery.index_reader import IndexReader
from mmclsa.inference.people import PersonGroup, people_of_index
from mmclsa.inference.probabilities import calibration_of
from mmclsa.webui.problems import BusyError

__all__ = ['PeopleOfIndex']

# Of an index that knows no probabilities. The figure is ours; models differ.
_SIMILARITY = 0.7
_KEPT = 4  # groupings
_ATTEMPTS = 3

Grouping = tuple[list[PersonGroup], list[str]]


class _SharedReader:
    """An index whose every question is asked under a lock, and no more than the question."""

    def __init__(self, index: GalleryIndex, lock: Any) -> None:
        self._index = index
        self._lock = lock

    def __len__(self) -> int:
        return len(self._index)

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            found = getattr(self._index, name)
        return self._locked(found) if callable(found) else found

    def _locked(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def ask(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                return method(*args, **kwargs)

        return ask


class PeopleOfIndex:
    """Groups the sightings of an index into people; keeps what it found until the index changes.

    Grouping thousands of sightings takes seconds, in which the index is free
    for others.

    Args:
        index: The index.
        lock: Under which it is asked.
        follow: Takes over what others have changed.
    """

    def __init__(self, index: GalleryIndex, lock: Any, follow: Callable[[], object]) -> None:
        self._follow = follow
        self._reader = cast(IndexReader, _SharedReader(index, lock))
        self._known: dict[Any, Grouping] = {}
        self._lock = threading.Lock()

    def find(
        self,
        where: SearchFilter,
        min_probability: float | None = None,
        min_similarity: float | None = None,
    ) -> Grouping:
        """Group the sightings of an index into people.

        Args:
            where: Which rows are looked at.
            min_probability: See :func:`people_of_index`.
            min_similarity: See :func:`people_of_index`.

        Returns:
            The people, those with most sightings first, and what the visitor
            should know beside.

        Raises:
            ConfigError: See :func:`people_of_index`; but an index that knows
                no probabilities is grouped by similarity if no limit is given.
            BusyError: If the index is changed again and again meanwhile.
        """
        limits = where, min_probability, min_similarity
        for _ in range(_ATTEMPTS):
            self._follow()
            generation = self._reader.generation
            with self._lock:
                if (generation, *limits) in self._known:
                    return self._known[(generation, *limits)]
            try:
                found = self._group(*limits)
            except DataError:  # others may have deleted somebody between two questions
                if self._reader.generation == generation and not self._reader.changed_on_disk():
                    raise
                continue
            self._keep((generation, *limits), found)
            return found
        raise BusyError('the index changes too fast for its people to be told: try again')

    def _keep(self, key: Any, found: Grouping) -> None:
        with self._lock:
            self._known[key] = found
            while len(self._known) > _KEPT:
                del self._known[next(iter(self._known))]

    def _group(
        self, where: SearchFilter, min_probability: float | None, min_similarity: float | None
    ) -> Grouping:
        warnings = []
        limited = min_probability is not None or min_similarity is not None
        if not limited and calibration_of(self._reader).calibration is None:
            min_similarity = _SIMILARITY
            warnings.append(
                'the index knows no probabilities: sightings with a similarity of '
                f'{_SIMILARITY} or more are taken for one person'
            )
        people = people_of_index(self._reader, where, min_probability, min_similarity)
        return people, warnings
