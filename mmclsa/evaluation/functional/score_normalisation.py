"""Similarities of one kind on the scale of another."""

from __future__ import annotations

import numpy as np

from mmclsa.structures import PAIR_BINS

__all__ = ['MIN_COHORT', 'normalise_scores']

#: Fewer pairs do not show how similar others are. The limit is ours.
MIN_COHORT = 10
_QUARTILES = (0.25, 0.5, 0.75)


def normalise_scores(
    similarities: np.ndarray, cohort: np.ndarray, different: np.ndarray
) -> np.ndarray:
    """Put similarities on the scale of counted pairs by how similar others are.

    A mean of many looks is more similar to everybody than a single look is.
    Z-norm of speaker verification (Reynolds, "Comparison of background
    normalization methods for text-independent speaker verification", 1997)
    lays the similarities to others over each other.

    Convention:
        Median and distance of the quartiles stand for mean and deviation, so that up to
        a quarter of the cohort may be of the right person. A cohort whose quartiles
        coincide is only shifted. With quartiles of 0.65, 0.70, 0.75 for the cohort and
        0.15, 0.20, 0.25 for the pairs, 0.8 becomes 0.3.

    Args:
        similarities: Any shape.
        cohort: Similarities of the same kind to people most of whom are
            others, shape (n,), n >= 1.
        different: Counted pairs of two people, shape (PAIR_BINS,), as in
            :class:`~mmclsa.structures.PairCounts`, not all 0.

    Returns:
        Shape of ``similarities``, float64: cosines as such pairs have them.

    Example:
        >>> different = np.zeros(400)
        >>> different[220:260] = 1
        >>> cohort = np.linspace(0.6, 0.8, 50)
        >>> normalise_scores(np.array([0.7, 0.8]), cohort, different).round(3).tolist()
        [0.2, 0.3]
    """
    edges = np.linspace(-1, 1, PAIR_BINS + 1)
    shares = np.concatenate([[0], np.cumsum(different) / np.sum(different)])
    low, middle, high = np.interp(_QUARTILES, shares, edges)
    own_low, own_middle, own_high = np.quantile(np.asarray(cohort, np.float64), _QUARTILES)
    spread = own_high - own_low
    scale = (high - low) / spread if spread > 1e-9 else 1.0
    return middle + (np.asarray(similarities, np.float64) - own_middle) * scale
