"""One retrieval task: queries, their galleries and who is to be found where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mmclsa.errors import ConfigError

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
            ``images``; None as for ``gallery_offsets``.
        image_cams: Camera of each image, shape (len(images),), int64.
        cross_camera: Images of the query's camera are left out: of a gallery
            of every image by this flag, of listed galleries and of the ground
            truth already.
        cbgm_sizes: Default k1 and k2 of context bipartite graph matching.
        excluded_offsets: Shape (Q + 1,), int64; None if nothing is excluded.
        excluded_images: For a gallery of every image: images that a query
            does not search, int64, into ``images``.
        all_cameras: The task before images of the query's camera were left
            out; None if they are in.
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
    excluded_offsets: np.ndarray | None = None
    excluded_images: np.ndarray | None = None
    all_cameras: SearchProtocol | None = field(default=None, repr=False)
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
        index = self._index
        return np.array([index.get(name, -1) for name in images.tolist()], dtype=np.int64)

    @property
    def gallery_size(self) -> float:
        """Mean number of gallery entries of a query."""
        if not len(self):
            return 0.0
        if self.gallery_images is not None:
            return len(self.gallery_images) / len(self)
        if self.excluded_images is not None:
            return float(np.mean([len(self.gallery(query)) for query in range(len(self))]))
        if not self.cross_camera or self.image_cams is None:
            return float(len(self.images) - 1)
        cameras, counts = np.unique(self.image_cams, return_counts=True)
        same = counts[np.searchsorted(cameras, self.cam_ids)]
        return len(self.images) - float(same.mean())

    def truth_counts(self, distinct: bool = False, wanted: np.ndarray | None = None) -> np.ndarray:
        """Count the gallery entries that show each query's person.

        Args:
            distinct: Count an image once, however often the gallery lists it.
            wanted: Which entries to count, shape (T,), bool; None for all.

        Returns:
            Shape (Q,), int64.
        """
        owners = np.repeat(np.arange(len(self)), np.diff(self.truth_offsets))
        kept = np.ones(len(owners), dtype=bool) if wanted is None else wanted
        keys = owners[kept] * max(len(self.images), 1) + self.truth_images[kept]
        if distinct:
            keys = np.unique(keys)
        return np.bincount(keys // max(len(self.images), 1), minlength=len(self))

    def with_camera_rule(self, rule: str) -> SearchProtocol:
        """Search with another camera rule.

        Args:
            rule: ``protocol`` (as it is), ``all``, or ``cross``: leave out
                gallery images, and matches, of the query's camera.

        Returns:
            A task; this one if nothing changes.

        Raises:
            ConfigError: If the cameras are not known.
        """
        if rule == 'all' and self.all_cameras is not None:
            return self.all_cameras
        if rule != 'cross' or self.cross_camera:
            return self
        if self.image_cams is None or (self.image_cams < 0).any() or (self.cam_ids < 0).any():
            raise ConfigError(
                f"camera 'cross' needs the camera of every image, but protocol {self.name} lacks "
                'some or all of them'
            )
        truth = self._other_cameras(self.truth_offsets, self.truth_images)
        changes: dict[str, Any] = dict(
            truth_offsets=_kept_offsets(self.truth_offsets, truth),
            truth_images=self.truth_images[truth],
            truth_boxes=self.truth_boxes[truth],
        )
        if self.gallery_offsets is not None and self.gallery_images is not None:
            listed = self._other_cameras(self.gallery_offsets, self.gallery_images)
            changes['gallery_offsets'] = _kept_offsets(self.gallery_offsets, listed)
            changes['gallery_images'] = self.gallery_images[listed]
        return replace(self, cross_camera=True, all_cameras=self, _index={}, **changes)

    def _other_cameras(self, offsets: np.ndarray, images: np.ndarray) -> np.ndarray:
        assert self.image_cams is not None  # with_camera_rule has checked
        return self.image_cams[images] != np.repeat(self.cam_ids, np.diff(offsets))

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
        if self.excluded_offsets is not None and self.excluded_images is not None:
            start, stop = self.excluded_offsets[query : query + 2]
            kept[self.excluded_images[start:stop]] = False
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
        excluded: Sequence[Sequence[str]] | None = None,
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
            cross_camera: Leave out gallery images, and matches, of the query's
                camera.
            cbgm_sizes: See the class.
            excluded: For each query, images that are not searched where the
                gallery is every image.

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
        excluded_offsets = excluded_images = None
        if excluded is not None:
            excluded_offsets = offsets_of([len(e) for e in excluded])
            excluded_images = np.array([number[i] for e in excluded for i in e], dtype=np.int64)
        ids = range(len(queries)) if query_ids is None else query_ids
        task = cls(
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
            cbgm_sizes=cbgm_sizes,
            excluded_offsets=excluded_offsets,
            excluded_images=excluded_images,
        )
        return task.with_camera_rule('cross') if cross_camera else task


def _boxes(boxes: Sequence[np.ndarray]) -> np.ndarray:
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4)


def _kept_offsets(offsets: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Give the offsets of lists of which only some members, shape (T,), are kept."""
    return np.concatenate([[0], np.cumsum(kept)])[offsets]
