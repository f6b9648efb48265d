"""What an inferencer accepts, one picture after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

import numpy as np

from mmclsa.errors import DataError, UserError
from mmclsa.gallery.building import (
    VIDEO_SUFFIXES,
    Sampling,
    VideoStream,
    as_bgr,
    list_files,
    read_picture,
)

__all__ = ['InputsType', 'Picture', 'check_boxes', 'iterate_pictures', 'load_picture']

InputType = Union[str, Path, np.ndarray]
InputsType = Union[InputType, Sequence[InputType]]


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and where it is from.

    Attributes:
        array: Shape (H, W, 3), uint8, BGR.
        source: File; empty for an array.
        frame: From 0; 0 for a picture.
        time: Seconds since a video's start; NaN for a picture.
    """

    array: np.ndarray
    source: str = ''
    frame: int = 0
    time: float = math.nan


def load_picture(source: InputType) -> Picture:
    """Load one picture.

    Args:
        source: A file, or an array as :func:`as_bgr` takes it.

    Returns:
        The picture, upright.

    Raises:
        DataError: If the file is missing, broken or too large.
        UserError: If it is neither.
    """
    if isinstance(source, np.ndarray):
        return Picture(as_bgr(source))
    if isinstance(source, (str, Path)):
        return Picture(read_picture(source), str(source))
    raise UserError(f'a picture must be a path or an array, not {type(source).__name__}')


def iterate_pictures(inputs: InputsType, sampling: Sampling | None = None) -> Iterator[Picture]:
    """Load pictures one after the other.

    Args:
        inputs: An array, a picture, a folder, a video or a list file, or
            several of these.
        sampling: Which frames of videos.

    Yields:
        The pictures, in order.

    Raises:
        DataError: If a file is missing, broken or too large.
        UserError: If something is no input.
    """
    for item in [inputs] if isinstance(inputs, (str, Path, np.ndarray)) else inputs:
        if not isinstance(item, (str, Path)):
            yield load_picture(item)
            continue
        for path in list_files(item):
            if path.lower().endswith(VIDEO_SUFFIXES):
                yield from _frames(path, sampling or Sampling())
            else:
                yield load_picture(path)


def _frames(path: str, sampling: Sampling) -> Iterator[Picture]:
    stream = VideoStream(path)
    for frame, array in stream.read(0, None, sampling):
        yield Picture(array, path, frame, frame / stream.fps)
    position, broken = stream.position, stream.broke_off
    stream.close()
    if broken:
        raise DataError(f'video {path} breaks off at frame {position} of {stream.num_frames}')


def check_boxes(
    boxes: Sequence[Sequence[float]] | np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Clip boxes to their picture; refuse those that lie outside.

    Args:
        boxes: Shape (n, 4), x1 y1 x2 y2 in pixels.
        shape: Of the picture, height and width first.

    Returns:
        Shape (n, 4), float32.

    Raises:
        UserError: If a box is none, or has no pixel in common with the picture.

    Example:
        >>> check_boxes([[-5, 10, 20, 90]], (60, 80)).tolist()
        [[0.0, 10.0, 20.0, 60.0]]
    """
    try:
        given = np.asarray(boxes, np.float64).reshape(-1, 4)
    except (TypeError, ValueError) as error:
        raise UserError(f'a box must be four numbers x1 y1 x2 y2, not {boxes!r}') from error
    height, width = shape[:2]
    clipped = np.clip(given, 0, [width, height, width, height])
    for box, inside in zip(given.tolist(), clipped):
        if not np.isfinite(box).all() or box[2] <= box[0] or box[3] <= box[1]:
            raise UserError(f'a box must be x1 y1 x2 y2 with x1 < x2 and y1 < y2, not {box}')
        if (inside[2:] - inside[:2]).min() < 1:
            raise UserError(f'the box {box} lies outside of its picture, {width} x {height} pixels')
    return clipped.astype(np.float32)
