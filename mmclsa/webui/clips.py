"""The seconds around a sighting: which frames, when, and where the person is in each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mmclsa.gallery import GalleryRecord
from mmclsa.structures.sightings import TrackFrames

__all__ = ['Box', 'box_at', 'clip_frames', 'clip_times']

Box = tuple[float, float, float, float]

_AROUND = 3.0  # seconds before and after
_A_SECOND = 10  # frames at most
_ROUNDED = 1e-9  # of a number of frames
_LONGEST = 10.0  # seconds of the sighting on either side of its best frame
# Between two detections so far apart, in seconds, nobody knows where the person was.
_KNOWN_BETWEEN = 2.0


def clip_frames(best: int, first: int, last: int, fps: float, count: int) -> list[int]:
    """Choose the frames of a clip, the best among them.

    Args:
        best: The best frame of a sighting.
        first: Its first one.
        last: Its last one.
        fps: Of the video.
        count: How many frames the video announces; 0 if it does not.

    Returns:
        Ascending numbers: from 3 seconds before the sighting to 3 seconds
        after, at most ten a second; of a long one only the 10 seconds before and
        after the best frame, and these 3.

    Example:
        >>> clip_frames(30, 28, 30, 1.0, 32)
        [25, 26, 27, 28, 29, 30, 31]
    """
    step = max(1, math.ceil(fps / _A_SECOND - _ROUNDED))
    start = max(first, best - _LONGEST * fps) - _AROUND * fps
    stop = min(last, best + _LONGEST * fps) + _AROUND * fps
    end = min(stop, count - 1) if count > best else stop
    before = math.floor((best - max(start, 0)) / step)
    after = max(0, math.floor((end - best) / step))
    return [best + step * number for number in range(-before, after + 1)]


def clip_times(
    frames: Sequence[int], record: GalleryRecord, behind: TrackFrames, fps: float
) -> list[float]:
    """Tell when frames are shown.

    Args:
        frames: Numbers.
        record: Of the sighting.
        behind: The frames behind it, whose times are known.
        fps: Of the video, for all others.

    Returns:
        For each its time, as a record's; NaN if the record has none.

    Example:
        >>> nothing = TrackFrames(*map(np.empty, (0, 0, (0, 4), 0)))
        >>> clip_times([8, 10], GalleryRecord('a.mp4', 10, 1.0, (0, 0, 1, 1), 1), nothing, 10.0)
        [0.8, 1.0]
    """
    known = dict(zip(behind.frames.tolist(), behind.times.tolist()))
    return [known.get(f, record.time + (f - record.frame) / fps) for f in frames]


def box_at(behind: TrackFrames, frame: int, fps: float) -> Box | None:
    """Tell where the person is in a frame.

    Args:
        behind: The frames behind the sighting.
        frame: A number.
        fps: Of the video.

    Returns:
        The box, between two detections at most 2 seconds apart by
        interpolation; None where it is not known.

    Example:
        >>> boxes = np.array([[0, 0, 4, 8], [2, 0, 6, 8]], np.float32)
        >>> behind = TrackFrames(np.array([4, 6]), np.array([0.4, 0.6]), boxes, np.ones(2))
        >>> [box_at(behind, frame, 10.0) for frame in (3, 5)]
        [None, (1.0, 0.0, 5.0, 8.0)]
    """
    right = int(np.searchsorted(behind.frames, frame))
    if right == len(behind.frames):
        return None
    if behind.frames[right] == frame:
        return _plain(behind.boxes[right])
    one, two = behind.frames[max(right - 1, 0)], behind.frames[right]
    if right == 0 or two - one > _KNOWN_BETWEEN * fps:
        return None
    part = (frame - one) / (two - one)
    return _plain(behind.boxes[right - 1] * (1 - part) + behind.boxes[right] * part)


def _plain(box: np.ndarray) -> Box:
    x1, y1, x2, y2 = np.asarray(box, np.float64).round(2).tolist()
    return x1, y1, x2, y2
