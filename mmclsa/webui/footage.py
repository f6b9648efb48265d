"""Scenes, crops and frames out of the files that an index names, and out of no others."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from mmclsa.errors import DataError
from mmclsa.media import VideoReader, is_video, read_picture
from mmclsa.webui.byte_cache import ByteCache
from mmclsa.webui.file_names import file_name
from mmclsa.webui.jpegs import crop_of, encode_jpeg
from mmclsa.webui.problems import FootageError

__all__ = ['CROP_SIDE', 'FRAME_SIDE', 'SCENE_SIDE', 'Footage', 'Scene']

#: Longest sides of what a browser gets, pixels.
SCENE_SIDE, FRAME_SIDE, CROP_SIDE = 1600, 960, 512
_READERS = 8
_IDLE = 60.0  # seconds after which a video is closed
#: When a file was written, its size and its number: another file has another version.
Version = tuple[int, int, int]


@dataclass(frozen=True)
class Scene:
    """A whole picture.

    Attributes:
        data: A JPEG.
        width: Of the original, in whose pixels boxes are.
        height: Of the original.
    """

    data: bytes
    width: int
    height: int


class Footage:
    """Reads what records name. Safe in threads, if each file is read by one at a time.

    Args:
        cached_mb: Of what was encoded, MB.
    """

    def __init__(self, cached_mb: int = 64) -> None:
        self._cache: ByteCache[Scene] = ByteCache(cached_mb * 1_000_000)
        self._readers: OrderedDict[str, tuple[VideoReader, Version, float]] = OrderedDict()
        self._lock = threading.Lock()

    def scene(self, source: str, frame: int, longest: int = SCENE_SIDE) -> Scene:
        """Give a whole picture.

        Args:
            source: A picture or a video.
            frame: Its number in the video.
            longest: Of its sides, pixels.

        Returns:
            The scene.

        Raises:
            FootageError: If the file is not there, or cannot be read.
        """
        key = source, _version(source), frame, longest
        known = self._cache.get(key)
        if known is None:
            picture = self.picture(source, frame)
            height, width = picture.shape[:2]
            known = Scene(encode_jpeg(picture, longest), width, height)
            self._cache.put(key, known, len(known.data))
        return known

    def crop(self, source: str, frame: int, box: Sequence[float]) -> bytes:
        """Cut a person out of a scene.

        Args:
            source: A picture or a video.
            frame: Its number in the video.
            box: x1 y1 x2 y2 in pixels of the scene.

        Returns:
            A JPEG.

        Raises:
            FootageError: If the file is not there, or cannot be read.
        """
        key = source, _version(source), frame, tuple(box)
        known = self._cache.get(key)
        if known is None:
            cut = crop_of(self.picture(source, frame), box)
            known = Scene(encode_jpeg(cut, CROP_SIDE), cut.shape[1], cut.shape[0])
            self._cache.put(key, known, len(known.data))
        return known.data

    def picture(self, source: str, frame: int) -> np.ndarray:
        """Decode a picture.

        Args:
            source: A picture or a video.
            frame: Its number in the video.

        Returns:
            Shape (H, W, 3), uint8, BGR.

        Raises:
            FootageError: If the file is not there, or cannot be read.
        """
        self._sweep()
        with _naming(source):
            if not is_video(source):
                return read_picture(source)
            with self._reader(source) as reader:
                return reader[frame]

    def fps(self, source: str) -> tuple[float, int]:
        """Give frames a second and the number of frames that a video announces.

        Args:
            source: A video.

        Returns:
            Both.

        Raises:
            FootageError: If the file is not there, or cannot be read.
        """
        with _naming(source), self._reader(source) as reader:
            return reader.fps, reader.num_frames

    def close(self) -> None:
        """Let go of all videos."""
        with self._lock:
            readers = [reader for reader, *_ in self._readers.values()]
            self._readers.clear()
        for reader in readers:
            reader.close()

    @contextmanager
    def _reader(self, source: str) -> Iterator[VideoReader]:
        """Lend the reader of a video, which stays where it is: its next frame is cheap."""
        version = _version(source)
        reader = self._take(source, version) or VideoReader(source)
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        with self._lock:
            replaced = self._readers.pop(source, None)
            self._readers[source] = reader, version, time.monotonic()
        if replaced is not None:
            replaced[0].close()
        self._sweep()

    def _take(self, source: str, version: Version) -> VideoReader | None:
        """Take the reader of a video out of those kept; None if there is none of this version."""
        with self._lock:
            kept = self._readers.pop(source, None)
        if kept is None or kept[1] == version:
            return None if kept is None else kept[0]
        kept[0].close()
        return None

    def _sweep(self) -> None:
        """Close videos that nobody looks at, or that are more than are kept open, or deleted."""
        earliest = time.monotonic() - _IDLE
        with self._lock:
            kept = list(self._readers.items())
        gone = {name for name, (_, version, _) in kept if not _is_still(name, version)}
        dropped = []
        with self._lock:
            for name, (reader, _, used) in list(self._readers.items()):
                if len(self._readers) > _READERS or used < earliest or name in gone:
                    dropped.append(reader)
                    del self._readers[name]
        for reader in dropped:
            reader.close()


def _version(source: str) -> Version:
    """Tell which file is there now.

    Raises:
        FootageError: If none is, or it may not be read.
    """
    try:
        found = os.stat(source)
    except OSError as error:
        raise FootageError(_what_is_wrong(source)) from error
    return found.st_mtime_ns, found.st_size, found.st_ino


def _is_still(source: str, version: Version) -> bool:
    try:
        return _version(source) == version
    except FootageError:
        return False


@contextmanager
def _naming(source: str) -> Iterator[None]:
    """Tell that a file cannot be read by its name alone."""
    try:
        yield
    except FootageError:
        raise
    except (DataError, OSError) as error:
        raise FootageError(_what_is_wrong(source)) from error


def _what_is_wrong(source: str) -> str:
    name = file_name(source)
    try:
        os.stat(source)
    except FileNotFoundError:
        return f'the file {name} is no longer there'
    except OSError as error:
        return f'the file {name} cannot be read: {error.strerror}'
    return f'the file {name} cannot be read, or not to this frame'
