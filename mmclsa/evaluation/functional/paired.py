"""Is one model better than another? Tests on the same queries, over several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = ['PairedDifference', 'compare_pairs', 'holm', 'sign_flip_p']


@dataclass(frozen=True)
class PairedDifference:
    """How far a setting is from its baseline.

    Attributes:
        mean: Mean difference over queries and seeds; positive is better.
        per_seed: Mean difference of each seed, shape (S,).
        queries: Number of queries that the means are over.
        p_queries: Chance of a mean this far from 0, either way, if the two
            trained models of each seed were equally good on these people:
            :func:`sign_flip_p` over people. New trainings are not asked about.
        p_both: Likewise for other people *and* other trainings: Student's t
            with the standard error of both; 1 where there is one seed.
    """

    mean: float
    per_seed: tuple[float, ...]
    queries: int
    p_queries: float
    p_both: float


def sign_flip_p(values: np.ndarray, flips: int = 9999, seed: int = 0) -> float:
    """Test whether values are centred at 0, by flipping their signs at random.

    Convention:
        Two-sided, on the absolute mean. ``p = (1 + as far) / (1 + flips)``
        counts the observed signs as one of the flips (Phipson and Smyth,
        "Permutation P-values Should Never Be Zero", 2010). With fewer than
        2^n <= flips + 1 values all 2^n sign patterns are tried once each and
        p is exact.

    Args:
        values: Independent differences, shape (n,).
        flips: Random patterns.
        seed: Of the patterns.

    Returns:
        p, in (0, 1]; 1 without values.

    Example:
        >>> sign_flip_p(np.array([1.0, 2.0, 3.0]))
        0.25
    """
    values = np.asarray(values, np.float64)
    count = len(values)
    if count == 0:
        return 1.0
    if 2**count <= flips + 1:
        patterns = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
        sums = np.abs((1 - 2 * patterns) @ values)
        return float((sums >= _at_least(values)).mean())
    rng = np.random.default_rng(seed)
    as_far = 0
    for start in range(0, flips, 1000):
        patterns = rng.integers(0, 2, (min(1000, flips - start), count))
        as_far += int((np.abs((1 - 2 * patterns) @ values) >= _at_least(values)).sum())
    return (1 + as_far) / (1 + flips)


def _at_least(values: np.ndarray) -> float:
    """Give the observed absolute sum, less what rounding may take from an equal one."""
    return float(abs(values.sum()) - 1e-9 * np.abs(values).sum())


def compare_pairs(
    ours: np.ndarray, baseline: np.ndarray, people: np.ndarray, flips: int = 9999
) -> PairedDifference:
    """Compare a setting with its baseline, query by query and seed by seed.

    Convention:
        A query takes part if it is finite everywhere. Queries of one person
        are one observation (their mean, weighted by their number), as they
        share look-alikes and matches. The standard error of ``p_both`` adds
        the variances of crossed random effects, people and seeds (the more of
        the sum less the part counted twice, and either alone; Cameron,
        Gelbach and Miller, "Robust Inference with Multiway Clustering",
        2011); its degrees of freedom are the smaller number less one.

    Args:
        ours: Average precisions, shape (S, Q): a row a seed.
        baseline: Of the baseline with the same seeds and queries, (S, Q).
        people: Who each query looks for, shape (Q,).
        flips: Of :func:`sign_flip_p`.

    Returns:
        The comparison.

    Raises:
        ValueError: If the shapes do not fit.

    Example:
        >>> base = np.array([[0.2, 0.4, 0.6], [0.1, 0.5, 0.6]])
        >>> found = compare_pairs(base + 0.1, base, np.array([1, 2, 3]))
        >>> round(found.mean, 6), found.queries, found.p_queries
        (0.1, 3, 0.25)
    """
    ours, baseline = np.asarray(ours, np.float64), np.asarray(baseline, np.float64)
    if ours.shape != baseline.shape or ours.shape[1:] != np.shape(people):
        raise ValueError(
            f'ours {ours.shape}, baseline {baseline.shape} and people {np.shape(people)} must be '
            '(S, Q), (S, Q) and (Q,)'
        )
    finite = np.isfinite(ours).all(0) & np.isfinite(baseline).all(0)
    differences = (ours - baseline)[:, finite]
    seeds, queries = differences.shape
    if queries == 0:
        return PairedDifference(0.0, (0.0,) * seeds, 0, 1.0, 1.0)
    _, owner = np.unique(np.asarray(people)[finite], return_inverse=True)
    shares = np.stack([np.bincount(owner, weights=row) / queries for row in differences])
    return PairedDifference(
        mean=float(differences.mean()),
        per_seed=tuple(differences.mean(1).tolist()),
        queries=queries,
        p_queries=sign_flip_p(shares.mean(0), flips),
        p_both=_t_of_both(shares, np.bincount(owner) / queries),
    )


def _t_of_both(shares: np.ndarray, weights: np.ndarray) -> float:
    """Test the sum of shares (S, P) of people, whose expected parts are ``weights`` of it."""
    seeds, people = shares.shape
    if min(seeds, people) < 2:
        return 1.0
    mean = shares.sum() / seeds
    residuals = (shares - weights * mean) / seeds
    of_seeds = (residuals.sum(1) ** 2).sum() * seeds / (seeds - 1)
    of_people = (residuals.sum(0) ** 2).sum() * people / (people - 1)
    variance = max(of_seeds + of_people - (residuals**2).sum(), of_seeds, of_people)
    if variance <= 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stats.t.sf(abs(mean) / np.sqrt(variance), min(seeds, people) - 1))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Correct p values for their number (Holm, 1979).

    Args:
        p_values: Of all comparisons that were made.

    Returns:
        Corrected ones in the same order, at most 1: below alpha where the
        comparison holds with all of them looked at.

    Example:
        >>> holm([0.04, 0.01, 0.03]).tolist()
        [0.06, 0.03, 0.06]
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind='stable')
    steps = values[order] * np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected
