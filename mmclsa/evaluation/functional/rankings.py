"""Ranked detections of single queries, and the choice of queries to inspect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmclsa.errors import UserError
from mmclsa.evaluation.functional.candidates import Candidates
from mmclsa.evaluation.functional.flags import SearchFlags
from mmclsa.evaluation.functional.gallery import Gallery
from mmclsa.evaluation.functional.hits import find_hits
from mmclsa.evaluation.functional.search import Asked, search_in_chunks
from mmclsa.structures import Predictions, Ranking, SearchProtocol

__all__ = ['ORDERS', 'rank_queries', 'select_queries']

#: What :func:`select_queries` can look for.
ORDERS = ('worst', 'best', 'random', 'first')


def rank_queries(
    protocol: SearchProtocol,
    predictions: Predictions,
    queries: Sequence[int],
    flags: SearchFlags | None = None,
) -> list[Ranking]:
    """Rank the detections of some queries' galleries.

    Convention:
        The order is the one that :func:`evaluate_search` counts in with these flags,
        whatever they are. Equally similar detections keep the order of the gallery's
        images, then of the image's detections: of similarities 0.8, 0.9, 0.9 the rows
        are 1, 2, 0.

    Args:
        protocol: The task.
        predictions: Detections and embeddings.
        queries: Positions in the protocol, 0..Q-1.
        flags: Choices that change the figures.

    Returns:
        A ranking for each query, in the order asked for; without detections
        for a query that has no feature (``query_feature='matched_det'``).

    Raises:
        UserError: As :func:`evaluate_search`.

    Example:
        >>> from mmclsa.structures import Query
        >>> box = np.array([0.0, 0.0, 20.0, 60.0])
        >>> task = SearchProtocol.build(
        ...     'tiny', ['a', 'b'], [Query('a', box, 0)], [[('b', box)]])
        >>> found = Predictions(
        ...     images=np.array(['b', 'b']), boxes=np.stack([box + 90, box]),
        ...     scores=np.ones(2), embeddings=np.array([[0.8], [0.9]]),
        ...     query_images=np.array(['a']), query_boxes=box[None],
        ...     query_embeddings=np.ones((1, 1)))
        >>> (ranking,) = rank_queries(task, found, [0])
        >>> ranking.rows.tolist(), ranking.right.tolist()
        ([1, 0], [True, False])
    """
    flags = flags or SearchFlags()
    task = protocol.with_camera_rule(flags.camera)
    gallery = Gallery.of(task, predictions, flags)
    found: dict[int, Ranking] = {}
    asked = Asked.of([task], predictions, flags)
    chosen = np.asarray(queries, int)
    chunks = search_in_chunks([task], predictions, asked, gallery, flags, chosen=chosen)
    for _, candidates, values in chunks:
        found.update(_rankings(candidates, values, task, gallery, flags))
    none, truths = np.zeros(0, np.int64), _truth_counts(task, flags)
    return [
        found[query]
        if query in found
        else Ranking(query, none, np.zeros(0), np.zeros(0, bool), int(truths[query]))
        for query in queries
    ]


def _truth_counts(task: SearchProtocol, flags: SearchFlags) -> np.ndarray:
    return task.truth_counts(distinct=flags.duplicates == 'dedup')


def _rankings(
    candidates: Candidates,
    values: np.ndarray,
    task: SearchProtocol,
    gallery: Gallery,
    flags: SearchFlags,
) -> dict[int, Ranking]:
    """Put the pairs of a chunk in order, query by query."""
    hits = find_hits(candidates, values, task, gallery, flags)
    rankings, truths = {}, _truth_counts(task, flags)
    for row, query in enumerate(candidates.queries.tolist()):
        part = candidates.row(row)
        order = np.argsort(-values[part], kind='stable')
        rows = gallery.rows[candidates.members[part][order]]
        # An image that is searched twice has its right detection twice.
        right = np.isin(rows, rows[hits.places[hits.queries == query] - 1])
        rankings[query] = Ranking(query, rows, values[part][order], right, int(truths[query]))
    return rankings


def select_queries(
    precisions: np.ndarray, num: int, which: str = 'random', seed: int = 0
) -> np.ndarray:
    """Choose queries to inspect.

    Args:
        precisions: Average precision of each query, shape (Q,); NaN ones
            come last in ``worst`` and ``best``.
        num: How many, at most.
        which: ``worst``, ``best``, ``random`` or ``first``.
        seed: Of ``random``.

    Returns:
        Positions, at most ``num``.

    Raises:
        UserError: If ``which`` is none of these or ``num`` is below 1.

    Example:
        >>> select_queries(np.array([0.5, 0.1, 0.9]), 2, 'worst').tolist()
        [1, 0]
    """
    if which not in ORDERS:
        raise UserError(f'which must be one of {", ".join(ORDERS)}, but is {which!r}')
    if num < 1:
        raise UserError(f'num must be at least 1, but is {num}')
    if which == 'random':
        return np.random.default_rng(seed).permutation(len(precisions))[:num]
    if which == 'first':
        return np.arange(len(precisions))[:num]
    sign = 1 if which == 'worst' else -1
    return np.argsort(sign * np.asarray(precisions, float), kind='stable')[:num]
