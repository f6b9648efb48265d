"""What a search gives: every hit, and the figures that follow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from mmclsa.evaluation.functional.flags import SearchFlags

__all__ = ['Hits', 'SearchResult']

TOP_K = (1, 5, 10)


@dataclass(frozen=True, eq=False)
class Hits:
    """The right detections of all queries, in ascending order of query.

    Attributes:
        queries: Position of the query, shape (H,), int64.
        truths: Which of the protocol's ``truth_boxes`` was found, shape (H,),
            int64; the first of an image that the gallery repeats.
        similarities: Shape (H,).
        places: Place among all detections of the gallery, from 1, shape
            (H,), int64.
        at_least: How many detections of the gallery are at least as similar,
            itself included, shape (H,), int64; what precision divides by.
        weights: How often the hit counts, shape (H,): 1, or more where an
            image is searched as often as the gallery lists it.
    """

    queries: np.ndarray
    truths: np.ndarray
    similarities: np.ndarray
    places: np.ndarray
    at_least: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        """Count the hits."""
        return len(self.queries)

    @classmethod
    def join(cls, parts: list[Hits]) -> Hits:
        """Put the hits of several chunks of queries one after the other."""
        if not parts:
            none = np.zeros(0, dtype=np.int64)
            return cls(none, none, np.zeros(0), none, none, none)
        order = np.argsort(np.concatenate([p.queries for p in parts]), kind='stable')
        names = ('queries', 'truths', 'similarities', 'places', 'at_least', 'weights')
        return cls(*(np.concatenate([getattr(p, n) for p in parts])[order] for n in names))

    def found_at_least(self, counted: np.ndarray | None = None) -> np.ndarray:
        """Count, for each hit, the query's hits that are at least as similar.

        Convention:
            Equally similar hits count each other: of 0.9, 0.5, 0.5 it is 1, 3, 3.

        Args:
            counted: Which hits to count, shape (H,), bool; None for all.

        Returns:
            Shape (H,), in units of ``weights``; itself included if counted.
        """
        if not len(self):
            return np.zeros(0)
        order = np.lexsort((-self.similarities, self.queries))
        queries, similarities = self.queries[order], self.similarities[order]
        weights = self.weights * (1 if counted is None else counted)
        running = np.cumsum(weights[order])
        new_query = np.diff(queries, prepend=-1) != 0
        start = np.maximum.accumulate(np.where(new_query, np.arange(len(order)), 0))
        before = (running - weights[order])[start]
        # Equally similar hits are counted together: each takes the sum of the last of them.
        new_step = new_query | (np.diff(similarities, prepend=np.inf) != 0)
        step = np.cumsum(new_step) - 1
        last = np.append(np.flatnonzero(new_step)[1:] - 1, len(order) - 1)
        counts = np.empty(len(order))
        counts[order] = running[last[step]] - before
        return counts


@dataclass(frozen=True, eq=False)
class SearchResult:
    """Figures of one protocol.

    Attributes:
        name: Of the protocol.
        average_precisions: Of each query, shape (Q,), in [0, 1].
        ranks: Place of each query's first right detection, from 1, shape
            (Q,), int64; 0 if none is right.
        flags: The flags that the figures were made with.
        counted: Which queries the means are over, shape (Q,), bool; None for
            all.
        gallery_size: Mean number of images in a query's gallery.
        notes: What a reader of the figures should know, e.g. how many images
            have no detection.
        hits: Every right detection; None if they were not kept.
    """

    name: str
    average_precisions: np.ndarray
    ranks: np.ndarray
    flags: SearchFlags = field(default_factory=SearchFlags)
    counted: np.ndarray | None = None
    gallery_size: float = 0.0
    notes: tuple[str, ...] = ()
    hits: Hits | None = None

    def _kept(self, values: np.ndarray) -> np.ndarray:
        return values if self.counted is None else values[self.counted]

    def renamed(self, name: str) -> SearchResult:
        """Return the same figures under another name."""
        return replace(self, name=name)

    @property
    def num_counted(self) -> int:
        """Number of queries that the means are over."""
        return len(self._kept(self.ranks))

    @property
    def mean_average_precision(self) -> float:
        """Mean over the queries that count, in [0, 1]."""
        kept = self._kept(self.average_precisions)
        return float(kept.mean()) if len(kept) else 0.0

    def top(self, k: int) -> float:
        """Return the share of queries with a right detection among the first k.

        Convention:
            Places count from 1 and 0 is nobody: 1, 3 and 0 have a top-1 of 1/3 and a
            top-5 of 2/3. Queries that are left out do not count.
        """
        ranks = self._kept(self.ranks)
        hits = (ranks >= 1) & (ranks <= k)
        return float(hits.mean()) if len(hits) else 0.0

    def cmc(self, length: int = 50) -> np.ndarray:
        """Return the cumulative matching characteristic: top-1 to top-``length``.

        Convention:
            As :meth:`top`: the places 1, 3 and 0 give 1/3, 1/3, 2/3, 2/3, ...

        Returns:
            Shape (length,), in [0, 1].
        """
        ranks = self._kept(self.ranks)
        found = np.bincount(ranks[(ranks >= 1) & (ranks <= length)], minlength=length + 1)[1:]
        return np.cumsum(found) / max(len(ranks), 1)

    def figures(self) -> dict[str, float]:
        """Return ``mAP``, ``top1``, ``top5`` and ``top10``, in [0, 1]."""
        return {'mAP': self.mean_average_precision} | {f'top{k}': self.top(k) for k in TOP_K}
