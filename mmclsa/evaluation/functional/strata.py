"""Search metrics by the size of the match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmclsa.evaluation.functional.results import SearchResult
from mmclsa.structures import SearchProtocol

__all__ = [
    'HEIGHT_EDGES',
    'RATIO_EDGES',
    'Stratum',
    'by_height',
    'by_height_ratio',
    'precisions_by_height',
    'precisions_by_height_ratio',
]

#: Pixels.
HEIGHT_EDGES = (64.0, 128.0, 256.0)
#: Height of the query over height of the match.
RATIO_EDGES = (0.25, 0.5, 0.8, 1.25, 2.0, 4.0)


@dataclass(frozen=True)
class Stratum:
    """Figures on the matches of one bin.

    Attributes:
        low: Least value of the bin.
        high: The bin ends before this value; infinity for the last.
        queries: Queries with a match in the bin; the means are over them.
        matches: Gallery entries in the bin that show the person.
        recall: Share of the matches that a right detection was found for.
        mAP: Mean average precision.
        top1: Share of queries whose most similar detection is right.
    """

    low: float
    high: float
    queries: int
    matches: int
    recall: float
    mAP: float  # noqa: N815 - what everybody calls it
    top1: float


def by_height(
    result: SearchResult, protocol: SearchProtocol, edges: Sequence[float] = HEIGHT_EDGES
) -> list[Stratum]:
    """Split the figures by the height of the match.

    Convention:
        In each bin, which begins at its edge (>=), only the matches in it are
        to be found. Right detections of other heights are taken out of the
        ranking, so that they are neither right nor wrong; all else stays. A
        query without a match in the bin is left out. Found first at 200 pixels
        and third, behind a wrong one, at 50: AP 1/2 in the bin below 64.

    Args:
        result: Of :func:`evaluate_search`, with hits.
        protocol: Its task.
        edges: Where bins begin, in pixels, ascending.

    Returns:
        One more than there are edges.

    Example:
        >>> from mmclsa.evaluation.functional.results import Hits
        >>> none = SearchResult('none', np.zeros(0), np.zeros(0, int), hits=Hits.join([]))
        >>> task = SearchProtocol.build('none', [], [], [])
        >>> [stratum.high for stratum in by_height(none, task)]
        [64.0, 128.0, 256.0, inf]
    """
    return _strata(result, protocol, _heights(protocol.truth_boxes), edges)


def precisions_by_height(
    result: SearchResult, protocol: SearchProtocol, edges: Sequence[float] = HEIGHT_EDGES
) -> np.ndarray:
    """Give each query's average precision on the matches of each height.

    The means over its rows are the mAP of :func:`by_height`, which takes the
    same arguments.

    Convention:
        As for :func:`by_height`: 1/2 below 64 and 1 from 128 to 256 in the example there.

    Returns:
        Shape (len(edges) + 1, Q); NaN where a query has no match in the bin
        or does not count.
    """
    return _precisions(result, protocol, _heights(protocol.truth_boxes), edges)


def precisions_by_height_ratio(
    result: SearchResult, protocol: SearchProtocol, edges: Sequence[float] = RATIO_EDGES
) -> np.ndarray:
    """Give each query's average precision on the matches of each ratio of heights.

    The means over its rows are the mAP of :func:`by_height_ratio`, which takes
    the same arguments.

    Convention:
        As for :func:`by_height_ratio`: a match of 50 pixels for a query of 200
        counts in the last row.

    Returns:
        Shape (len(edges) + 1, Q); NaN as for :func:`precisions_by_height`.
    """
    return _precisions(result, protocol, _ratios(protocol), edges)


def by_height_ratio(
    result: SearchResult, protocol: SearchProtocol, edges: Sequence[float] = RATIO_EDGES
) -> list[Stratum]:
    """Split the figures by the ratio of the heights of query and match.

    A ratio of 4 is a query four times as tall as the match. Arguments are
    those of :func:`by_height`, and so is the counting; ``edges`` are ratios.

    Convention:
        As for :func:`by_height`; a bin begins at its edge (>=). A query of 200 pixels
        and a match of 50 have the ratio 4, the first of the last bin.

    Returns:
        One more than there are edges.
    """
    return _strata(result, protocol, _ratios(protocol), edges)


def _heights(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, 3] - boxes[:, 1]


def _ratios(protocol: SearchProtocol) -> np.ndarray:
    """Divide the query's height by the height of each match."""
    queries = _heights(protocol.query_boxes)
    owners = np.repeat(np.arange(len(protocol)), np.diff(protocol.truth_offsets))
    return queries[owners] / np.maximum(_heights(protocol.truth_boxes), 1e-9)


