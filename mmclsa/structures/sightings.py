"""A person seen for a while, and what footage tells about its own similarities."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

__all__ = ['PAIR_BINS', 'PairCounts', 'Stay', 'TrackFrames']

#: Similarities of pairs are counted in so many bins of equal width over [-1, 1].
PAIR_BINS = 400


@dataclass(frozen=True)
class Stay:
    """From when to when a person was seen without a break.

    Attributes:
        first_frame: Number of the first frame, from 0.
        last_frame: Number of the last one.
        time_from: Time of the first frame, as a record's time; NaN if unknown.
        time_to: Time of the last frame.
        num_frames: In how many of the frames that were looked at.
    """

    first_frame: int
    last_frame: int
    time_from: float
    time_to: float
    num_frames: int


@dataclass(frozen=True, eq=False)
class TrackFrames:
    """The detections behind a sighting, in the order of their frames.

    Attributes:
        frames: Numbers of the frames, ascending, shape (n,), int64.
        times: Their times, shape (n,), float64; NaN if unknown.
        boxes: Shape (n, 4), float32, x1 y1 x2 y2 in pixels of the upright picture.
        scores: Shape (n,), float32.
    """

    frames: np.ndarray
    times: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray


def _no_counts() -> np.ndarray:
    return np.zeros(PAIR_BINS, np.int64)


@dataclass(frozen=True, eq=False)
class PairCounts:
    """How similar pairs are that footage itself knows to be of one person or of two.

    Bin ``i`` counts the pairs with a cosine from ``-1 + i * width`` on, where
    ``width = 2 / PAIR_BINS``; 1 itself is in the last.

    Attributes:
        same: Pairs of one person: of one track, far apart in time. Shape
            (PAIR_BINS,), int64.
        different: Pairs of two people: seen in one frame.
        num_tracks: How many tracks the pairs of one person are of, each unit
            of work for itself; None if that is not known, as of an index of an
            older mmclsa.
    """

    same: np.ndarray = field(default_factory=_no_counts)
    different: np.ndarray = field(default_factory=_no_counts)
    num_tracks: int | None = None

    def __add__(self, other: PairCounts) -> PairCounts:
        parts = [part for part in (self, other) if part.num_tracks is not None or part.same.any()]
        tracks = [part.num_tracks for part in parts]
        known = sum(number for number in tracks if number is not None)
        return PairCounts(
            self.same + other.same,
            self.different + other.different,
            None if None in tracks or not parts else known,
        )
