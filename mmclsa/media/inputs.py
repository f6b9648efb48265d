"""Whatever has pictures in it, one picture after the other."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Union

import numpy as np
from PIL import Image

from mmclsa.errors import DataError, UserError
from mmclsa.media.pictures import as_bgr, read_picture
from mmclsa.media.sampling import Sampling
from mmclsa.media.sources import absolute_source, list_files
from mmclsa.media.suffixes import is_video
from mmclsa.media.video import VideoReader

__all__ = ['InputType', 'InputsType', 'Picture', 'as_inputs', 'iterate_pictures', 'load_picture']

InputType = Union[str, Path, np.ndarray, Image.Image]
InputsType = Union[InputType, Sequence[InputType]]


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and where it is from.

    Attributes:
        array: Shape (H, W, 3), uint8, BGR.
        source: File; empty for an array.
        frame: From 0; 0 for a picture.
        time: Seconds since a video's start; NaN for a picture.
        listed: Whether its file was not named, but found in a folder, by a
            pattern or in a list.
    """

    array: np.ndarray
    source: str = ''
    frame: int = 0
    time: float = math.nan
    listed: bool = False


def load_picture(source: InputType | Picture) -> Picture:
    """Load one picture.

    Args:
        source: A file, an array or picture as :func:`as_bgr` takes it, or one that is loaded.

    Returns:
        The picture, upright.

    Raises:
        DataError: If the file is missing, broken or too large.
        UserError: If it is neither.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, (np.ndarray, Image.Image)):
        return Picture(as_bgr(source))
    if isinstance(source, (str, Path)):
        path = os.path.expanduser(source) if not os.path.lexists(source) else source
        return Picture(read_picture(path), str(path))
    raise UserError(f'a picture must be a path or an array, not {type(source).__name__}')


def as_inputs(inputs: Any) -> list[InputType]:
    """Make a list of one input, or of several.

    Args:
        inputs: A path, an array or a picture, or several of them.

    Returns:
        They, in order.

    Raises:
        UserError: If it is none of these.

    Example:
        >>> as_inputs('a.jpg'), as_inputs(('a.jpg', 'b.jpg'))
        (['a.jpg'], ['a.jpg', 'b.jpg'])
    """
    if isinstance(inputs, (str, Path, np.ndarray, Image.Image)):
        return [inputs]
    try:
        return list(inputs)
    except TypeError:
        return [load_picture(inputs).array]  # says what it must be


def iterate_pictures(
    inputs: InputsType,
    sampling: Sampling | None = None,
    leave_out: Callable[[str, Exception], None] | None = None,
) -> Iterator[Picture]:
    """Load pictures one after the other.

    Args:
        inputs: An array, a picture, a folder, a video, a pattern or a list
            file, or several of these.
        sampling: Which frames of videos.
        leave_out: Told the path and the error of each file of folders, patterns
            and lists that cannot be used, or not to its end; the others are
            loaded. None: such a file is an error, as one that is named always is.

    Yields:
        The pictures, in order.

    Raises:
        DataError: If a file is missing, broken or too large.
        UserError: If something is no input.
    """
    for item in as_inputs(inputs):
        if not isinstance(item, (str, Path)):
            yield load_picture(item)
            continue
        paths = list_files(item)
        listed = paths != [absolute_source(item)]
        for path in paths:
            try:
                for picture in _pictures_of(path, sampling):
                    yield replace(picture, listed=listed)
            except Exception as error:  # noqa: PERF203
                if not listed or leave_out is None:
                    raise
                leave_out(path, error)


def _pictures_of(path: str, sampling: Sampling | None) -> Iterator[Picture]:
    if is_video(path):
        yield from _frames(path, sampling)
    else:
        yield load_picture(path)


def _frames(path: str, sampling: Sampling | None) -> Iterator[Picture]:
    video = VideoReader(path)
    for frame, array in video.read(sampling=sampling):
        yield Picture(array, path, frame, video.time)
    damage = video.damage if video.broke_off or video.lost > video.fps else ''
    video.close()
    if damage:
        raise DataError(damage)
