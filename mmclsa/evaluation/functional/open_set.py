"""Open-set identification: what a search is worth where the person may be absent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmclsa.errors import ConfigError

__all__ = ['OpenSetPoint', 'open_set_points']


@dataclass(frozen=True)
class OpenSetPoint:
    """One threshold, and what comes of it.

    Attributes:
        threshold: A hit counts if its score is above.
        fpir: False-positive identification rate: share of the queries whose
            person is absent that get a hit, in [0, 1].
        tpir: True-positive identification rate: share of the other queries
            whose person is the first hit and above the threshold, in [0, 1].
    """

    threshold: float
    fpir: float
    tpir: float


def open_set_points(
    right: np.ndarray, wrong: np.ndarray, absent: np.ndarray, rates: tuple[float, ...] = (0.01, 0.1)
) -> list[OpenSetPoint]:
    """Find the share of people who are found while few absent ones seem to be.

    The rates of ISO/IEC 19795-1 and of NIST's FRTE 1:N, at rank 1.

    Convention:
        The threshold is the lowest score of a query whose person is absent
        that leaves at most ``rate`` of such queries above it; with 64 of them
        a rate of 1 % means none. A hit counts if its score is above the
        threshold, not at it, and a right person who is no better than the
        best of the others is not the first hit: ties count against the search.

    Args:
        right: Score of the right person's best hit for each query whose
            person is there, shape (n,), n > 0.
        wrong: Best score of another person for the same queries, shape (n,);
            ``-inf`` where there is none.
        absent: Best score of anybody for each query whose person is absent,
            shape (m,), m > 0.
        rates: Highest false-positive identification rates, in [0, 1).

    Returns:
        A point for each rate.

    Raises:
        ConfigError: If there are no queries of either kind.

    Example:
        >>> right, wrong = np.array([0.9, 0.8, 0.6]), np.array([0.5, 0.85, 0.5])
        >>> absent = np.array([0.7, 0.4, 0.3, 0.2])
        >>> [(p.threshold, p.fpir, round(p.tpir, 2)) for p in open_set_points(
        ...     right, wrong, absent, (0.0, 0.25))]
        [(0.7, 0.0, 0.33), (0.4, 0.25, 0.67)]
    """
    if not len(right) or not len(absent):
        raise ConfigError(
            f'there must be queries whose person is there, and some whose person is absent, '
            f'not {len(right)} and {len(absent)}'
        )
    falling = np.sort(np.asarray(absent, np.float64))[::-1]
    first = np.asarray(right) > np.asarray(wrong)
    points = []
    for rate in rates:
        # The least shift mends products such as 0.1 * 30 = 3.0000000000000004.
        allowed = int(np.floor(rate * len(falling) + 1e-9))
        threshold = float(falling[min(allowed, len(falling) - 1)])
        tpir = float(np.mean(first & (np.asarray(right) > threshold)))
        points.append(OpenSetPoint(threshold, float(np.mean(falling > threshold)), tpir))
    return points
