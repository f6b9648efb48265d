"""When each frame of a video is shown, by its packets alone: nothing is decoded."""

from __future__ import annotations

import os
from functools import lru_cache

import numpy as np

__all__ = ['number_at', 'read_packet_times']

# Of OpenCV, which is imported when it is needed.
_POS_MSEC = 0  # cv2.CAP_PROP_POS_MSEC
_COUNT = 7  # cv2.CAP_PROP_FRAME_COUNT
_RAW = [8, -1]  # cv2.CAP_PROP_FORMAT: packets as they are


def read_packet_times(path: str) -> np.ndarray | None:
    """Read the time of each packet of a video, which is that of a frame.

    A packet takes microseconds, where decoding one takes milliseconds. What was
    read of the last files is kept.

    Args:
        path: Video file.

    Returns:
        Shape (frames,), float64: seconds since the first, ascending; None
        where the container does not give each frame a time of its own,
        OpenCV cannot read packets of it, or it is an AVI that lacks some: that
        container has no times, which are counted in order, and by its index
        after a seek.
    """
    try:
        status = os.stat(path)
    except OSError:
        return None
    return _read(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _read(path: str, size: int, written: int) -> np.ndarray | None:
    """Read them of a file of this size, written at this time."""
    import cv2

    try:
        capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, _RAW)
        found = []
        while capture.grab():
            found.append(capture.get(_POS_MSEC) / 1000)
        announced = capture.get(_COUNT)
        capture.release()
    except (cv2.error, TypeError, SystemError):  # an OpenCV without this
        return None
    if len(found) != announced and _is_avi(path):
        return None
    times = np.sort(np.array(found, np.float64))  # packets are in the order of decoding
    if len(times) < 2 or not np.isfinite(times).all() or not (np.diff(times) > 0).all():
        return None
    times -= times[0]
    times.setflags(write=False)
    return times


def _is_avi(path: str) -> bool:
    with open(path, 'rb') as stream:
        head = stream.read(12)
    return head[:4] == b'RIFF' and head[8:] == b'AVI '


def number_at(times: np.ndarray, time: float, shortest: float | None = None) -> int | None:
    """Find the frame that is shown at a time.

    Args:
        times: Shape (frames,), float64, ascending, at least two.
        time: Seconds since the first.
        shortest: The shortest time between two, if that is known.

    Returns:
        Its number, from 0; None if no frame has this time, within a quarter
        of the shortest time between two.

    Example:
        >>> times = np.array([0.0, 0.04, 0.08, 2.0])
        >>> number_at(times, 0.081), number_at(times, 1.0)
        (2, None)
    """
    after = int(np.searchsorted(times, time))
    near = min(
        range(max(0, after - 1), min(len(times), after + 1)), key=lambda n: abs(times[n] - time)
    )
    shortest = np.diff(times).min() if shortest is None else shortest
    return near if abs(times[near] - time) <= shortest / 4 else None