def _precisions(
    result: SearchResult, protocol: SearchProtocol, values: np.ndarray, edges: Sequence[float]
) -> np.ndarray:
    bins = np.searchsorted(np.asarray(edges), values, side='right')
    rows = [_average_precisions(result, protocol, bins == row) for row in range(len(edges) + 1)]
    return np.stack(rows)


def _strata(
    result: SearchResult, protocol: SearchProtocol, values: np.ndarray, edges: Sequence[float]
) -> list[Stratum]:
    bins = np.searchsorted(np.asarray(edges), values, side='right')
    bounds = [0.0, *edges, np.inf]
    return [
        _stratum(result, protocol, bins == number, low, high)
        for number, (low, high) in enumerate(zip(bounds, bounds[1:]))
    ]


def _stratum(
    result: SearchResult, protocol: SearchProtocol, wanted: np.ndarray, low: float, high: float
) -> Stratum:
    """Evaluate the matches that are wanted, shape (T,), bool."""
    assert result.hits is not None  # evaluate_search keeps them
    hits, count = result.hits, len(protocol)
    kept = wanted[hits.truths]
    truths = protocol.truth_counts(distinct=result.flags.duplicates == 'dedup', wanted=wanted)
    found = np.bincount(hits.queries[kept], weights=hits.weights[kept], minlength=count)
    precisions = _average_precisions(result, protocol, wanted)
    # Right detections of other bins that stand before the best one do not count.
    first = np.zeros(count, dtype=bool)
    places = hits.places - _others_before(hits.queries, hits.places, hits.weights * ~kept)
    first[hits.queries[kept & (places == 1)]] = True
    asked = np.isfinite(precisions)
    queries, matches = int(asked.sum()), int(truths[asked].sum())
    return Stratum(
        low=low,
        high=high,
        queries=queries,
        matches=matches,
        recall=float(found[asked].sum() / matches) if matches else 0.0,
        mAP=float(precisions[asked].mean()) if queries else 0.0,
        top1=float(first[asked].mean()) if queries else 0.0,
    )


def _average_precisions(
    result: SearchResult, protocol: SearchProtocol, wanted: np.ndarray
) -> np.ndarray:
    """Average precision of each query on wanted matches; NaN where it has none, or is left out."""
    assert result.hits is not None
    hits, count = result.hits, len(protocol)
    kept = wanted[hits.truths]
    truths = protocol.truth_counts(distinct=result.flags.duplicates == 'dedup', wanted=wanted)
    searched = np.maximum(hits.at_least - hits.found_at_least(~kept), 1)
    precisions = hits.weights * hits.found_at_least(kept) / searched
    sums = np.bincount(hits.queries[kept], weights=precisions[kept], minlength=count)
    asked = truths > 0
    if result.counted is not None:
        asked &= result.counted
    return np.where(asked, sums / np.maximum(truths, 1), np.nan)


def _others_before(queries: np.ndarray, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum, for each hit, the weights of the same query's hits at earlier places."""
    order = np.lexsort((places, queries))
    running = np.cumsum(weights[order]) - weights[order]
    new_query = np.diff(queries[order], prepend=-1) != 0
    start = np.maximum.accumulate(np.where(new_query, np.arange(len(order)), 0))
    before = np.empty(len(order), dtype=running.dtype)
    before[order] = running - running[start] if len(order) else running
    return before
