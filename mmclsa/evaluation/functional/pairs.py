"""Pairs of looks that footage itself knows to be of one person, or of two."""

from __future__ import annotations

import numpy as np

from mmclsa.evaluation.functional.gallery import normalised
from mmclsa.evaluation.functional.geometry import aligned_iou
from mmclsa.structures import PAIR_BINS, PairCounts

__all__ = ['SAME_PERSON_IOU', 'count_pairs']

#: Two boxes of one frame that overlap more may be two finds of one person. The limit is ours.
SAME_PERSON_IOU = 0.6


def count_pairs(
    frames: np.ndarray,
    track_ids: np.ndarray,
    embeddings: np.ndarray,
    times: np.ndarray,
    *,
    boxes: np.ndarray | None = None,
    fused: bool = True,
    min_gap: float = 1.0,
    gap_share: float = 1 / 3,
    per_track: int = 16,
    per_frame: int = 8,
) -> PairCounts:
    """Count how similar looks of one person are, and those of two.

    Convention:
        Two looks at one track are of one person, and count if ``gap_share`` of
        the track's duration lies between them, and ``min_gap`` seconds at
        least: neighbouring frames are nearly the same picture. (On PETS a third
        was as honest as the best fixed time, 8 to 16 s, which short tracks do
        not have: docs/probability.md.) Two looks at one frame are of two people;
        not so if their boxes have an IoU above 0.6, as a detector may find one
        person twice: these count as neither. With ``fused`` the second look is
        what an index of sightings holds, the mean of a track: of its
        detections that are so far away, or of the whole other track.
        Of a track at most ``per_track`` looks ask, evenly spread, and each
        asks at most ``per_frame`` others of its frame, evenly spread in the
        order of their tracks; nothing is drawn by chance.

    Args:
        frames: Frame of each detection, shape (n,), integer.
        track_ids: Track of each, shape (n,), integer; those below 0 are left out.
        embeddings: Shape (n, D), unit vectors.
        times: Seconds, shape (n,). One that is NaN is far from no other.
        boxes: Shape (n, 4), x1 y1 x2 y2; None: no two are of one person.
        fused: Compare with means of tracks; False: with single detections.
        min_gap: Least seconds between two looks at one person.
        gap_share: Least share of their track's duration between them, in [0, 1].
        per_track: Looks at a track that ask.
        per_frame: Others that a look is compared with.

    Returns:
        The counts; none where there are no tracks.

    Example:
        >>> frames, tracks = np.array([0, 0, 50, 50]), np.array([0, 1, 0, 1])
        >>> counts = count_pairs(frames, tracks, np.eye(2)[tracks], frames / 25)
        >>> int(counts.same.sum()), int(counts.different.sum())
        (4, 4)
        >>> int(counts.same.argmax()), int(counts.different.argmax())
        (399, 200)
    """
    known = np.flatnonzero(np.asarray(track_ids) >= 0)
    known = known[np.lexsort((frames[known], track_ids[known]))]
    if not len(known):
        return PairCounts()
    frames, times = frames[known], times[known]
    looks = normalised(embeddings[known].astype(np.float32))
    starts = np.unique(track_ids[known], return_index=True)[1]
    lengths = np.diff([*starts, len(known)])
    tracks = np.repeat(np.arange(len(starts)), lengths)
    asking = np.concatenate([s + _spread(n, per_track) for s, n in zip(starts, lengths)])
    same = []
    for rows in np.split(np.arange(len(known)), starts[1:]):
        # NaN where a time is: fmax passes over it.
        gap = float(np.fmax(min_gap, gap_share * np.ptp(times[rows])))
        chosen = _spread(len(rows), per_track)
        same.append(_same(looks[rows], times[rows], chosen, gap, fused))
    places = None if boxes is None else np.asarray(boxes)[known]
    asks, others = _in_one_frame(frames, tracks, asking, per_frame, places)
    second = normalised(np.add.reduceat(looks, starts))[tracks[others]] if fused else looks[others]
    different = np.einsum('nd,nd->n', looks[asks], second)
    num_tracks = sum(len(of_track) > 0 for of_track in same)
    return PairCounts(_histogram(np.concatenate(same)), _histogram(different), num_tracks)


def _spread(count: int, most: int) -> np.ndarray:
    """Choose up to so many of 0..count-1, evenly spread, the ends among them.

    Example:
        >>> _spread(7, 3).tolist(), _spread(2, 3).tolist()
        ([0, 3, 6], [0, 1])
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def _same(
    looks: np.ndarray, times: np.ndarray, asking: np.ndarray, gap: float, fused: bool
) -> np.ndarray:
    """Compare looks at one track that are far apart."""
    if not fused:
        looks, times = looks[asking], times[asking]
        far = np.triu(np.abs(times[:, None] - times) >= gap)
        return (looks @ looks.T)[far]
    far = np.abs(times[asking, None] - times) >= gap
    means = normalised(far.astype(np.float32) @ looks)
    return np.einsum('nd,nd->n', looks[asking], means)[far.any(axis=1)]


def _in_one_frame(
    frames: np.ndarray,
    tracks: np.ndarray,
    asking: np.ndarray,
    per_frame: int,
    boxes: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pair each asking row with rows of other tracks in its frame."""
    order = np.lexsort((tracks, frames))
    asks, others = [], []
    lows = np.searchsorted(frames[order], frames[asking], 'left')
    highs = np.searchsorted(frames[order], frames[asking], 'right')
    for row, low, high in zip(asking, lows, highs):
        beside = order[low:high]
        beside = beside[tracks[beside] != tracks[row]]
        if boxes is not None and len(beside):
            beside = beside[aligned_iou(boxes[row], boxes[beside]) <= SAME_PERSON_IOU]
        beside = beside[_spread(len(beside), per_frame)]
        asks.append(np.full(len(beside), row))
        others.append(beside)
    return np.concatenate(asks), np.concatenate(others)


def _histogram(similarities: np.ndarray) -> np.ndarray:
    """Count similarities in bins; rounding may take them a little beyond 1.

    Example:
        >>> np.flatnonzero(_histogram(np.array([-1.0, 0.0, 1.0]))).tolist()
        [0, 200, 399]
    """
    places = np.floor((similarities.astype(np.float64) + 1) * (PAIR_BINS / 2))
    bins = np.clip(places.astype(np.int64), 0, PAIR_BINS - 1)
    return np.bincount(bins, minlength=PAIR_BINS).astype(np.int64)
