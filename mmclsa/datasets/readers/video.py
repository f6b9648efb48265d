"""Frames of a video file by their number."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmclsa.errors import DataError

__all__ = ['VideoFrames']


class VideoFrames:
    """Random access to the frames of a video.

    The file is opened when the first frame is asked for, and again in a
    forked or unpickled copy, for a decoder cannot be shared. A frame that
    lies ahead is reached by decoding forward, which is exact for every codec;
    one that lies behind by decoding from the start.

    Args:
        path: Video file that OpenCV can decode.

    Example:
        >>> frames = VideoFrames('camera1.mp4')
        >>> frames[70].shape  # doctest: +SKIP
        (480, 640, 3)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._capture: cv2.VideoCapture | None = None
        self._owner = -1
        self._next = 0

    def __getitem__(self, index: int) -> np.ndarray:
        """Read frame ``index`` (from 0): (H, W, 3), uint8, BGR.

        Raises:
            DataError: If the file is missing, is no video, or ends before.
        """
        if self._capture is None or self._owner != os.getpid() or index < self._next:
            self._open()
        assert self._capture is not None  # for mypy: _open raises otherwise
        while self._next < index and self._capture.grab():
            self._next += 1
        found, picture = self._capture.read()
        if index < 0 or not found:
            raise DataError(f'video {self.path} has no frame {index} (counted from 0)')
        self._next = index + 1
        return picture

    def _open(self) -> None:
        if not Path(self.path).exists():
            raise DataError(f'video {self.path} is missing')
        self._capture = cv2.VideoCapture(self.path)
        if not self._capture.isOpened():
            raise DataError(f'video {self.path} cannot be decoded by OpenCV')
        self._owner, self._next = os.getpid(), 0

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__, _capture=None)
