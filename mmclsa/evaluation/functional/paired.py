"""Is one model better than another? Tests on the same queries, over several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

__all__ = ['PairedDifference', 'compare_pairs', 'holm', 'sign_flip_p']


@dataclass(frozen=True)
class PairedDifference:
    """Difference between a setting and its baseline.

    Attributes:
        mean: Mean difference over all tests of a query with a seed; positive
            is better.
        per_seed: Mean difference of each seed, shape (S,); NaN for a seed
            without queries.
        queries: Number of queries that the means are over.
        p_queries: Chance of a mean this far from 0, either way, if the two
            trained models of each seed were equally good on these people:
            :func:`sign_flip_p` over people. New trainings are not asked about.
        p_both: The same chance for other people *and* other trainings:
            Student's t with the standard error of both; 1 for one seed.
        error: That standard error; infinite where there is one seed.
    """

    mean: float
    per_seed: tuple[float, ...]
    queries: int
    p_queries: float
    p_both: float
    error: float


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
    sums = np.abs(_signs(count, flips, seed) @ values)
    return (1 + int((sums >= _at_least(values)).sum())) / (1 + flips)


@lru_cache(maxsize=2)
def _signs(count: int, flips: int, seed: int) -> np.ndarray:
    """Draw patterns of signs, shape (flips, count); a table asks for the same ones many times."""
    patterns = np.random.default_rng(seed).integers(0, 2, (flips, count))
    return 1.0 - 2.0 * patterns


def _at_least(values: np.ndarray) -> float:
    """Give the observed absolute sum, less what rounding may take from an equal one."""
    return float(abs(values.sum()) - 1e-9 * np.abs(values).sum())


def compare_pairs(
    ours: np.ndarray,
    baseline: np.ndarray,
    people: np.ndarray,
    tested: np.ndarray | None = None,
    flips: int = 9999,
) -> PairedDifference:
    """Compare a setting with its baseline, query by query and seed by seed.

    Convention:
        Seeds and queries may be crossed (each seed has all queries) or nested
        (each has queries and people of its own, as where a seed is a fold of
        the data) or anything between: ``tested`` says which seed has which
        query. A query takes part if it is finite wherever it was tested. All
        means are over tested cells, so that a fold of many queries counts for
        many.

        Queries of one person are one observation (their sum), as they share look-alikes
        and matches. The standard error of ``p_both`` adds the variances of random
        effects of seeds and of people (their sum less the part of single pairs of both,
        or either alone if that is more; Cameron, Gelbach and Miller, "Robust Inference
        with Multiway Clustering", 2011). Where nobody is searched with two seeds, the
        variance of seeds has that of people in it, and stands alone. Degrees of freedom
        are the smaller number of the two, less one. Three people, each better by 0.1:
        of the 8 patterns of signs 2 have a mean that is as far from 0, so ``p_queries``
        is 0.25.

    Args:
        ours: Average precisions, shape (S, Q): a row a seed.
        baseline: Of the baseline with the same seeds and queries, (S, Q).
        people: Who each query looks for, shape (Q,). Folds that number their
            people separately must use distinct numbers here.
        tested: Whether a seed has a query, shape (S, Q), bool; None for all.
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
    tested = np.ones(ours.shape, bool) if tested is None else np.asarray(tested, bool)
    shapes = {ours.shape, baseline.shape, tested.shape}
    if len(shapes) > 1 or ours.shape[1:] != np.shape(people):
        raise ValueError(
            f'ours {ours.shape}, baseline {baseline.shape}, tested {tested.shape} and people '
            f'{np.shape(people)} must be (S, Q), (S, Q), (S, Q) and (Q,)'
        )
    differences = ours - baseline
    kept = (np.isfinite(differences) | ~tested).all(0) & tested.any(0)
    tested, differences = tested[:, kept], np.where(tested, differences, 0.0)[:, kept]
    counts, cells = tested.sum(1), int(tested.sum())
    if cells == 0:
        return PairedDifference(0.0, (np.nan,) * len(ours), 0, 1.0, 1.0, np.inf)
    sums = differences.sum(1)
    per_seed = np.divide(sums, counts, out=np.full(len(ours), np.nan), where=counts > 0)
    _, owner = np.unique(np.asarray(people)[kept], return_inverse=True)
    shares, weights = _by_person(differences, owner) / cells, _by_person(tested, owner) / cells
    mean, p_both, error = _t_of_both(shares[counts > 0], weights[counts > 0])
    return PairedDifference(
        mean=mean,
        per_seed=tuple(per_seed.tolist()),
        queries=int(kept.sum()),
        p_queries=sign_flip_p(shares.sum(0), flips),
        p_both=p_both,
        error=error,
    )


def _by_person(values: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Sum the queries (S, Q) of each person: (S, P)."""
    return np.stack([np.bincount(owner, weights=row) for row in values])


def _t_of_both(shares: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    """Test a sum of shares (S, P) whose expected parts are ``weights`` (S, P) of it.

    Returns:
        The sum, p and the standard error.
    """
    from scipy.special import stdtr

    seeds, people = shares.shape
    mean = float(shares.sum())
    if min(seeds, people) < 2:
        return mean, 1.0, np.inf
    residuals = shares - weights * mean
    of_seeds = (residuals.sum(1) ** 2).sum() * seeds / (seeds - 1)
    of_people = (residuals.sum(0) ** 2).sum() * people / (people - 1)
    variance = max(of_seeds + of_people - (residuals**2).sum(), of_seeds, of_people)
    if ((weights > 0).sum(0) == 1).all():
        variance = of_seeds
    if variance <= 0:
        return mean, 1.0 if mean == 0 else 0.0, 0.0
    error = float(np.sqrt(variance))
    return mean, float(2 * stdtr(min(seeds, people) - 1, -abs(mean) / error)), error


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Correct p values for their number (Holm, 1979).

    Convention:
        The smallest of n is multiplied by n, the next by n - 1, and so on; none becomes
        smaller than the one before it. Of 0.01, 0.03, 0.04: 0.03, 0.06, and 0.06 in
        place of 0.04.

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
