"""Which detections each query of a chunk is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmclsa.evaluation.functional.gallery import Gallery
from mmclsa.evaluation.functional.geometry import expand_ranges
from mmclsa.structures import SearchProtocol

__all__ = ['Candidates', 'distinct_images', 'gallery_entries', 'searched_images']


@dataclass(frozen=True, eq=False)
class Candidates:
    """The pairs of query and detection of a chunk, query after query.

    Attributes:
        queries: Positions of the queries, shape (R,).
        entry_rows: Row (0..R-1) of each gallery entry, shape (E,), ascending.
        entry_images: Image number of each entry, shape (E,).
        entry_starts: First pair of each entry, shape (E + 1,).
        places: Entry by row and image, shape (R, I); -1 where the gallery
            does not have the image. The first one of a repeated image.
        members: Detection of each pair, shape (P,).
        starts: First pair of each row, shape (R + 1,).
    """

    queries: np.ndarray
    entry_rows: np.ndarray
    entry_images: np.ndarray
    entry_starts: np.ndarray
    places: np.ndarray
    members: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(
        cls, protocol: SearchProtocol, queries: np.ndarray, gallery: Gallery, repeat: bool
    ) -> Candidates:
        """List the pairs of these queries.

        Args:
            protocol: The task.
            queries: Positions, ascending.
            gallery: What is searched.
            repeat: Search an image as often as the gallery lists it.
        """
        rows, images = gallery_entries(protocol, queries)
        places = np.full((len(queries), len(protocol.images)), -1, dtype=np.int32)
        numbers = np.arange(len(rows), dtype=np.int32)
        if protocol.gallery_images is None:
            places[rows, images] = numbers  # no image comes twice
        else:
            # Backwards, so that the first entry of a repeated image stays; flip's views
            # alone would not do, since NumPy walks them in the order of memory.
            places[np.flip(rows).copy(), np.flip(images).copy()] = np.flip(numbers).copy()
            first = places[rows, images] == numbers
            if not repeat and not first.all():
                rows, images = rows[first], images[first]
                places[rows, images] = np.arange(len(rows), dtype=np.int32)
        lengths = gallery.lengths[images]
        entry_starts = np.concatenate([[0], np.cumsum(lengths)])
        return cls(
            queries=queries,
            entry_rows=rows,
            entry_images=images,
            entry_starts=entry_starts,
            places=places,
            members=expand_ranges(gallery.starts[images], lengths),
            starts=entry_starts[np.searchsorted(rows, np.arange(len(queries) + 1))],
        )

    def row(self, number: int) -> slice:
        """Return the pairs of a row."""
        return slice(int(self.starts[number]), int(self.starts[number + 1]))


def gallery_entries(protocol: SearchProtocol, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List the gallery entries of queries, in protocol order, repeated ones kept.

    Args:
        protocol: The task.
        queries: Positions, shape (R,).

    Returns:
        Row (0..R-1) and image number of each entry.
    """
    if protocol.gallery_offsets is not None and protocol.gallery_images is not None:
        starts = protocol.gallery_offsets[queries]
        lengths = protocol.gallery_offsets[queries + 1] - starts
        rows = np.repeat(np.arange(len(queries)), lengths)
        return rows, protocol.gallery_images[expand_ranges(starts, lengths)]
    rows, images = np.nonzero(searched_images(protocol, queries))
    return rows, images


def searched_images(protocol: SearchProtocol, queries: np.ndarray) -> np.ndarray:
    """Tell which images queries search whose gallery is every image.

    Args:
        protocol: The task; without listed galleries.
        queries: Positions, shape (R,).

    Returns:
        Shape (R, I), bool.
    """
    kept = np.ones((len(queries), len(protocol.images)), dtype=bool)
    kept[np.arange(len(queries)), protocol.query_images[queries]] = False
    if protocol.cross_camera and protocol.image_cams is not None:
        kept &= protocol.image_cams[None] != protocol.cam_ids[queries][:, None]
    if protocol.excluded_offsets is not None and protocol.excluded_images is not None:
        starts = protocol.excluded_offsets[queries]
        lengths = protocol.excluded_offsets[queries + 1] - starts
        rows = np.repeat(np.arange(len(queries)), lengths)
        kept[rows, protocol.excluded_images[expand_ranges(starts, lengths)]] = False
    return kept


def distinct_images(images: np.ndarray) -> np.ndarray:
    """List images once each, in the order of their first mention.

    Example:
        >>> distinct_images(np.array([7, 2, 7, 5])).tolist()
        [7, 2, 5]
    """
    _, first = np.unique(images, return_index=True)
    return images[np.sort(first)]
