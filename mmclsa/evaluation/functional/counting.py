"""Places of hits by counting, without a list of what each query is compared with.

A hit's place needs no sorted gallery: it is enough to count the detections
that are at least as similar. Only those as similar as a query's worst hit
(the *near* ones) can count, so all others are passed over by one comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmclsa.evaluation.functional.candidates import searched_images
from mmclsa.evaluation.functional.gallery import Gallery
from mmclsa.evaluation.functional.results import Hits
from mmclsa.structures import SearchProtocol

__all__ = ['Chosen', 'Near', 'Steps', 'count_hits', 'times_searched']


@dataclass(frozen=True, eq=False)
class Chosen:
    """The right detection of each image that shows a query's person.

    Attributes:
        queries: Position of the query, shape (H,), ascending.
        rows: Row of the query in the chunk, shape (H,).
        truths: Which of the protocol's boxes was found, shape (H,).
        detections: Of the gallery, shape (H,).
        similarities: Shape (H,).
        weights: How often the hit counts, shape (H,).
    """

    queries: np.ndarray
    rows: np.ndarray
    truths: np.ndarray
    detections: np.ndarray
    similarities: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class Steps:
    """The distinct similarities of the hits of each row, ascending, row after row.

    Attributes:
        values: Shape (S,).
        starts: First step of each row, shape (R + 1,).
    """

    values: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, values: np.ndarray, count: int) -> Steps:
        """Make the steps of hits in these rows, 0..count-1.

        Example:
            >>> steps = Steps.of(np.array([1, 0, 1, 1]), np.array([0.5, 0.7, 0.2, 0.5]), 2)
            >>> steps.values.tolist(), steps.starts.tolist()
            ([0.7, 0.2, 0.5], [0, 1, 3])
        """
        order = np.lexsort((values, rows))
        rows, values = rows[order], values[order]
        new = np.ones(len(rows), dtype=bool)
        new[1:] = (rows[1:] != rows[:-1]) | (values[1:] != values[:-1])
        return cls(values[new], np.searchsorted(rows[new], np.arange(count + 1)))

    def lowest(self) -> np.ndarray:
        """Return the lowest step of each row, shape (R,); infinity where there is none."""
        lowest: np.ndarray = np.full(len(self.starts) - 1, np.inf, dtype=self.values.dtype)
        some = np.diff(self.starts) > 0
        lowest[some] = self.values[self.starts[:-1][some]]
        return lowest

    def numbers(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Find the highest step that each value reaches.

        Args:
            rows: Shape (n,), ascending.
            values: Shape (n,), each at least its row's lowest step.

        Returns:
            Numbers of steps, shape (n,), into ``values``.
        """
        found = np.empty(len(rows), dtype=np.int64)
        cuts = np.flatnonzero(np.diff(rows, prepend=-1, append=-1))
        for start, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist()):
            low, high = self.starts[rows[start] : rows[start] + 2].tolist()
            own = self.values[low:high]
            found[start:stop] = own.searchsorted(values[start:stop], side='right') + (low - 1)
        return found


@dataclass(frozen=True, eq=False)
class Near:
    """Pairs of row and detection at least as similar as the row's worst hit.

    Attributes:
        rows: Shape (P,), ascending.
        detections: Of the gallery, shape (P,).
        numbers: Highest step that each reaches, shape (P,).
        level: Whether it is as similar as that step, shape (P,), bool.
    """

    rows: np.ndarray
    detections: np.ndarray
    numbers: np.ndarray
    level: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, detections: np.ndarray, values: np.ndarray, steps: Steps) -> Near:
        """Put pairs, in ascending order of row, on the steps."""
        numbers = steps.numbers(rows, values)
        return cls(rows, detections, numbers, steps.values[numbers] == values)


def times_searched(
    protocol: SearchProtocol, queries: np.ndarray, rows: np.ndarray, count: int, repeat: bool
) -> np.ndarray:
    """Tell how often each query searches each image.

    Args:
        protocol: The task.
        queries: Positions, shape (Q,).
        rows: A row of the answer for each, all different.
        count: Number of rows.
        repeat: Search an image as often as the gallery lists it, not once.

    Returns:
        Shape (count, I), integers; zeros in rows that are nobody's.
    """
    images = len(protocol.images)
    times: np.ndarray = np.zeros((count, images), dtype=np.int64 if repeat else np.uint8)
    if protocol.gallery_offsets is None or protocol.gallery_images is None:
        times[rows] = searched_images(protocol, queries)
        return times
    for query, row in zip(queries.tolist(), rows.tolist()):
        listed = protocol.gallery(query)
        if repeat:
            times[row] = np.bincount(listed, minlength=images)
        else:
            times[row, listed] = 1
    return times


def count_hits(
    chosen: Chosen,
    steps: Steps,
    near: Near,
    times: np.ndarray,
    order_of: Callable[[int], np.ndarray],
    gallery: Gallery,
) -> Hits:
    """Count the detections before each hit, and those at least as similar.

    Args:
        chosen: The hits of a task.
        steps: Of all hits of the chunk.
        near: The pairs to count.
        times: How often each pair counts, shape (P,); 0 if not at all.
        order_of: Gives the images of a query's gallery in order, as often as
            each is searched.
        gallery: What is searched.

    Returns:
        The hits with their places.
    """
    count = len(steps.values)
    reached = np.bincount(near.numbers, weights=times, minlength=count)
    above = np.append(np.cumsum(reached[::-1])[::-1], 0.0)
    numbers = steps.numbers(chosen.rows, chosen.similarities)
    at_least = (above[numbers] - above[steps.starts[chosen.rows + 1]]).astype(np.int64)
    level = np.flatnonzero(near.level & (times > 0))
    ties = np.bincount(near.numbers[level], weights=times[level], minlength=count)[numbers]
    places = at_least - ties.astype(np.int64) + 1
    tied = np.flatnonzero(ties > 1)
    if len(tied):
        level = level[np.argsort(near.numbers[level], kind='stable')]
        bounds = np.searchsorted(near.numbers[level], [numbers[tied], numbers[tied] + 1])
        for hit, low, high in zip(tied.tolist(), *bounds.tolist()):
            others = near.detections[level[low:high]]
            order = order_of(int(chosen.queries[hit]))
            places[hit] += _earlier(others, int(chosen.detections[hit]), order, gallery)
    return Hits(
        queries=chosen.queries,
        truths=chosen.truths,
        similarities=chosen.similarities,
        places=places,
        at_least=at_least,
        weights=chosen.weights,
    )


def _earlier(others: np.ndarray, own: int, order: np.ndarray, gallery: Gallery) -> int:
    """Count which of some detections come before one in the order of the gallery."""
    image = gallery.images[own]
    by_image = np.bincount(gallery.images[others], minlength=len(gallery.lengths))
    before = order[: np.flatnonzero(order == image)[0]]
    same = others[gallery.images[others] == image]
    return int(by_image[before].sum() + np.count_nonzero(same < own))
