"""Queries to look at, with what was found for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmclsa.evaluation.functional import (
    SearchFlags,
    SearchResult,
    evaluate_search,
    rank_queries,
    select_queries,
)
from mmclsa.structures import Predictions, Ranking, SearchProtocol

__all__ = ['SearchExamples', 'choose_examples']


@dataclass(frozen=True, eq=False)
class SearchExamples:
    """A task that was searched, and some of its queries.

    Attributes:
        protocol: The task.
        predictions: What was searched.
        result: Figures of all queries.
        rankings: Of the chosen queries.
    """

    protocol: SearchProtocol
    predictions: Predictions
    result: SearchResult
    rankings: list[Ranking]


def choose_examples(
    predictions: Predictions,
    protocol: SearchProtocol,
    flags: SearchFlags | None = None,
    num: int = 12,
    which: str = 'random',
    seed: int = 0,
) -> SearchExamples:
    """Search, and rank some queries' galleries.

    Convention:
        Queries of equal AP keep their order: of APs 0.5, 0.2, 0.2 the two worst are the
        queries 1 and 2, the two best 0 and 1.

    Args:
        predictions: Detections and embeddings.
        protocol: The task.
        flags: Choices that change the figures, and the ranking with them.
        num: How many queries.
        which: ``worst``, ``best``, ``random`` or ``first``; queries with
            nobody to find come last in the first two.
        seed: Of ``random``.

    Raises:
        UserError: If an argument is out of range or a query has no embedding.
    """
    result = evaluate_search(protocol, predictions, flags)
    findable = np.diff(protocol.truth_offsets) > 0
    sortable = np.where(findable, result.average_precisions, np.nan)
    chosen = select_queries(sortable, num, which, seed).tolist()
    rankings = rank_queries(protocol, predictions, chosen, flags)
    return SearchExamples(protocol, predictions, result, rankings)
