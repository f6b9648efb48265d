"""Average precision by counting."""

from __future__ import annotations

import numpy as np

__all__ = ['average_precision']


def average_precision(labels: np.ndarray, scores: np.ndarray, num_truths: int) -> float:
    """Average the precision at each right candidate over all truths.

    Convention:
        The sum of the precisions at the hits over all there is to find, not
        interpolated; a truth never found counts as 0. SeqNet's
        ``average_precision_score(...) * recall`` is the same number; the
        original PRW code and COCO interpolate. Right, wrong, right, and two to
        find: (1/1 + 2/3) / 2 = 0.83.

        Of candidates with equal scores none comes first: each counts all of
        them. With scores 0.9, 0.5, 0.5 and the first and one of the others
        right, the precisions are 1/1 and 2/3. scikit-learn, and with it
        SeqNet, does the same.

    Args:
        labels: Shape (N,), True where a candidate is right.
        scores: Shape (N,), any order.
        num_truths: Number of things to find, >= the number of True labels.

    Returns:
        In [0, 1]; 0 if there is nothing to find.

    Example:
        >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.7]), 2)
        0.8333333333333333
        >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.5, 0.5]), 2)
        0.8333333333333333
        >>> average_precision(np.array([False, True]), np.array([0.8, 0.2]), 2)
        0.25
    """
    if num_truths == 0:
        return 0.0
    ascending = np.sort(scores)
    hits = np.sort(np.asarray(scores)[np.asarray(labels, dtype=bool)])
    candidates_above = len(ascending) - np.searchsorted(ascending, hits, side='left')
    hits_above = len(hits) - np.searchsorted(hits, hits, side='left')
    return float((hits_above / candidates_above).sum() / num_truths)
