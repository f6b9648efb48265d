"""One retrieval task: queries, their galleries and who is to be found where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ['Query', 'SearchProtocol', 'offsets_of']


@dataclass(frozen=True)
class Query:
    """A person to look for.

    Attributes:
        image: Key of the image that shows the person.
        box: Shape (4,), x1 y1 x2 y2 in pixels.
        person_id: Who it is.
        cam_id: Camera of the image, -1 = unknown.
    """

    image: str
    box: np.ndarray
    person_id: int
    cam_id: int = -1


def offsets_of(lengths: Sequence[int]) -> np.ndarray:
    """Turn the lengths of lists into offsets of their concatenation.

    Args:
        lengths: N lengths.

    Returns:
        Shape (N + 1,), int64: list i is ``flat[offsets[i]:offsets[i + 1]]``.

    Example:
        >>> offsets_of([2, 0, 3]).tolist()
        [0, 2, 2, 5]
    """
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class SearchProtocol:
    """Queries, galleries and ground truth, in flat arrays.

    Images are numbered by their place in ``images``. Lists of different
    length lie one after the other in one array, with offsets.

    Attributes:
        name: Short name, e.g. ``gallery_100`` or ``regular``.
        images: Keys of all images of the task.
        query_ids: Shape (Q,), int64, the place of each query in the data set's
            list of queries, which all its protocols share.
        query_images: Shape (Q,), int64, into ``images``.
        query_boxes: Shape (Q, 4), float64, x1 y1 x2 y2.
        person_ids: Shape (Q,), int64.
        cam_ids: Camera of each query, shape (Q,), int64, -1 = unknown.
        truth_offsets: Shape (Q + 1,), int64.
        truth_images: The gallery entries that show the person, int64, into
            ``images``; as often as the gallery lists the image.
        truth_boxes: Where the person is in each, shape (T, 4), float64.
        gallery_offsets: Shape (Q + 1,), int64; None if the gallery is every
            image but the query's own.
        gallery_images: Gallery entries in order, duplicates kept, int64, into
            ``images``; None likewise.
        image_cams: Camera of each image, shape (len(images),), int64.
        cross_camera: For a gallery of every image: leave out all images of
            the query's camera too.
    """

    name: str
    images: tuple[str, ...]
    query_ids: np.ndarray
    query_images: np.ndarray
    query_boxes: np.ndarray
    person_ids: np.ndarray
    cam_ids: np.ndarray
    truth_offsets: np.ndarray
    truth_images: np.ndarray
    truth_boxes: np.ndarray
    gallery_offsets: np.ndarray | None = None
    gallery_images: np.ndarray | None = None
    image_cams: np.ndarray | None = None
    cross_camera: bool = False
    cbgm_sizes: tuple[int, int] = (10, 3)
    _index: dict[str, int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._index.update({image: i for i, image in enumerate(self.images)})

    def __deepcopy__(self, memo: dict[int, Any]) -> SearchProtocol:
        """Return itself: nothing in it changes, and it can be large."""
        return self

    def __len__(self) -> int:
        """Count the queries."""
        return len(self.query_ids)

    def index(self, image: str) -> int:
        """Look up an image's number; KeyError if the task does not know it."""
        return self._index[image]

    def numbers_of(self, images: np.ndarray) -> np.ndarray:
        """Look up the numbers of many images; -1 where the task does not know one."""
        names, inverse = np.unique(images, return_inverse=True)
        numbers = np.array([self._index.get(str(name), -1) for name in names], dtype=np.int64)
        return numbers[inverse.reshape(-1)] if len(names) else np.zeros(0, np.int64)

    def gallery(self, query: int) -> np.ndarray:
        """List the gallery entries of the query at this position.

        Args:
            query: Position in protocol order, 0..Q-1.

        Returns:
            Image numbers in protocol order, duplicates kept.
        """
        if self.gallery_offsets is not None and self.gallery_images is not None:
            start, stop = self.gallery_offsets[query : query + 2]
            return self.gallery_images[start:stop]
        kept = np.ones(len(self.images), dtype=bool)
        kept[self.query_images[query]] = False
        if self.cross_camera and self.image_cams is not None:
            kept &= self.image_cams != self.cam_ids[query]
        return np.flatnonzero(kept)

    def truth(self, query: int) -> tuple[np.ndarray, np.ndarray]:
        """Say where the person is in the gallery.

        Args:
            query: Position in protocol order, 0..Q-1.

        Returns:
            Image numbers (t,) and boxes (t, 4).
        """
        start, stop = self.truth_offsets[query : query + 2]
        return self.truth_images[start:stop], self.truth_boxes[start:stop]

    @classmethod
    def build(
        cls,
        name: str,
        images: Sequence[str],
        queries: Sequence[Query],
        truths: Sequence[Sequence[tuple[str, np.ndarray]]],
        galleries: Sequence[Sequence[str]] | None = None,
        query_ids: Sequence[int] | None = None,
        image_cams: np.ndarray | None = None,
        cross_camera: bool = False,
        cbgm_sizes: tuple[int, int] = (10, 3),
    ) -> SearchProtocol:
        """Make a task of lists.

        Args:
            name: Short name.
            images: Keys of all images.
            queries: The people to look for.
            truths: For each query, (image, box) of each gallery entry that
                shows the person.
            galleries: For each query, the gallery's images; None for every
                image but the query's own.
            query_ids: Numbers of the queries; by default 0..Q-1.
            image_cams: Camera of each image.
            cross_camera: See the class.
            cbgm_sizes: See the class.

        Returns:
            The task.

        Example:
            >>> box = np.array([0.0, 0.0, 10.0, 20.0])
            >>> task = SearchProtocol.build(
            ...     'tiny', ['a.jpg', 'b.jpg'], [Query('a.jpg', box, 7)], [[('b.jpg', box)]])
            >>> task.gallery(0).tolist(), task.truth(0)[0].tolist()
            ([1], [1])
        """
        number = {image: i for i, image in enumerate(images)}
        flat_truth = [entry for truth in truths for entry in truth]
        gallery_offsets = gallery_images = None
        if galleries is not None:
            gallery_offsets = offsets_of([len(g) for g in galleries])
            gallery_images = np.array([number[i] for g in galleries for i in g], dtype=np.int64)
        ids = range(len(queries)) if query_ids is None else query_ids
        return cls(
            name=name,
            images=tuple(images),
            query_ids=np.array(list(ids), dtype=np.int64),
            query_images=np.array([number[q.image] for q in queries], dtype=np.int64),
            query_boxes=_boxes([q.box for q in queries]),
            person_ids=np.array([q.person_id for q in queries], dtype=np.int64),
            cam_ids=np.array([q.cam_id for q in queries], dtype=np.int64),
            truth_offsets=offsets_of([len(t) for t in truths]),
            truth_images=np.array([number[image] for image, _ in flat_truth], dtype=np.int64),
            truth_boxes=_boxes([box for _, box in flat_truth]),
            gallery_offsets=gallery_offsets,
            gallery_images=gallery_images,
            image_cams=image_cams,
            cross_camera=cross_camera,
            cbgm_sizes=cbgm_sizes,
        )


def _boxes(boxes: Sequence[np.ndarray]) -> np.ndarray:
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
