"""Sizes of pictures that no annotation tells, read from the files' headers once."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.logging import print_log

from mmclsa.errors import DataError, UserError
from mmclsa.media import picture_size
from mmclsa.utils.cache import cache_folder
from mmclsa.utils.io import write_json

__all__ = ['picture_sizes']

Size = tuple[int, int]

_THREADS = 16  # a network file system answers many questions at once
_TELL_EVERY = 5.0  # seconds
_VERSION = 1


def picture_sizes(folder: str | Path, names: Sequence[str], title: str = '') -> list[Size]:
    """Read the sizes of many pictures of a folder, or look them up.

    What was read is kept in :func:`mmclsa.utils.cache.cache_folder`, a file for
    each folder; a picture whose length or time has changed is read again.
    Several processes may do so at once.

    Returns:
        Width and height of each.

    Raises:
        DataError: If a picture is missing or broken.
    """
    folder = Path(folder).absolute()
    cache = _cache_file(folder)
    known = _read_cache(cache) if cache else {}
    with ThreadPoolExecutor(_THREADS) as pool:
        stamps = list(pool.map(lambda name: _stamp(folder / name), names))
        new = [
            (name, stamp)
            for name, stamp in dict(zip(names, stamps)).items()
            if known.get(name, [])[:2] != stamp
        ]
        read = pool.map(lambda entry: picture_size(folder / entry[0]), new)
        for (name, stamp), size in zip(new, _told(read, len(new), title)):
            known[name] = [*stamp, *size]
    if new and cache and is_main_process():
        # Without a cache the next start reads again, which is no reason to end this one.
        with suppress(UserError, OSError):
            write_json(cache, dict(version=_VERSION, folder=str(folder), pictures=known))
    return [(known[name][2], known[name][3]) for name in names]


def _cache_file(folder: Path) -> Path | None:
    root = cache_folder()
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return root and root / 'picture_sizes' / f'{digest}.json'


def _read_cache(path: Path) -> dict[str, list[int]]:
    """Read what is known, nothing if it is not what :func:`picture_sizes` writes."""
    try:
        content = json.loads(path.read_text())
        pictures = content['pictures'] if content['version'] == _VERSION else {}
        whole = all(len(v) == 4 and all(type(n) is int for n in v) for v in pictures.values())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    return dict(pictures) if whole else {}


def _stamp(path: Path) -> list[int]:
    """Give what changes when a file does: its length and time."""
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(
            f'image {path} cannot be read ({error.strerror}); docs/datasets.md lists the files '
            'that a data set needs'
        ) from error
    return [status.st_size, status.st_mtime_ns]


def _told(sizes: Iterable[Size], count: int, title: str) -> Iterator[Size]:
    """Pass sizes on, and tell now and then how far it is."""
    last = time.monotonic()
    for index, size in enumerate(sizes, 1):
        yield size
        if time.monotonic() - last > _TELL_EVERY and is_main_process():
            last = time.monotonic()
            print_log(f'{title}: sizes of {index} of {count} pictures read', logger='current')
