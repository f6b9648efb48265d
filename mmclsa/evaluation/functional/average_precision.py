"""Average precision by counting."""

from __future__ import annotations

import numpy as np

__all__ = ['average_precision', 'counted_average_precision', 'tied_precisions']


def tied_precisions(scores: np.ndarray, hit_scores: np.ndarray) -> np.ndarray:
    """Compute the precision at each hit; equal scores count as one step.

    Convention:
        Of candidates with equal scores none comes first: each counts all of
        them. With scores 0.9, 0.5, 0.5 and the first and one of the others
        right, the precisions are 1/1 and 2/3. scikit-learn, and with it
        SeqNet, does the same.

    Args:
        scores: Scores of all candidates in ascending order, shape (N,).
        hit_scores: Scores of those that are right, each one of ``scores``,
            shape (H,), any order.

    Returns:
        Shape (H,): for each hit, the share of hits among the candidates that
        score at least as high; in ascending order of score.

    Example:
        >>> tied_precisions(np.array([0.1, 0.5, 0.5, 0.9]), np.array([0.5, 0.9])).tolist()
        [0.6666666666666666, 1.0]
    """
    hits = np.sort(hit_scores)
    candidates_above = len(scores) - np.searchsorted(scores, hits, side='left')
    hits_above = len(hits) - np.searchsorted(hits, hits, side='left')
    return hits_above / candidates_above


def counted_average_precision(scores: np.ndarray, hit_scores: np.ndarray, num_truths: int) -> float:
    """Average the precision over all truths; a truth never found counts as 0.

    Convention:
        The sum of the precisions at the hits over all there is to find, not
        interpolated. SeqNet's ``average_precision_score(...) * recall`` is the
        same number; the original PRW code and COCO interpolate. Found second
        of two, where two were to be found: (1/2) / 2 = 0.25.

    Args:
        scores: Scores of all candidates in ascending order, shape (N,).
        hit_scores: Scores of those that are right, shape (H,).
        num_truths: Number of things to find, >= H.

    Returns:
        In [0, 1]; 0 if there is nothing to find.

    Example:
        >>> counted_average_precision(np.array([0.2, 0.8]), np.array([0.2]), 2)
        0.25
    """
    if num_truths == 0:
        return 0.0
    return float(tied_precisions(scores, hit_scores).sum() / num_truths)


def average_precision(labels: np.ndarray, scores: np.ndarray, num_truths: int) -> float:
    """Compute the average precision of labelled candidates.

    Convention:
        As :func:`counted_average_precision`. Right, wrong, right, and two to
        find: (1/1 + 2/3) / 2 = 0.83.

    Args:
        labels: Shape (N,), True where a candidate is right.
        scores: Shape (N,), any order.
        num_truths: Number of things to find, >= the number of True labels.

    Returns:
        In [0, 1].

    Example:
        >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.7]), 2)
        0.8333333333333333
    """
    labels = np.asarray(labels, dtype=bool)
    return counted_average_precision(np.sort(scores), np.asarray(scores)[labels], num_truths)
