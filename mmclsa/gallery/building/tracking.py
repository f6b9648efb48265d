"""Linking the detections of a video: one person's appearance is one track.

All settings were chosen together, by IDF1 and by how often a search finds the right
person, with ``tools/analysis_tools/eval_tracks.py``; ``docs/gallery_figures.md`` has the
figures, those of MMDetection's ByteTracker beside them. It works in NumPy and SciPy
alone, since galleries are built from ONNX graphs too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmclsa.gallery.building.quality import visible_parts
from mmclsa.media.video import ASSUMED_FPS
from mmclsa.structures import FoundPeople

__all__ = ['Track', 'Tracker', 'assign', 'link_tracks', 'places_of']

_FORBIDDEN = 1e3

# Places are compared in heights of the person, times in seconds.
_SPREAD, _SPREAD_A_SECOND = 0.5, 0.6  # of a person around the predicted place
_GROWTH, _GROWTH_A_SECOND = 0.2, 0.1  # of the logarithm of the height
_REACH, _REACH_A_SECOND = 0.3, 1.5  # nobody walks further
_PREDICTED = 3.0  # after so long, nobody is expected to have walked on straight
_SMOOTHING = 0.5  # of the velocity
_LEAST_AFFINITY = 1.0  # of nearness (1 = as predicted, just now) and similarity
_RENEWAL = 0.2  # share of a visible person's detection in the appearance of the track


@dataclass
class Track:
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

    def go_on(
        self, step: int, time: float, place: np.ndarray, embedding: np.ndarray, visible: float
    ) -> None:
        """Take the next detection."""
        gap = max(time - self.time, 1e-3)
        velocity = (place[:2] - self.place[:2]) / gap
        share = 1 - np.exp(-gap / _SMOOTHING) if self.length > 1 else 1.0
        self.velocity = self.velocity + share * (velocity - self.velocity)
        # Whoever is hidden behind another looks like that one.
        renewal = _RENEWAL * max(visible, 0.01)
        mean = (1 - renewal) * self.embedding + renewal * embedding
        self.embedding = mean / max(float(np.linalg.norm(mean)), 1e-9)
        self.step, self.time, self.place = step, time, place
        self.length += 1


@dataclass
class Tracker:
    """Links people frame by frame, by where they walk and what they look like.

    A track's place is predicted at constant velocity, as ByteTrack (Zhang et al.,
    ECCV 2022) and its forebears do, but in seconds, not in frames, and a detection
    may be as far from it as a person walks in that time: a gallery often looks at a
    few frames a second, where the boxes of one person no longer overlap. Among the
    tracks within reach, detections are assigned, at most one to each, so that the
    sum of nearness and similarity is largest. The appearance of a track is a running
    mean that takes little of an uncertain look, as in Deep OC-SORT (Maggiolino et
    al., ICIP 2023); uncertain are those who are hidden. There is no second round for
    detections of low score: a build has none below its threshold.

    Attributes:
        min_similarity: A detection is so similar to its track (cosine).
        max_missed: Looked-at frames that a track may be missing in ...
        patience: ... or seconds, whichever is longer ...
        max_gap: ... but never more than these seconds.
    """

    min_similarity: float = 0.4
    max_missed: int = 1
    patience: float = 3.0
    max_gap: float = 10.0

    def __post_init__(self) -> None:
        self._alive: list[Track] = []
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
        places, visible = places_of(found.boxes), visible_parts(found.boxes)
        times = np.full(len(places), time)
        for i, j in assign(self._alive, times, places, found.embeddings, self.min_similarity):
            track = self._alive[i]
            track.go_on(number, time, places[j], found.embeddings[j], float(visible[j]))
            tracks[j] = track.number
        for j in np.flatnonzero(tracks < 0).tolist():
            new = Track(self._count, number, time, places[j], np.zeros(2), found.embeddings[j])
            self._alive.append(new)
            tracks[j] = self._count
            self._count += 1
        return tracks

    def _waits(self, track: Track, number: int, time: float) -> bool:
        gap, missed = time - track.time, number - track.step - 1
        return gap <= self.max_gap and (gap <= self.patience or missed <= self.max_missed)


def assign(
    tracks: Sequence[Track],
    times: np.ndarray,
    places: np.ndarray,
    embeddings: np.ndarray,
    min_similarity: float,
    allowed: np.ndarray | None = None,
) -> list[tuple[int, int]]:
    """Choose pairs of a track and a person, each at most once.

    Args:
        tracks: The tracks.
        times: When each person is seen, shape (n,).
        places: Where, as :func:`places_of` gives it, shape (n, 4).
        embeddings: What they look like, shape (n, D).
        min_similarity: Of a pair, at least.
        allowed: Which pairs there may be, shape (tracks, n); None for all.

    Returns:
        Pairs of numbers.
    """
    from scipy.optimize import linear_sum_assignment  # half a second, and few need it

    if not tracks or not len(places):
        return []
    similarity = np.stack([track.embedding for track in tracks]) @ embeddings.T
    nearness, reachable = _compare_places(tracks, times, places)
    affinity = nearness + similarity
    fits = reachable & (similarity >= min_similarity) & (affinity >= _LEAST_AFFINITY)
    fits = fits if allowed is None else fits & allowed
    pairs = zip(*linear_sum_assignment(np.where(fits, -affinity, _FORBIDDEN)))
    return [(int(i), int(j)) for i, j in pairs if fits[i, j]]


def _compare_places(
    tracks: Sequence[Track], times: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare where tracks are expected with where people are.

    Returns:
        How near each pair is, in [0, 1], and whether a person can have walked
        so far, both of shape (tracks, people).
    """
    gap = times - np.array([track.time for track in tracks])[:, None]
    last = np.stack([track.place for track in tracks])[:, None]
    velocity = np.stack([track.velocity for track in tracks])[:, None]
    expected = last[..., :2] + velocity * np.minimum(gap, _PREDICTED)[..., None]
    height = np.sqrt(last[..., 3] * places[:, 3])
    off = np.linalg.norm(expected - places[:, :2], axis=2) / height
    grown = np.log(places[:, 3] / last[..., 3])
    spread = _SPREAD + _SPREAD_A_SECOND * gap
    nearness = np.exp(
        -0.5 * (off / spread) ** 2 - 0.5 * (grown / (_GROWTH + _GROWTH_A_SECOND * gap)) ** 2
    )
    # The longer ago, the more people may stand there: the place tells less, looks must tell more.
    nearness *= np.sqrt(_SPREAD / spread)
    walked = np.linalg.norm(last[..., :2] - places[:, :2], axis=2) / height
    return nearness, walked <= _REACH + _REACH_A_SECOND * gap


