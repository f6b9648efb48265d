"""Linking the detections of neighbouring frames: one person's appearance is one track.

This is not ByteTrack (Zhang et al., ECCV 2022), and MMDetection's ``ByteTracker``
does not take its place: it needs PyTorch, MMDetection and ``lap``, none of which a
gallery built from ONNX graphs has; it matches by motion and overlap alone, made for
every frame of a video, where a gallery often looks at a few a second and has
embeddings that tell people apart; and it gives no track to detections that it does
not confirm, which a gallery keeps. The two were not compared by figures.
"""

from __future__ import annotations

import numpy as np

from mmclsa.evaluation.functional.geometry import pairwise_iou

__all__ = ['link_tracks']

_FORBIDDEN = 1e3


def link_tracks(
    frames: np.ndarray,
    boxes: np.ndarray,
    embeddings: np.ndarray,
    min_iou: float = 0.1,
    min_similarity: float = 0.5,
    max_missed: int = 2,
) -> np.ndarray:
    """Give people of a video, frame by frame, the number of their track.

    Each frame's detections are assigned to the tracks that are alive, at most
    one to each, so that the sum of overlap and similarity is largest. The
    limits are ours: a track is what a gallery shows as one sighting, so a cut
    in two costs less than two people in one.

    Args:
        frames: Frame of each detection, ascending, shape (n,).
        boxes: Shape (n, 4), x1 y1 x2 y2.
        embeddings: Shape (n, D), unit vectors.
        min_iou: A detection overlaps the last one of its track so much.
        min_similarity: And is so similar to it (cosine).
        max_missed: Looked-at frames that a track may be missing in.

    Returns:
        Track of each detection, from 0 in order of appearance, shape (n,), int64.

    Example:
        >>> left, right = [0.0, 0.0, 10.0, 20.0], [50.0, 0.0, 60.0, 20.0]
        >>> link_tracks(
        ...     np.array([0, 0, 1, 1]), np.array([left, right, right, left]), np.ones((4, 1))
        ... ).tolist()
        [0, 1, 1, 0]
    """
    from scipy.optimize import linear_sum_assignment  # half a second, and few need it

    tracks = np.full(len(frames), -1, np.int64)
    last: dict[int, tuple[int, int]] = {}  # track -> (row of its last detection, its step)
    firsts = np.unique(frames, return_index=True)[1]
    for step, rows in enumerate(np.split(np.arange(len(frames)), firsts[1:])):
        last = {track: seen for track, seen in last.items() if step - seen[1] <= max_missed + 1}
        alive = list(last)
        previous = np.array([last[track][0] for track in alive], np.int64)
        overlap = pairwise_iou(boxes[previous], boxes[rows])
        similarity = embeddings[previous] @ embeddings[rows].T
        allowed = (overlap >= min_iou) & (similarity >= min_similarity)
        cost = np.where(allowed, -(overlap + similarity), _FORBIDDEN)
        for i, j in zip(*linear_sum_assignment(cost)):
            if allowed[i, j]:
                tracks[rows[j]] = alive[i]
        for row in rows:
            if tracks[row] < 0:
                tracks[row] = tracks.max() + 1
            last[int(tracks[row])] = (int(row), step)
    return tracks
