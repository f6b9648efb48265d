"""From a similarity to a probability, as footage itself teaches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mmclsa.errors import ConfigError
from mmclsa.structures import PAIR_BINS, PairCounts

__all__ = [
    'METHODS',
    'MIN_PAIRS',
    'MIN_TRACKS',
    'Calibration',
    'describe_lack',
    'fit_calibration',
    'isotonic',
]

Method = Literal['isotonic', 'logistic']
METHODS: tuple[Method, ...] = ('isotonic', 'logistic')
#: Fewer pairs of either kind give no calibration. The limit is ours.
MIN_PAIRS = 50
#: Nor do pairs of one person that are of fewer tracks: their looks are much alike. Ours too.
MIN_TRACKS = 5
_MIDDLES = (np.arange(PAIR_BINS) + 0.5) * (2 / PAIR_BINS) - 1
_STEPS = 50  # of Newton's method; some ten are enough


@dataclass(frozen=True, eq=False)
class Calibration:
    """What a similarity means in one index.

    Attributes:
        similarities: Ascending, shape (n,).
        probabilities: At these, shape (n,), never falling; in between they
            are joined by straight lines, beyond the ends they stay.
        num_same: Pairs of one person that it was learnt from.
        num_different: Pairs of two.
        num_tracks: Tracks that the pairs of one person are of; None if that
            is not known.
    """

    similarities: np.ndarray
    probabilities: np.ndarray
    num_same: int
    num_different: int
    num_tracks: int | None = None

    def probability(self, similarity: np.ndarray | float) -> np.ndarray:
        """Tell how probable it is that two looks are of one person.

        Convention:
            Before a look at the similarity, "the same" and "another" count as
            equally likely (a balanced prior). In a search of thousands most
            hits are others, so of all hits with 0.9 fewer than nine of ten
            are right; two hits with equal probability are equally good.
            It was learnt within cameras, from pairs of one track and of one
            frame: a person whom another camera sees in other light is less
            like himself, and the probability of such a pair means more than
            it seems to for "different" and less for "the same".

        Args:
            similarity: Cosines, any shape.

        Returns:
            Same shape, float64, in [0, 1].
        """
        return np.interp(similarity, self.similarities, self.probabilities)

    def similarity(self, probability: float) -> float:
        """Give the least similarity that has a probability; infinite if none has.

        Args:
            probability: In [0, 1].

        Example:
            >>> calibration = Calibration(np.array([0.0, 1.0]), np.array([0.1, 0.9]), 50, 50)
            >>> round(calibration.similarity(0.5), 3), calibration.similarity(0.95)
            (0.5, inf)
        """
        above = np.flatnonzero(self.probabilities >= probability)
        if not len(above):
            return float('inf')
        last = int(above[0])
        if not last:
            return -float('inf')  # so has every other
        step = slice(last - 1, last + 1)
        return float(np.interp(probability, self.probabilities[step], self.similarities[step]))


def fit_calibration(counts: PairCounts, method: Method = 'isotonic') -> Calibration | None:
    """Learn from counted pairs how probable "the same person" is at a similarity.

    Convention:
        Pairs of one person weigh as much as all of two people: the prior is
        1/2. ``'isotonic'`` fits the best function that never falls (Zadrozny
        and Elkan, KDD 2002), with one pair of each kind added to either end,
        so that nothing is certain; ``'logistic'`` a straight line to the
        log-odds (Platt, 1999, with his targets a little off 0 and 1). On PETS
        and TUD-Campus the former was more honest (docs/probability.md).

    Args:
        counts: Of an index.
        method: What to fit.

    Returns:
        The calibration; None if there are fewer than 50 pairs of either kind,
        or those of one person are known to be of fewer than 5 tracks.

    Raises:
        ConfigError: If there is no such method.

    Example:
        >>> counts = PairCounts()
        >>> counts.same[300:380], counts.different[200:320] = 5, 9
        >>> calibration = fit_calibration(counts, 'logistic')
        >>> calibration.probability(np.array([0.2, 0.55, 0.9])).round(2).tolist()
        [0.0, 0.6, 1.0]
    """
    if method not in METHODS:
        raise ConfigError(f'method must be one of {", ".join(METHODS)}, not {method!r}')
    num_same, num_different = int(counts.same.sum()), int(counts.different.sum())
    if min(num_same, num_different) < MIN_PAIRS:
        return None
    if counts.num_tracks is not None and counts.num_tracks < MIN_TRACKS:
        return None
    fit = _logistic if method == 'logistic' else _isotonic
    curve = fit(counts, num_same, num_different)
    return Calibration(*curve, num_same, num_different, counts.num_tracks)


def describe_lack(counts: PairCounts) -> str:
    """Say what there is, and what would be enough to learn from.

    Example:
        >>> describe_lack(PairCounts())
        '0 pairs of one person and 0 of two, and 50 of each are needed'
    """
    same, different, tracks = counts.same.sum(), counts.different.sum(), counts.num_tracks
    of_tracks = '' if tracks is None else f' from {tracks} tracks'
    more = '' if tracks is None else f', from {MIN_TRACKS} tracks or more'
    return (
        f'{same} pairs of one person{of_tracks} and {different} of two, and {MIN_PAIRS} of each '
        f'are needed{more}'
    )


def _logistic(
    counts: PairCounts, num_same: int, num_different: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a line to the log-odds by Newton's method."""
    same, different = counts.same / num_same, counts.different / num_different
    weights = same + different
    targets = same * (num_same + 1) / (num_same + 2) + different / (num_different + 2)
    inputs = np.stack([_MIDDLES, np.ones(PAIR_BINS)], axis=1)
    line = np.zeros(2)
    for _ in range(_STEPS):
        values = _sigmoid(inputs @ line)
        gradient = inputs.T @ (weights * values - targets)
        hessian = (inputs.T * (weights * values * (1 - values))) @ inputs
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient)
        # Where the curve is flat, Newton's step leads far astray.
        line -= step * min(1, 10 / np.abs(step).max()) if step.any() else 0
        if np.abs(step).max() < 1e-9:
            break
    if line[0] < 0:  # the footage tells nothing
        line[:] = 0
    return _MIDDLES, _sigmoid(inputs @ line)


