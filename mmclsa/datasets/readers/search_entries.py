"""The queries of a ``TestG*.mat`` and their galleries, in flat arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmclsa.structures import offsets_of

__all__ = ['NameTable', 'SearchEntries', 'SearchEntry']

_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class SearchEntry:
    """One query with its gallery.

    Attributes:
        image: The query's image.
        box: Shape (4,), x y w h.
        gallery: Image, and the person's box x y w h or None, of each entry.
    """

    image: str
    box: np.ndarray
    gallery: list[tuple[str, np.ndarray | None]]


class NameTable:
    """Numbers for names, in the order in which they are first met.

    Example:
        >>> table = NameTable()
        >>> table.number(np.array([b'b.jpg', b'a.jpg', b'b.jpg'])).tolist(), table.names
        ([0, 1, 0], ['b.jpg', 'a.jpg'])
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    @property
    def names(self) -> list[str]:
        """All names, by number."""
        return [name.decode() for name in self._numbers]

    def number(self, names: np.ndarray) -> np.ndarray:
        """Number many names.

        Args:
            names: Shape (n,), bytes.

        Returns:
            Shape (n,), int32.
        """
        first, inverse = _distinct(names)
        # In the order in which they are met, not in that of their digests.
        order = np.argsort(first)
        numbers = np.empty(len(first), dtype=np.int32)
        for place, name in zip(order.tolist(), names[first[order]].tolist()):
            numbers[place] = self._numbers.setdefault(name, len(self._numbers))
        return numbers[inverse]


def _distinct(names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the first place of each distinct name, and the number of each name among these."""
    padded = names.astype(f'S{-(-max(names.dtype.itemsize, 1) // 8) * 8}')
    words = padded.view(np.uint64).reshape(len(names), -1)
    # Numbers sort ten times as fast as texts.
    digests: np.ndarray = np.zeros(len(names), dtype=np.uint64)
    for column in words.T:
        digests = (digests ^ column) * _MIX
        digests ^= digests >> np.uint64(29)
    _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    if (words[first][inverse] != words).any():  # two names of one digest
        _, first, inverse = np.unique(names, return_index=True, return_inverse=True)
    return first, inverse


@dataclass(frozen=True, eq=False)
class SearchEntries:
    """Queries and galleries.

    Attributes:
        names: Of all images in it.
        images: Of the queries, shape (Q,), into ``names``.
        boxes: Of the queries, shape (Q, 4), float64, x y w h.
        offsets: Shape (Q + 1,), int64, of the galleries.
        gallery: Image of each gallery entry, shape (G,), into ``names``.
        shown: Which gallery entries show the person, shape (T,), int64.
        shown_boxes: Where, shape (T, 4), float64, x y w h.
    """

    names: tuple[str, ...]
    images: np.ndarray
    boxes: np.ndarray
    offsets: np.ndarray
    gallery: np.ndarray
    shown: np.ndarray
    shown_boxes: np.ndarray

    @classmethod
    def of(cls, entries: Sequence[SearchEntry]) -> SearchEntries:
        """Make it of single entries."""
        numbers: dict[str, int] = {}
        images = [numbers.setdefault(e.image, len(numbers)) for e in entries]
        flat = [pair for entry in entries for pair in entry.gallery]
        gallery = [numbers.setdefault(image, len(numbers)) for image, _ in flat]
        shown = [(place, box) for place, (_, box) in enumerate(flat) if box is not None]
        return cls(
            names=tuple(numbers),
            images=np.array(images, dtype=np.int32),
            boxes=np.array([e.box for e in entries], dtype=np.float64).reshape(-1, 4),
            offsets=offsets_of([len(e.gallery) for e in entries]),
            gallery=np.array(gallery, dtype=np.int32),
            shown=np.array([place for place, _ in shown], dtype=np.int64),
            shown_boxes=np.array([box for _, box in shown], dtype=np.float64).reshape(-1, 4),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> SearchEntries:
        """Make it of what :meth:`to_arrays` gave."""
        names = tuple(name.decode() for name in arrays['names'].tolist())
        return cls(names, **{name: array for name, array in arrays.items() if name != 'names'})

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Give its arrays by name, names as bytes."""
        arrays = {name: value for name, value in vars(self).items() if name != 'names'}
        return dict(names=np.array([name.encode() for name in self.names]), **arrays)

    def queries(self) -> list[tuple[str, float, float, float, float]]:
        """List image and box x y w h of every query."""
        images = [self.names[i] for i in self.images.tolist()]
        return [(image, *box) for image, box in zip(images, self.boxes.tolist())]

    def shown_offsets(self) -> np.ndarray:
        """Where the entries of each query begin in ``shown``, shape (Q + 1,)."""
        return np.searchsorted(self.shown, self.offsets)

    def __len__(self) -> int:
        """Count the queries."""
        return len(self.images)

    def appearances(self) -> Iterator[list[tuple[str, np.ndarray]]]:
        """List, for each query, where the person is: the query first."""
        ends = self.shown_offsets()
        shown = [self.names[i] for i in self.gallery[self.shown].tolist()]
        for query, image in enumerate(self.images.tolist()):
            places = slice(ends[query], ends[query + 1])
            yield [
                (self.names[image], self.boxes[query]),
                *zip(shown[places], self.shown_boxes[places]),
            ]
