"""What a unit of work gave: rows of the index, with what is kept of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmclsa.gallery.building.units import Unit
from mmclsa.structures import PairCounts, Stay, TrackFrames

__all__ = ['UnitResult']


@dataclass(frozen=True, eq=False)
class UnitResult:
    """All that a unit gave.

    Attributes:
        unit: The unit.
        num_pictures: Pictures that went through the network.
        problem: What could not be read; empty if all could.
        frames: Frame of each row, of a sighting that of its best detection,
            shape (n,), int64.
        times: Time of that frame, shape (n,), float64, NaN = unknown.
        boxes: Shape (n, 4), float32, x1 y1 x2 y2 in pixels.
        scores: Shape (n,), float32.
        embeddings: Shape (n, D), float32; (0, 0) where nobody is.
        track_ids: Shape (n,), int64, from 0 within the unit; -1 in pictures.
        camera: Name of the camera; empty if unknown.
        clock: Where the times are from, one of
            :data:`~mmclsa.gallery.building.reading.CLOCKS`; empty if the command
            says them, or nothing does.
        crops: A JPEG of each row, ``b''`` where there is none; empty if there
            are none at all.
        behind: The detections behind each row, None of one that is a detection;
            empty if all are.
        pairs: What the unit tells about similarities; None of pictures.
    """

    unit: Unit
    num_pictures: int
    problem: str
    frames: np.ndarray
    times: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    track_ids: np.ndarray
    camera: str = ''
    clock: str = ''
    crops: Sequence[bytes] = ()
    behind: Sequence[TrackFrames | None] = ()
    pairs: PairCounts | None = None

    @property
    def done(self) -> bool:
        """Whether the unit need not be tried again: it was read, in part at least."""
        return self.num_pictures > 0 or not self.problem

    @property
    def num_detections(self) -> int:
        """How many detections there are behind the rows."""
        if not self.behind:
            return len(self.scores)
        return sum(1 if track is None else len(track.frames) for track in self.behind)

    def stay(self, row: int) -> Stay | None:
        """Say from when to when a row's person was seen; None of one moment alone."""
        track = self.behind[row] if self.behind else None
        if track is None:
            return None
        return Stay(
            int(track.frames[0]),
            int(track.frames[-1]),
            float(track.times[0]),
            float(track.times[-1]),
            len(track.frames),
        )
