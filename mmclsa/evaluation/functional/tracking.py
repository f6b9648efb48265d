"""How well tracks keep identities: IDF1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmclsa.errors import DataError
from mmclsa.evaluation.functional.geometry import pairwise_iou

__all__ = ['IdentityScore', 'idf1']


@dataclass(frozen=True)
class IdentityScore:
    """How many detections are of the right track, each track with its best partner.

    Scores of several videos add up: that of all is ``sum(scores, IdentityScore())``.

    Attributes:
        idtp: Detections whose track is the partner of the true one there.
        idfp: All other detections.
        idfn: Annotated people that are no ``idtp``.
    """

    idtp: int = 0
    idfp: int = 0
    idfn: int = 0

    @property
    def idf1(self) -> float:
        """Harmonic mean of precision and recall, in [0, 1]; NaN if there is nobody."""
        return _ratio(2 * self.idtp, 2 * self.idtp + self.idfp + self.idfn)

    @property
    def idp(self) -> float:
        """Precision: which part of the detections is right; NaN if there are none."""
        return _ratio(self.idtp, self.idtp + self.idfp)

    @property
    def idr(self) -> float:
        """Recall: which part of the annotated people is found; NaN if there are none."""
        return _ratio(self.idtp, self.idtp + self.idfn)

    def __add__(self, other: IdentityScore) -> IdentityScore:
        return IdentityScore(self.idtp + other.idtp, self.idfp + other.idfp, self.idfn + other.idfn)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float('nan')


def idf1(
    true_frames: np.ndarray,
    true_tracks: np.ndarray,
    true_boxes: np.ndarray,
    frames: np.ndarray,
    tracks: np.ndarray,
    boxes: np.ndarray,
    min_iou: float = 0.5,
) -> IdentityScore:
    """Score the tracks of a video against annotated ones.

    Every track is given at most one true track for the whole video, and the
    other way round, so that as many detections as possible are of their true
    track: a person whose track is cut in two keeps the longer part alone, and of
    two who share a track one is lost. From Ristani et al., "Performance Measures
    and a Data Set for Multi-Target, Multi-Camera Tracking", ECCV workshops 2016.

    Convention:
        A detection is where the true box is if their IoU is at least ``min_iou``, as in
        MOTChallenge. The truth-to-result match is one of whole tracks: within a frame
        nothing is assigned, since a track has one box there at most. Who is to be
        ignored must be left out before, by the caller. Boxes x1 y1 x2 y2 as in
        :func:`pairwise_iou`. A person in five frames whose track is cut after three: 3
        right, 2 wrong and 2 missed, 2 x 3 / (2 x 3 + 2 + 2) = 0.6.

    Args:
        true_frames: Frame of each annotated box, in any order, shape (n,).
        true_tracks: Their tracks, any integers, shape (n,).
        true_boxes: Shape (n, 4), x1 y1 x2 y2.
        frames: Frame of each detection, shape (m,).
        tracks: Their tracks, shape (m,).
        boxes: Shape (m, 4).
        min_iou: Above 0, at most 1.

    Returns:
        The score.

    Raises:
        DataError: If a track has two boxes in one frame.

    Example:
        >>> box = np.array([[0.0, 0.0, 10.0, 20.0]] * 5)
        >>> score = idf1(np.arange(5), np.zeros(5), box, np.arange(5), [7, 7, 7, 8, 8], box)
        >>> score, round(score.idf1, 3)
        (IdentityScore(idtp=3, idfp=2, idfn=2), 0.6)
    """
    from scipy.optimize import linear_sum_assignment  # half a second, and few need it

    truth, true_numbers = _numbered(true_frames, true_tracks, 'annotated')
    found, numbers = _numbered(frames, tracks, 'found')
    together = np.zeros((len(truth), len(found)), np.int64)
    true_frames, frames = np.asarray(true_frames), np.asarray(frames)
    for frame in np.intersect1d(true_frames, frames):
        ours, theirs = np.flatnonzero(true_frames == frame), np.flatnonzero(frames == frame)
        overlap = pairwise_iou(np.asarray(true_boxes)[ours], np.asarray(boxes)[theirs])
        i, j = np.nonzero(overlap >= min_iou)
        together[true_numbers[ours[i]], numbers[theirs[j]]] += 1
    idtp = int(together[linear_sum_assignment(together, maximize=True)].sum())
    return IdentityScore(idtp, len(frames) - idtp, len(true_frames) - idtp)


def _numbered(frames: np.ndarray, tracks: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Give the different tracks, and the number of each box's among them."""
    pairs = np.stack([np.asarray(frames), np.asarray(tracks)], axis=1).reshape(-1, 2)
    unique, counts = np.unique(pairs, axis=0, return_counts=True)
    if (counts > 1).any():
        frame, track = unique[counts.argmax()]
        raise DataError(f'the {what} track {track:g} has two boxes in frame {frame:g}')
    different, numbers = np.unique(np.asarray(tracks), return_inverse=True)
    return different, numbers.reshape(-1)
