"""Linking the detections of a video: one person's appearance is one track.

Settings were chosen by IDF1 with ``tools/analysis_tools/eval_tracks.py``, and
``docs/gallery_figures.md`` has the figures, MMDetection's ByteTracker beside them.
It works in NumPy alone, since galleries are built from ONNX graphs too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmclsa.evaluation.functional.geometry import pairwise_iou
from mmclsa.structures import FoundPeople

__all__ = ['Tracker', 'link_tracks']

_FORBIDDEN = 1e3
_ASSUMED_FPS = 25.0


@dataclass
class _Track:
    """A person who was seen of late.

    Attributes:
        number: Of the track.
        step: When last seen, counted in frames that were looked at.
        time: And in seconds.
        place: Centre x, y, width and height there, shape (4,).
        velocity: Of the centre, pixels a second, shape (2,).
        embedding: Running mean, a unit vector (D,).
        length: Detections so far.
    """

    number: int
    step: int
    time: float
    place: np.ndarray
    velocity: np.ndarray
    embedding: np.ndarray
    length: int = 1


@dataclass
class Tracker:
    """Links people frame by frame, by where they walk and what they look like.

    A track's place is predicted at constant velocity, as ByteTrack (Zhang et al.,
    ECCV 2022) and its forebears do, but in seconds, not in frames, and a detection
    may be as far from it as a person walks in that time: a gallery often looks at a
    few frames a second, where boxes of one person no longer overlap. Among the
    tracks that are within reach, detections are assigned, at most one to each, so
    that the sum of nearness, overlap and similarity is largest (appearance as in
    Deep OC-SORT, Maggiolino et al., ICIP 2023). There is no second round for
    uncertain detections: a build has none below its threshold.

    Attributes:
        min_similarity: A detection is so similar to its track (cosine).
        max_missed: Looked-at frames that a track may be missing in ...
        patience: ... or seconds, whichever is longer; but never more than
            ``max_gap`` seconds go by unseen.
        max_gap: See above.
    """

    min_similarity: float = 0.5
    max_missed: int = 1
    patience: float = 2.0
    max_gap: float = 10.0

    def __post_init__(self) -> None:
        self._alive: list[_Track] = []
        self._count = 0

    def step(self, number: int, time: float, found: FoundPeople) -> np.ndarray:
        """Link the people of the next frame.

        Args:
            number: Of the frame among those that were looked at, ascending.
            time: Of the frame, in seconds, ascending.
            found: Its people.

        Returns:
            Track of each, from 0 in order of appearance, shape (n,), int64.
        """
        self._alive = [track for track in self._alive if self._waits(track, number, time)]
        tracks = np.full(len(found.scores), -1, np.int64)
        places = _places(found.boxes)
        for i, j in self._assign(time, found, places):
            track = self._alive[i]
            _go_on(track, number, time, places[j], found.embeddings[j])
            tracks[j] = track.number
        for j in np.flatnonzero(tracks < 0).tolist():
            new = _Track(self._count, number, time, places[j], np.zeros(2), found.embeddings[j])
            self._alive.append(new)
            tracks[j] = self._count
            self._count += 1
        return tracks

    def _waits(self, track: _Track, number: int, time: float) -> bool:
        gap = time - track.time
        missed = number - track.step - 1
        return gap <= self.max_gap and (gap <= self.patience or missed <= self.max_missed)

    def _assign(self, time: float, found: FoundPeople, places: np.ndarray) -> list[tuple[int, int]]:
        """Choose pairs of a track and a detection."""
        from scipy.optimize import linear_sum_assignment  # half a second, and few need it

        if not self._alive or not len(places):
            return []
        similarity = np.stack([t.embedding for t in self._alive]) @ found.embeddings.T
        nearness, reachable = _motion(self._alive, time, places, found.boxes)
        affinity = nearness + W_APP * similarity
        allowed = reachable & (similarity >= self.min_similarity) & (affinity >= ACCEPT)
        pairs = zip(*linear_sum_assignment(np.where(allowed, -affinity, _FORBIDDEN)))
        return [(int(i), int(j)) for i, j in pairs if allowed[i, j]]


def _motion(
    tracks: list[_Track], time: float, places: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare where tracks are expected with where people are.

    Returns:
        How well each pair fits, in [0, 2], and whether a person can have walked
        there, both of shape (tracks, people).
    """
    gap = np.array([time - track.time for track in tracks])
    last = np.stack([track.place for track in tracks])
    moved = np.stack([t.velocity for t in tracks]) * np.minimum(gap, HORIZON)[:, None]
    centre, size = last[:, :2] + moved, last[:, 2:]
    height = np.sqrt(size[:, 1:] * places[:, 3])
    off = np.linalg.norm(centre[:, None] - places[:, :2], axis=2) / height
    walked = np.linalg.norm(last[:, None, :2] - places[:, :2], axis=2) / height
    grown = np.abs(np.log(size[:, 1:] / places[:, 3]))
    gap = gap[:, None]
    nearness = np.exp(-0.5 * (off / (S0 + S1 * gap)) ** 2 - 0.5 * (grown / (G0 + G1 * gap)) ** 2)
    overlap = pairwise_iou(np.hstack([centre - size / 2, centre + size / 2]), boxes)
    return nearness + W_IOU * overlap, walked <= NEAR + SPEED * gap


