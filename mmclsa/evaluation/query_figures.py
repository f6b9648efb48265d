"""The figures of single queries in a file, for tests over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmclsa.errors import DataError
from mmclsa.evaluation.functional import (
    HEIGHT_EDGES,
    RATIO_EDGES,
    SearchResult,
    precisions_by_height,
    precisions_by_height_ratio,
)
from mmclsa.structures import SearchProtocol
from mmclsa.utils.arrays import load_arrays
from mmclsa.utils.io import atomic_write

__all__ = ['QueryFigures', 'load_query_figures', 'query_figures', 'save_query_figures']


@dataclass(frozen=True, eq=False)
class QueryFigures:
    """Metrics of one model for each query of a protocol.

    Attributes:
        query_ids: Shape (Q,), int64.
        person_ids: Who was looked for, shape (Q,), int64.
        average_precisions: Shape (Q,), in [0, 1]; NaN for a query that does
            not count.
        ranks: Place of the first right detection, from 1; 0 if there is none.
        by_height: Average precision on the matches of each height, shape
            (bins, Q); NaN where a query has none.
        edges: Heights where the second and later bins begin, pixels.
        by_ratio: Average precision on the matches of each ratio, the query's
            height over the match's, shape (ratio bins, Q).
        ratio_edges: Ratios where the second and later bins begin.
    """

    query_ids: np.ndarray
    person_ids: np.ndarray
    average_precisions: np.ndarray
    ranks: np.ndarray
    by_height: np.ndarray
    edges: np.ndarray
    by_ratio: np.ndarray
    ratio_edges: np.ndarray


def query_figures(
    result: SearchResult, protocol: SearchProtocol, edges: Sequence[float] = HEIGHT_EDGES
) -> QueryFigures:
    """Take the figures of single queries out of a result.

    Args:
        result: Of :func:`evaluate_search`, with hits.
        protocol: Its task.
        edges: Where bins of heights begin, in pixels, ascending.

    Returns:
        The figures, in the order of the task's queries.
    """
    precisions = np.asarray(result.average_precisions, np.float64)
    if result.counted is not None:
        precisions = np.where(result.counted, precisions, np.nan)
    return QueryFigures(
        query_ids=np.asarray(protocol.query_ids, np.int64),
        person_ids=np.asarray(protocol.person_ids, np.int64),
        average_precisions=precisions,
        ranks=np.asarray(result.ranks, np.int64),
        by_height=precisions_by_height(result, protocol, edges),
        edges=np.asarray(edges, np.float64),
        by_ratio=precisions_by_height_ratio(result, protocol),
        ratio_edges=np.asarray(RATIO_EDGES, np.float64),
    )


def save_query_figures(path: str | Path, figures: QueryFigures) -> None:
    """Write figures as an ``npz`` file, whole or not at all."""
    # Given a name, NumPy would add .npz to one that does not have it.
    with atomic_write(path) as temporary, temporary.open('wb') as file:
        np.savez_compressed(file, **vars(figures))


def load_query_figures(path: str | Path) -> QueryFigures:
    """Read what :func:`save_query_figures` wrote.

    Raises:
        DataError: If it is no such file.
    """
    arrays = load_arrays(path, 'figures of queries')
    try:
        return QueryFigures(**{name: arrays[name] for name in QueryFigures.__annotations__})
    except KeyError as error:
        raise DataError(f'{path} has no figures of queries ({error})') from None
