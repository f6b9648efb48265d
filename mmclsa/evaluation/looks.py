"""Annotated looks at people, and what they say of probabilities and of absent people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmclsa.evaluation.functional.feedback import refine_query
from mmclsa.evaluation.functional.gallery import normalised
from mmclsa.evaluation.functional.people_groups import seen_together

__all__ = ['LookPairs', 'Looks', 'compare_looks', 'feedback_precision', 'open_set_scores']


@dataclass(frozen=True, eq=False)
class Looks:
    """Detections of known people.

    Attributes:
        frames: Shape (n,), int64.
        times: Seconds, shape (n,).
        people: Who each is, shape (n,), int64.
        tracks: Shape (n,), int64; a track is of one person.
        embeddings: Shape (n, D), unit vectors.
    """

    frames: np.ndarray
    times: np.ndarray
    people: np.ndarray
    tracks: np.ndarray
    embeddings: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Looks:
        return Looks(*(values[rows] for values in vars(self).values()))

    def sightings(self) -> Looks:
        """Give one look a track, in the order of tracks: the mean of its embeddings."""
        tracks, firsts = np.unique(self.tracks, return_index=True)
        means = [self.embeddings[self.tracks == track].mean(axis=0) for track in tracks]
        fused = normalised(np.array(means)).astype(np.float32)
        return Looks(self.frames[firsts], self.times[firsts], self.people[firsts], tracks, fused)

    def apart(self) -> np.ndarray:
        """Tell which of the sightings are in one frame, shape (T, T), bool."""
        return seen_together([self.frames[self.tracks == t] for t in np.unique(self.tracks)])


@dataclass(frozen=True, eq=False)
class LookPairs:
    """Looks beside the sightings that each is searched in.

    Attributes:
        similarities: Shape (n, T).
        searched: Which of the sightings a look is searched in, shape (n, T), bool.
        same: Which are of its person, shape (n, T), bool.
    """

    similarities: np.ndarray
    searched: np.ndarray
    same: np.ndarray


def compare_looks(looks: Looks, min_gap: float = 1.0) -> LookPairs:
    """Compare every look with every sighting.

    Convention:
        Where people come back, a look is searched in all tracks but its own. Where
        nobody does, its own track stands for the return: the mean of what lies a third
        of the track's duration and ``min_gap`` seconds away, which is easier. In a
        track of 30 seconds that is what lies 10 seconds or more away.

    Args:
        looks: Of one footage.
        min_gap: Seconds.

    Returns:
        The pairs; nobody is searched in a track of which nothing is far away.
    """
    sightings = looks.sightings()
    own = looks.tracks[:, None] == sightings.tracks
    same = looks.people[:, None] == sightings.people
    similarities = looks.embeddings @ sightings.embeddings.T
    if len(set(sightings.people.tolist())) < len(sightings.tracks):
        return LookPairs(similarities, ~own, same)
    searched = ~own
    for row, column in zip(*np.nonzero(own)):
        track = np.flatnonzero(looks.tracks == sightings.tracks[column])
        gap = max(min_gap, np.ptp(looks.times[track]) / 3)
        far = track[np.abs(looks.times[track] - looks.times[row]) >= gap]
        searched[row, column] = len(far) > 0
        if len(far):
            mean = normalised(looks.embeddings[far].mean(axis=0))
            similarities[row, column] = looks.embeddings[row] @ mean
    return LookPairs(similarities, searched, same)


def open_set_scores(
    pairs: LookPairs, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make queries of looks, with their person in the gallery and without.

    Convention:
        A search finds somebody where the best score is above a threshold. The right
        person at 0.7, others at 0.8 and 0.6: 0.7 and 0.8 with the person, 0.8 without.

    Args:
        pairs: Looks and sightings.
        scores: Of each pair, the higher the more alike, shape (n, T).

    Returns:
        For the looks whose person is searched, the best score of him and of
        the others, shape (m,) each; and for every look the best score in a
        gallery from which its person was taken away, shape (n,). These are
        the arguments of :func:`~mmclsa.evaluation.functional.open_set_points`.
    """
    right = np.where(pairs.searched & pairs.same, scores, -np.inf).max(axis=1)
    wrong = np.where(pairs.searched & ~pairs.same, scores, -np.inf).max(axis=1)
    there = np.isfinite(right)
    return right[there], wrong[there], wrong


def feedback_precision(looks: Looks, num_seen: int, weight: float | None) -> float:
    """Measure what confirming and rejecting the first hits is worth.

    Every look is a query among all other tracks' looks (where nobody comes
    back: among looks at least a second away). Its first hits are confirmed or
    rejected by the truth; what counts is the mean average precision in the
    rest.

    Convention:
        Hits that were looked at are not counted, right or wrong. Equally similar ones
        keep their order. With three looked at, a right hit at place 4 is the first that
        counts: a precision of 1.

    Args:
        looks: Of one footage.
        num_seen: Hits that are confirmed or rejected.
        weight: See :func:`~mmclsa.evaluation.functional.refine_query`; None:
            the query stays as it is.

    Returns:
        In [0, 1].
    """
    come_back = len(set(looks.people.tolist())) < len(set(looks.tracks.tolist()))
    precisions = []
    for query in range(len(looks.frames)):
        if come_back:
            others = np.flatnonzero(looks.tracks != looks.tracks[query])
        else:
            others = np.flatnonzero(np.abs(looks.times - looks.times[query]) >= 1)
        feature = looks.embeddings[query]
        ranked = others[np.argsort(-looks.embeddings[others] @ feature, kind='stable')]
        seen, rest = ranked[:num_seen], ranked[num_seen:]
        right = looks.people[seen] == looks.people[query]
        if weight is not None:
            feature = refine_query(
                feature, looks.embeddings[seen[right]], looks.embeddings[seen[~right]], weight
            )
        ranked = rest[np.argsort(-looks.embeddings[rest] @ feature, kind='stable')]
        hits = looks.people[ranked] == looks.people[query]
        if hits.any():
            shares = np.cumsum(hits) / np.arange(1, len(hits) + 1)
            precisions.append(float(shares[hits].mean()))
    return float(np.mean(precisions)) if precisions else 0.0
