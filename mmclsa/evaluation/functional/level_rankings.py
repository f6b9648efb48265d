"""The rankings of a protocol's galleries under each level, compared query by query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmclsa.evaluation.functional.candidates import Candidates
from mmclsa.evaluation.functional.flags import SearchFlags
from mmclsa.evaluation.functional.gallery import Gallery, normalised, query_features
from mmclsa.evaluation.functional.levels import rank_correlations, top_overlaps
from mmclsa.evaluation.functional.similarity import Similarities, is_dense, numpy_product
from mmclsa.structures import Predictions, SearchProtocol

__all__ = ['compare_rankings', 'gallery_people', 'split_levels']

CHUNK = 64  # queries


def split_levels(predictions: Predictions, num_levels: int) -> list[Predictions]:
    """Split embeddings that concatenate all levels.

    Args:
        predictions: Embeddings of shape (N, num_levels * D), from low to high.
        num_levels: Number of levels.

    Returns:
        What each level alone would have predicted, with unit vectors, and last
        their concatenation, as ``feature='concat'`` describes people. Of
        detections and queries alone, without context and ground truth.

    Example:
        >>> box = np.zeros((1, 4))
        >>> both = Predictions(np.array(['a']), box, np.ones(1), np.array([[3.0, 4.0, 0.0, 2.0]]),
        ...                    np.array(['a']), box, np.array([[1.0, 0.0, 0.0, 1.0]]))
        >>> low, high, all_levels = split_levels(both, 2)
        >>> low.embeddings.tolist(), high.embeddings.tolist()
        ([[0.6, 0.8]], [[0.0, 1.0]])
        >>> all_levels.embeddings.shape
        (1, 4)
    """
    found, asked = (
        [normalised(part) for part in np.split(rows, num_levels, axis=1)]
        for rows in (predictions.embeddings, predictions.query_embeddings)
    )
    found.append(np.concatenate(found, axis=1) / num_levels**0.5)
    asked.append(np.concatenate(asked, axis=1) / num_levels**0.5)
    return [
        replace(
            predictions,
            embeddings=rows,
            query_embeddings=queries,
            context=None,
            truth_images=None,
            truth_boxes=None,
            truth_embeddings=None,
        )
        for rows, queries in zip(found, asked)
    ]


def gallery_people(
    protocol: SearchProtocol, predictions: Predictions, flags: SearchFlags | None = None
) -> np.ndarray:
    """List the embeddings of all people that a search compares.

    Args:
        protocol: The task.
        predictions: What was found.
        flags: As for :func:`evaluate_search`; the threshold decides.

    Returns:
        As they are: the detections from the threshold on in the task's images,
        sorted by image, then the queries; shape (N + Q, D).

    Example:
        >>> from mmclsa.structures import Query
        >>> box = np.array([0.0, 0.0, 20.0, 60.0])
        >>> task = SearchProtocol.build(
        ...     'tiny', ['a', 'b'], [Query('a', box, 0)], [[('b', box)]])
        >>> found = Predictions(
        ...     images=np.array(['b', 'b']), boxes=np.stack([box, box]),
        ...     scores=np.array([0.9, 0.1]), embeddings=np.array([[5.0], [6.0]]),
        ...     query_images=np.array(['a']), query_boxes=box[None],
        ...     query_embeddings=np.array([[7.0]]))
        >>> gallery_people(task, found).tolist()
        [[5.0], [7.0]]
    """
    flags = replace(flags or SearchFlags(), similarity='dot')
    rows = predictions.query_rows(protocol.query_ids)
    gallery = Gallery.of(protocol, predictions, flags).embeddings
    return np.concatenate([gallery, predictions.query_embeddings[rows]])


def compare_rankings(
    protocol: SearchProtocol,
    levels: Sequence[Predictions],
    flags: SearchFlags | None = None,
    k: int = 10,
) -> dict[str, np.ndarray]:
    """Compare the rankings of each query's gallery under each two levels.

    Convention:
        A gallery is what :func:`evaluate_search` searches: the detections from the
        threshold on of the images that the protocol lists for the query, each image
        once. Similarities are as they are, without CBGM, re-ranking or expansion. Two
        detections in exchanged order: a correlation of -1, an overlap of 1 (of ten,
        both are among the best), and not the same nearest one, 0.

    Args:
        protocol: The task.
        levels: Predictions of each level: the same boxes with other embeddings.
        flags: As for :func:`evaluate_search`.
        k: How many detections are the best.

    Returns:
        ``spearman`` (:func:`rank_correlations`), ``overlap``
        (:func:`top_overlaps`) and ``same_nearest``, the overlap of k = 1, each
        of shape (levels, levels, Q).

    Example:
        >>> from mmclsa.structures import Query
        >>> box = np.array([0.0, 0.0, 20.0, 60.0])
        >>> task = SearchProtocol.build(
        ...     'tiny', ['a', 'b'], [Query('a', box, 0)], [[('b', box)]])
        >>> level = Predictions(
        ...     images=np.array(['b', 'b']), boxes=np.stack([box + 90, box]),
        ...     scores=np.ones(2), embeddings=np.array([[0.9], [0.8]]),
        ...     query_images=np.array(['a']), query_boxes=box[None],
        ...     query_embeddings=np.ones((1, 1)))
        >>> other = replace(level, embeddings=level.embeddings[::-1])
        >>> compare_rankings(task, [level, other])['spearman'][0, 1].tolist()
        [-1.0]
    """
    flags = flags or SearchFlags()
    task = protocol.with_camera_rule(flags.camera)
    rows = levels[0].query_rows(task.query_ids)
    parts = []
    for level in levels:
        gallery = Gallery.of(task, level, flags)
        features = query_features(level, flags)[0][rows]
        parts.append((gallery, features, numpy_product(gallery.embeddings)))
    found: dict[str, list[np.ndarray]] = {'spearman': [], 'overlap': [], 'same_nearest': []}
    for low in range(0, len(task), CHUNK):
        queries = np.arange(low, min(low + CHUNK, len(task)))
        candidates = Candidates.of(task, queries, parts[0][0], repeat=False)
        values = np.stack(
            [
                Similarities(features[queries], gallery, product).of(
                    candidates, np.arange(len(queries)), is_dense(task)
                )
                for gallery, features, product in parts
            ]
        )
        for row in range(len(queries)):
            own = values[:, candidates.row(row)]
            found['spearman'].append(rank_correlations(own))
            found['overlap'].append(top_overlaps(own, k))
            found['same_nearest'].append(top_overlaps(own, 1))
    empty = np.zeros((len(levels), len(levels), 0))
    return {name: np.stack(of, -1) if of else empty for name, of in found.items()}