def places_of(boxes: np.ndarray) -> np.ndarray:
    """Give centre x, y, width and height of boxes, shape (n, 4), float64."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    sizes = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
    return np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, sizes])


def link_tracks(
    frames: np.ndarray,
    boxes: np.ndarray,
    embeddings: np.ndarray,
    min_similarity: float = Tracker.min_similarity,
    max_missed: int = 2,
    times: np.ndarray | None = None,
) -> np.ndarray:
    """Give people of a video, frame by frame, the number of their track.

    Args:
        frames: Frame of each detection, ascending, shape (n,).
        boxes: Shape (n, 4), x1 y1 x2 y2.
        embeddings: Shape (n, D), unit vectors.
        min_similarity: See :class:`Tracker`.
        max_missed: Frames, by their numbers, that a track may be missing in.
        times: When each was seen, in seconds, shape (n,): then a track may also be
            missing as long as a :class:`Tracker` is patient. None: a frame lasts
            1/25 s, and ``max_missed`` alone counts.

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
    patience = 0.0 if times is None else Tracker.patience
    seconds = frames / ASSUMED_FPS if times is None else np.asarray(times)
    tracker = Tracker(min_similarity, max_missed, patience)
    tracks = np.full(len(frames), -1, np.int64)
    for frame in np.unique(frames).tolist():
        rows = np.flatnonzero(frames == frame)
        found = FoundPeople(boxes[rows], np.ones(len(rows)), embeddings[rows])
        tracks[rows] = tracker.step(frame, float(seconds[rows[0]]), found)
    return tracks
