"""A sighting: the detections of one track in one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from mmclsa.structures import PairCounts, TrackFrames

__all__ = ['Detections', 'Rows', 'fuse_embeddings', 'fuse_tracks', 'fuse_weighted']

_CANCELLED = 1e-6  # of the sum of the weights
_NOTHING: dict[str, np.ndarray] = {
    'frames': np.zeros(0, np.int64),
    'times': np.zeros(0, np.float64),
    'boxes': np.zeros((0, 4), np.float32),
    'scores': np.zeros(0, np.float32),
    'embeddings': np.zeros((0, 0), np.float32),
    'tracks': np.zeros(0, np.int64),
    'quality': np.zeros(0, np.float64),
}


@dataclass(frozen=True, eq=False)
class Detections:
    """People in the order of their frames.

    Attributes:
        frames: Shape (n,), int64, ascending.
        times: Shape (n,), float64, NaN = unknown.
        boxes: Shape (n, 4), float32.
        scores: Shape (n,), float32.
        embeddings: Shape (n, D), float32, unit vectors; (0, 0) where nobody is.
        tracks: Shape (n,), int64; -1 in pictures.
        quality: Shape (n,), float64, how much each tells about its person.
    """

    frames: np.ndarray
    times: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    tracks: np.ndarray
    quality: np.ndarray

    @classmethod
    def join(cls, parts: Sequence[Detections]) -> Detections:
        """Put the people of pictures one after the other."""
        seen = [part for part in parts if len(part.frames)]
        if not seen:
            return cls(**_NOTHING)
        names = [item.name for item in fields(cls)]
        return cls(**{name: np.concatenate([getattr(p, name) for p in seen]) for name in names})

    def __getitem__(self, rows: np.ndarray) -> Detections:
        return Detections(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of an index.

    Attributes:
        people: What each row is, of a sighting its best detection with the
            embedding of all.
        crops: A JPEG of each row; empty if none are kept.
        behind: The detections behind each row, None of a single one; empty if
            all rows are detections.
        pairs: What the detections tell about similarities; None of pictures.
    """

    people: Detections
    crops: Sequence[bytes] = ()
    behind: Sequence[TrackFrames | None] = ()
    pairs: PairCounts | None = None


def fuse_weighted(embeddings: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average the embeddings of one person, by weight.

    Args:
        embeddings: Shape (n, D), unit vectors, n > 0.
        weights: Shape (n,), above 0.

    Returns:
        Shape (D,), float32, a unit vector; the one of the greatest weight if
        the others cancel it out.

    Example:
        >>> fuse_weighted(np.eye(2), np.array([3.0, 4.0])).round(3).tolist()
        [0.6000000238418579, 0.800000011920929]
    """
    mean = np.asarray(weights, np.float64) @ np.asarray(embeddings, np.float64)
    length = float(np.linalg.norm(mean))
    if length < _CANCELLED * float(np.sum(weights)):
        return np.asarray(embeddings[int(np.argmax(weights))], np.float32)
    return (mean / length).astype(np.float32)


#: The former name, which is that of a plain mean in :mod:`mmclsa.inference` too.
fuse_embeddings = fuse_weighted


def fuse_tracks(people: Detections, crops: Sequence[bytes] = ()) -> Rows:
    """Make one row of each track, in the order of their numbers.

    Args:
        people: All detections of a unit of a video.
        crops: A JPEG of each track's best detection; empty if none are kept.

    Returns:
        The rows. Frame, time, box and score are those of the best detection.
    """
    order = np.argsort(people.tracks, kind='stable')
    starts = np.unique(people.tracks[order], return_index=True)[1]
    best, vectors, behind = [], [], []
    for rows in np.split(order, starts[1:]) if len(order) else []:
        best.append(int(rows[np.argmax(people.quality[rows])]))
        vectors.append(fuse_weighted(people.embeddings[rows], people.quality[rows]))
        behind.append(_frames_behind(people[rows]) if len(rows) > 1 else None)
    kept = people[np.array(best, np.int64)]
    return Rows(replace(kept, embeddings=np.stack(vectors)) if vectors else kept, crops, behind)


def _frames_behind(track: Detections) -> TrackFrames:
    return TrackFrames(
        track.frames,
        track.times,
        np.asarray(track.boxes, np.float32),
        np.asarray(track.scores, np.float32),
    )
