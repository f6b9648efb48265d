"""Whether probabilities are what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmclsa.errors import ConfigError

__all__ = ['Reliability', 'measure_reliability']

_TINY = 1e-6


@dataclass(frozen=True, eq=False)
class Reliability:
    """Probabilities beside what came true.

    Attributes:
        predicted: Mean probability in each bin, shape (b,); NaN in an empty one.
        observed: Share that came true, shape (b,); NaN in an empty bin.
        weights: Share of all weight in each bin, shape (b,), sum 1.
        ece: Expected calibration error, in [0, 1]: mean distance of the two.
        brier: Mean squared distance of probability and truth, in [0, 1].
        log_loss: Mean of minus the logarithm of what was given to the truth.
    """

    predicted: np.ndarray
    observed: np.ndarray
    weights: np.ndarray
    ece: float
    brier: float
    log_loss: float


def measure_reliability(
    probabilities: np.ndarray, truth: np.ndarray, num_bins: int = 10
) -> Reliability:
    """Compare probabilities with what came true.

    Convention:
        True and false pairs weigh the same as a whole, as in the prior of
        :func:`~mmclsa.evaluation.functional.fit_calibration`: an honest 0.9
        is right nine times in ten if both kinds are equally many. Bins are
        of equal width; a probability on an edge is in the upper one, 1 in the
        last. For the logarithm probabilities are kept 1e-6 off 0 and 1.

    Args:
        probabilities: Shape (n,), in [0, 1].
        truth: Shape (n,), bool.
        num_bins: Of equal width over [0, 1].

    Returns:
        What was measured.

    Raises:
        ConfigError: If nothing is true, or nothing false.

    Example:
        >>> found = measure_reliability(np.array([0.9, 0.8, 0.1]), np.array([True, False, False]))
        >>> round(found.ece, 3), round(found.brier, 3)
        (0.275, 0.168)
    """
    truth = np.asarray(truth, bool)
    if truth.all() or not truth.any():
        raise ConfigError('reliability needs pairs of one person and pairs of two')
    weights = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum())
    values = np.asarray(probabilities, np.float64)
    bins = np.clip((values * num_bins).astype(np.int64), 0, num_bins - 1)
    total = np.bincount(bins, weights, num_bins)
    with np.errstate(invalid='ignore'):
        predicted = np.bincount(bins, weights * values, num_bins) / total
        observed = np.bincount(bins, weights * truth, num_bins) / total
    kept = np.clip(values, _TINY, 1 - _TINY)
    return Reliability(
        predicted,
        observed,
        total,
        float(np.nansum(total * np.abs(predicted - observed))),
        float(weights @ (values - truth) ** 2),
        float(-(weights @ np.log(np.where(truth, kept, 1 - kept)))),
    )