def _isotonic(
    counts: PairCounts, num_same: int, num_different: int
) -> tuple[np.ndarray, np.ndarray]:
    same, different = counts.same / num_same, counts.different / num_different
    for end in (0, -1):
        same[end] += 1 / num_same
        different[end] += 1 / num_different
    weights = same + different
    used = np.flatnonzero(weights)
    return _MIDDLES[used], isotonic(same[used] / weights[used], weights[used])


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -500, 500)))


def isotonic(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Find the closest sequence that never falls, by pooling neighbours that do.

    Pool adjacent violators (Ayer et al., 1955).

    Convention:
        Neighbours that fall, and equal ones, take their weighted mean: of 1, 3, 2, 4
        with equal weights 1, 2.5, 2.5, 4.

    Args:
        values: Shape (n,).
        weights: Of the squared distances, shape (n,), above 0.

    Returns:
        Shape (n,), float64.

    Example:
        >>> isotonic(np.array([1.0, 3.0, 2.0, 4.0]), np.ones(4)).tolist()
        [1.0, 2.5, 2.5, 4.0]
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for value, weight in zip(values.tolist(), weights.tolist()):
        pool = (value, weight, 1)
        while pools and pools[-1][0] >= pool[0]:
            mean, before, count = pools.pop()
            total = before + pool[1]
            pool = ((mean * before + pool[0] * pool[1]) / total, total, count + pool[2])
        pools.append(pool)
    return np.repeat([pool[0] for pool in pools], [pool[2] for pool in pools])
