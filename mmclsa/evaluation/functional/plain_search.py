"""Search by similarity alone: no second look at the best detections.

Two ways to the same counts. Large galleries: one matrix product of a chunk of
queries with every detection, for all tasks at once. Small ones: a product for
each image with the queries that search it. Memory is that of a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mmclsa.evaluation.functional.candidates import distinct_images, gallery_entries
from mmclsa.evaluation.functional.counting import Chosen, Near, Steps, count_hits, times_searched
from mmclsa.evaluation.functional.flags import SearchFlags
from mmclsa.evaluation.functional.gallery import Gallery
from mmclsa.evaluation.functional.hits import distinct_truths, most_similar_on_person
from mmclsa.evaluation.functional.results import Hits
from mmclsa.structures import SearchProtocol

__all__ = ['Part', 'search_all', 'search_listed']


@dataclass(frozen=True, eq=False)
class Part:
    """Queries of one task in a chunk, no two of which share a row.

    Attributes:
        number: Of the task.
        task: The task.
        queries: Positions, shape (Q,), ascending.
        rows: Row of each in the chunk, shape (Q,).
    """

    number: int
    task: SearchProtocol
    queries: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(
        cls, number: int, task: SearchProtocol, rows: np.ndarray, wanted: np.ndarray
    ) -> list[Part]:
        """Cut the wanted queries of a task: one part, unless a row is asked for twice.

        Args:
            number: Of the task.
            task: The task.
            rows: Row of each wanted query.
            wanted: Their positions.
        """
        parts = []
        while len(wanted):
            _, first = np.unique(rows, return_index=True)
            first.sort()
            parts.append(cls(number, task, wanted[first], rows[first]))
            wanted, rows = np.delete(wanted, first), np.delete(rows, first)
        return parts

    def order_of(self, repeat: bool, query: int) -> np.ndarray:
        """List the images that a query searches, in the order of its gallery."""
        listed = self.task.gallery(query)
        return listed if repeat else distinct_images(listed)


def search_all(
    parts: Sequence[Part], matrix: np.ndarray, gallery: Gallery, flags: SearchFlags
) -> Iterator[tuple[int, Hits]]:
    """Search parts that share rows, whose similarity with every detection is known.

    Args:
        parts: Of tasks on the same images.
        matrix: Similarity of the chunk's rows with all detections, shape (R, N).
        gallery: What is searched.
        flags: The IoU rule, and how repeated images count.

    Yields:
        Number of a task, and hits.
    """
    if not parts:
        return
    repeat = flags.duplicates == 'double'
    tables, chosen = [], []
    for part in parts:
        times = times_searched(part.task, part.queries, part.rows, len(matrix), repeat)
        find = partial(_rows_that_search, times)
        chosen.append(_choose(part, gallery, flags, find, lambda rows, seen: matrix[rows, seen]))
        tables.append(times)
    rows = np.concatenate([c.rows for c in chosen])
    steps = Steps.of(rows, np.concatenate([c.similarities for c in chosen]), len(matrix))
    flat = np.flatnonzero(matrix >= steps.lowest()[:, None])
    rows = flat // max(matrix.shape[1], 1)
    detections = flat - rows * matrix.shape[1]
    near = Near.of(rows, detections, matrix.ravel()[flat], steps)
    places = rows * len(gallery.lengths) + gallery.images[detections]
    for part, own, times in zip(parts, chosen, tables):
        counts = times.ravel()[places]
        order_of = partial(part.order_of, repeat)
        yield part.number, count_hits(own, steps, near, counts, order_of, gallery)


def _rows_that_search(times: np.ndarray, rows: np.ndarray, images: np.ndarray) -> np.ndarray:
    return np.where(times[rows, images] > 0, rows, -1)


def search_listed(
    part: Part, features: np.ndarray, gallery: Gallery, flags: SearchFlags
) -> tuple[int, Hits]:
    """Search small galleries: each image's detections with the queries that search it.

    Args:
        part: The queries.
        features: Of the chunk's rows, shape (R, D).
        gallery: What is searched.
        flags: The IoU rule, and how repeated images count.

    Returns:
        Number of the task, and hits.
    """
    repeat = flags.duplicates == 'double'
    entries = _Entries.of(part, len(features), gallery)
    values = entries.similarities(features, gallery)
    first = entries.starts[:-1] - gallery.starts[entries.images]
    chosen = _choose(
        part, gallery, flags, entries.find, lambda place, seen: values[first[place] + seen]
    )
    steps = Steps.of(chosen.rows, chosen.similarities, len(features))
    near, times = entries.near(values, steps, gallery)
    hits = count_hits(
        chosen,
        steps,
        near,
        times if repeat else np.ones_like(times),
        partial(part.order_of, repeat),
        gallery,
    )
    return part.number, hits


def _choose(
    part: Part,
    gallery: Gallery,
    flags: SearchFlags,
    find: Callable[[np.ndarray, np.ndarray], np.ndarray],
    similarity: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Chosen:
    """Choose the hits of a part.

    Args:
        part: The queries.
        gallery: What is searched.
        flags: The IoU rule, and how repeated images count.
        find: Gives rows that search images a place each; -1 to those that do not.
        similarity: Of these places and detections.
    """
    owners, truths, repeats = distinct_truths(part.queries, part.task)
    places = find(part.rows[owners], part.task.truth_images[truths])
    there = places >= 0
    owners, truths, repeats, places = owners[there], truths[there], repeats[there], places[there]
    found, detections, values = most_similar_on_person(
        truths, part.task, gallery, flags, lambda own, seen: similarity(places[own], seen)
    )
    own = owners[found]
    return Chosen(
        queries=part.queries[own],
        rows=part.rows[own],
        truths=truths[found],
        detections=detections,
        similarities=values,
        weights=repeats[found] if flags.duplicates == 'double' else np.ones_like(found),
    )


@dataclass(frozen=True, eq=False)
class _Entries:
    """Gallery entries of a part, image by image, and within it row by row.

    Attributes:
        rows: Row of each entry in the chunk, shape (E,).
        images: Its image, shape (E,), ascending.
        starts: First pair of each entry, shape (E + 1,).
        times: How often the gallery lists it, shape (E,). It is compared once, as
            two products could differ in their last bits.
        count: Number of rows.
    """

    rows: np.ndarray
    images: np.ndarray
    starts: np.ndarray
    times: np.ndarray
    count: int

    @classmethod
    def of(cls, part: Part, count: int, gallery: Gallery) -> _Entries:
        owners, images = gallery_entries(part.task, part.queries)
        rows = part.rows[owners]
        # Small integers are sorted in linear time.
        small = images.astype(np.uint16) if len(gallery.lengths) <= 2**16 else images
        order = np.argsort(rows, kind='stable') if (np.diff(rows) < 0).any() else slice(None)
        rows, images, small = rows[order], images[order], small[order]
        order = np.argsort(small, kind='stable')
        rows, images = rows[order], images[order]
        new = np.flatnonzero(np.diff(images * count + rows, prepend=-1))
        times = np.diff(np.append(new, len(rows)))
        rows, images = rows[new], images[new]
        return cls(rows, images, np.append(0, np.cumsum(gallery.lengths[images])), times, count)

    def find(self, rows: np.ndarray, images: np.ndarray) -> np.ndarray:
        """Find the entry of these rows and images; -1 where there is none."""
        keys = self.images * self.count + self.rows
        wanted = images * self.count + rows
        place = np.searchsorted(keys, wanted)
        there = place < len(keys)
        there[there] = keys[place[there]] == wanted[there]
        return np.where(there, place, -1)

    def similarities(self, features: np.ndarray, gallery: Gallery) -> np.ndarray:
        """Multiply each image's detections with the queries that search it."""
        values = np.empty(int(self.starts[-1]), np.result_type(features, gallery.embeddings))
        cuts = np.flatnonzero(np.diff(self.images, prepend=-1, append=-1))
        images = self.images[cuts[:-1]]
        firsts, counts = gallery.starts[images].tolist(), gallery.lengths[images].tolist()
        bounds = self.starts[cuts].tolist()
        for start, stop, first, count, low, high in zip(
            cuts[:-1].tolist(), cuts[1:].tolist(), firsts, counts, bounds[:-1], bounds[1:]
        ):
            if count:
                own = features[self.rows[start:stop]]
                np.matmul(
                    own,
                    gallery.embeddings[first : first + count].T,
                    out=values[low:high].reshape(stop - start, count),
                )
        return values

    def near(self, values: np.ndarray, steps: Steps, gallery: Gallery) -> tuple[Near, np.ndarray]:
        """List the pairs that can count, and how often the gallery lists each."""
        lengths = np.diff(self.starts)
        pairs = np.flatnonzero(values >= np.repeat(steps.lowest()[self.rows], lengths))
        entry = np.searchsorted(self.starts, pairs, side='right') - 1
        rows = self.rows[entry]
        detections = gallery.starts[self.images[entry]] + pairs - self.starts[entry]
        order = np.argsort(rows, kind='stable')
        near = Near.of(rows[order], detections[order], values[pairs[order]], steps)
        return near, self.times[entry[order]]
