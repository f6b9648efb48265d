"""How many frames of a video can be decoded, counted once."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from mmclsa.datasets.readers.mot_frames import count_frames
from mmclsa.errors import UserError
from mmclsa.utils.cache import cache_folder
from mmclsa.utils.io import write_json

__all__ = ['count_frames_once']

_VERSION = 1


def count_frames_once(video: Path) -> int:
    """Count the frames of a video that can be decoded, or look the count up.

    To count is to decode the whole video. The count is kept in the cache folder
    (:func:`~mmclsa.utils.cache.cache_folder`), and counted anew for a
    video whose length or time has changed. Several processes may do so at once.

    Raises:
        DataError: If it is missing or cannot be decoded.
    """
    path = Path(video).absolute()
    root = cache_folder()
    if root is None or not path.is_file():
        return count_frames(path)  # which also says what is wrong
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:16]
    cache, status = root / 'video_lengths' / f'{digest}.json', path.stat()
    stamp = [_VERSION, str(path), status.st_size, status.st_mtime_ns]
    with suppress(OSError, ValueError, LookupError, TypeError):
        content = json.loads(cache.read_text())
        if content['stamp'] == stamp and type(content['frames']) is int:
            return int(content['frames'])
    frames = count_frames(path)
    # Without a cache the next start counts again, which is no reason to end this one.
    with suppress(UserError, OSError):
        write_json(cache, dict(stamp=stamp, frames=frames))
    return frames