def _go_on(
    track: _Track, number: int, time: float, place: np.ndarray, embedding: np.ndarray
) -> None:
    """Note that a track was seen again."""
    gap = max(time - track.time, 1e-3)
    velocity = (place[:2] - track.place[:2]) / gap
    share = 1 - np.exp(-gap / VEL) if track.length > 1 else 1.0
    track.velocity = track.velocity + share * (velocity - track.velocity)
    mean = (1 - APP) * track.embedding + APP * embedding
    length = float(np.linalg.norm(mean))
    track.embedding = mean / length if length > 0 else embedding
    track.step, track.time, track.place = number, time, place
    track.length += 1


def _places(boxes: np.ndarray) -> np.ndarray:
    """Give centre x, y, width and height of boxes, shape (n, 4), float64."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    sizes = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
    return np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, sizes])


W_APP, ACCEPT, HORIZON, S0, S1, G0, G1, W_IOU, NEAR, SPEED, VEL, APP = (
    2.0,
    1.2,
    1.0,
    0.25,
    0.6,
    0.2,
    0.2,
    1.0,
    0.5,
    1.5,
    0.5,
    0.3,
)


def link_tracks(
    frames: np.ndarray,
    boxes: np.ndarray,
    embeddings: np.ndarray,
    min_similarity: float = 0.5,
    max_missed: int = 2,
    times: np.ndarray | None = None,
) -> np.ndarray:
    """Give people of a video the number of their track; see :class:`Tracker`.

    Args:
        frames: Frame of each detection, ascending, shape (n,).
        boxes: Shape (n, 4), x1 y1 x2 y2.
        embeddings: Shape (n, D), unit vectors.
        min_similarity: A detection is so similar to its track (cosine).
        max_missed: Frames that a track may be missing in, by their numbers.
        times: When each was seen, in seconds, shape (n,): a track may then also be
            missing as long as the tracker's patience. None: frames are 1/25 s
            apart, and ``max_missed`` alone counts.

    Returns:
        Track of each detection, from 0 in order of appearance, shape (n,), int64.

    Example:
        >>> left, right = [0.0, 0.0, 10.0, 20.0], [50.0, 0.0, 60.0, 20.0]
        >>> link_tracks(
        ...     np.array([0, 0, 1, 1]), np.array([left, right, right, left]), np.ones((4, 1))
        ... ).tolist()
        [0, 1, 1, 0]
    """
    frames, boxes = np.asarray(frames), np.asarray(boxes, np.float64)
    tracker = Tracker(min_similarity, max_missed, 0.0 if times is None else Tracker.patience)
    seconds = frames / _ASSUMED_FPS if times is None else np.asarray(times)
    tracks = np.full(len(frames), -1, np.int64)
    firsts = np.unique(frames, return_index=True)[1]
    for rows in np.split(np.arange(len(frames)), firsts[1:]) if len(frames) else []:
        found = FoundPeople(boxes[rows], np.ones(len(rows)), embeddings[rows])
        tracks[rows] = tracker.step(int(frames[rows[0]]), float(seconds[rows[0]]), found)
    return tracks
