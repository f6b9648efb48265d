"""How much the levels of a pyramid agree, and what each adds to the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    'LevelGain',
    'js_divergences',
    'kl_divergences',
    'level_gain',
    'rank_correlations',
    'top_overlaps',
]


@dataclass(frozen=True)
class LevelGain:
    """The gain of the concatenation of the levels over each of them.

    Attributes:
        levels: mAP of each level alone, from low to high.
        concatenation: mAP of all levels together.
        gain: ``concatenation`` less the best of ``levels``.
        top1: Share of queries whose most similar detection is right, under
            each level alone.
        concatenation_top1: The same share under all levels together.
        oracle_top1: Share of queries for which at least one level is right.
        oracle: mAP if each query were searched by the level that is best for
            it.
    """

    levels: tuple[float, ...]
    concatenation: float
    gain: float
    top1: tuple[float, ...]
    concatenation_top1: float
    oracle_top1: float
    oracle: float


def kl_divergences(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compute how far each person's prediction is from the one it should follow.

    Convention:
        KL(softmax(source) || softmax(target)) in bits, at temperature 1: the
        alignment loss without its T and its T^2.

    Args:
        source: Logits over identities, shape (N, C).
        target: Logits of the same people, shape (N, C).

    Returns:
        Shape (N,), at least 0.

    Example:
        >>> kl_divergences(np.array([[50.0, 0.0]]), np.zeros((1, 2))).round(6).tolist()
        [1.0]
    """
    log_p, log_q = (_log_probabilities(logits) for logits in (source, target))
    return np.maximum((np.exp(log_p) * (log_p - log_q)).sum(1), 0) / np.log(2)


def js_divergences(logits_a: np.ndarray, logits_b: np.ndarray) -> np.ndarray:
    """Compute how far two predictions of each person are from each other.

    Convention:
        Jensen-Shannon divergence in bits (Lin, "Divergence Measures Based on
        the Shannon Entropy", 1991): the mean of KL(p || m) and KL(q || m) with
        m the mean of p and q, at temperature 1. It is symmetric; 0 for equal
        predictions, 1 for two that have no identity in common.

    Args:
        logits_a: Logits over identities, shape (N, C).
        logits_b: Logits of the same people, shape (N, C).

    Returns:
        Shape (N,), in [0, 1].

    Example:
        >>> js_divergences(np.array([[900.0, 0.0]]), np.array([[0.0, 900.0]])).tolist()
        [1.0]
    """
    from scipy.special import rel_entr

    p, q = (np.exp(_log_probabilities(logits)) for logits in (logits_a, logits_b))
    middle = (p + q) / 2
    both = rel_entr(p, middle).sum(1) + rel_entr(q, middle).sum(1)
    return np.clip(both / (2 * np.log(2)), 0, 1)


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    from scipy.special import log_softmax

    return log_softmax(np.asarray(logits, np.float64), axis=1)


def rank_correlations(similarities: np.ndarray) -> np.ndarray:
    """Compare the order into which each level puts the gallery of a query.

    Convention:
        Spearman's rank correlation over the whole gallery; equally similar detections
        share the mean of their ranks. NaN beside a level that finds all detections
        equally similar, and where there are fewer than two. Similarities of 0.9, 0.5,
        0.5 have the ranks 3, 1.5, 1.5.

    Args:
        similarities: Of the query with its gallery, under each level, shape
            (levels, N).

    Returns:
        Shape (levels, levels), symmetric, in [-1, 1].

    Example:
        >>> rank_correlations(np.array([[0.9, 0.5, 0.1], [0.3, 0.7, 0.2]])).tolist()
        [[1.0, 0.5], [0.5, 1.0]]
    """
    from scipy.stats import rankdata  # half a second, and few need it

    values = np.asarray(similarities)
    levels, count = values.shape
    if count < 2:
        return np.full((levels, levels), np.nan)
    ranks = rankdata(values, axis=1) - (count + 1) / 2
    products = ranks @ ranks.T
    squares = np.diag(products)
    lengths = np.sqrt(np.outer(squares, squares))
    return np.clip(products / np.where(lengths > 0, lengths, np.nan), -1, 1)


def top_overlaps(similarities: np.ndarray, k: int = 10) -> np.ndarray:
    """Count how many of a query's best detections the levels share.

    Convention:
        Of equally similar detections the first are taken. In a gallery of fewer than k
        detections all of them are. Detections 0 and 1 are the best two of one level, 2
        and 1 of the other: 0.5 for k = 2.

    Args:
        similarities: As for :func:`rank_correlations`.
        k: How many are the best, at least 1.

    Returns:
        Share of the k that two levels have in common, shape (levels, levels);
        NaN in an empty gallery. With k = 1 it tells whether the nearest
        neighbour is the same.

    Example:
        >>> top_overlaps(np.array([[0.9, 0.5, 0.1], [0.3, 0.7, 0.8]]), k=2)[0].tolist()
        [1.0, 0.5]
    """
    values = np.asarray(similarities)
    levels, count = values.shape
    k = min(k, count)
    if k == 0:
        return np.full((levels, levels), np.nan)
    best = np.zeros((levels, count))
    np.put_along_axis(best, np.argsort(-values, axis=1, kind='stable')[:, :k], 1, axis=1)
    return best @ best.T / k


def level_gain(
    precisions: np.ndarray,
    ranks: np.ndarray,
    concatenation: np.ndarray,
    concatenation_ranks: Sequence[int] | np.ndarray,
) -> LevelGain:
    """Compare the concatenation of the levels with each of them.

    Convention:
        The best level is chosen on the same queries, in hindsight; so the gain is
        rather too small than too large. Levels with an mAP of 0.7 and 0.4, together
        0.8: a gain of 0.1.

    Args:
        precisions: Average precision of each query under each level, shape
            (levels, Q), in [0, 1].
        ranks: Place of each query's first right detection, shape
            (levels, Q), from 1; 0 if there is none.
        concatenation: Average precision under all levels together, (Q,).
        concatenation_ranks: Ranks under all levels together, (Q,).

    Returns:
        Means over the queries; all 0 without queries.

    Example:
        >>> found = level_gain(np.array([[1.0, 0.2], [0.4, 0.6]]), np.array([[1, 5], [2, 1]]),
        ...                    np.array([0.9, 0.7]), [1, 2])
        >>> found.oracle_top1, found.oracle, round(found.gain, 3)
        (1.0, 0.8, 0.2)
    """
    precisions, right = np.asarray(precisions, np.float64), np.asarray(ranks) == 1
    concatenation = np.asarray(concatenation, np.float64)
    levels, count = precisions.shape
    if count == 0:
        none = (0.0,) * levels
        return LevelGain(none, 0.0, 0.0, none, 0.0, 0.0, 0.0)
    means = precisions.mean(1)
    return LevelGain(
        levels=tuple(means.tolist()),
        concatenation=float(concatenation.mean()),
        gain=float(concatenation.mean() - means.max()),
        top1=tuple(right.mean(1).tolist()),
        concatenation_top1=float((np.asarray(concatenation_ranks) == 1).mean()),
        oracle_top1=float(right.any(0).mean()),
        oracle=float(precisions.max(0).mean()),
    )
