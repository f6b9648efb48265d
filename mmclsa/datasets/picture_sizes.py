"""Sizes of pictures that no annotation tells, read from the files' headers once."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from mmengine.dist import is_main_process
from mmengine.logging import print_log

from mmclsa.errors import DataError, UserError
from mmclsa.media import picture_size
from mmclsa.utils.cache import cache_folder
from mmclsa.utils.io import write_json

__all__ = ['picture_sizes', 'readable_sizes']

Size = tuple[int, int]
T = TypeVar('T')

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
    sizes = readable_sizes(folder, names, title, tolerant=False)
    return [sizes[name] for name in names]


def readable_sizes(
    folder: str | Path, names: Sequence[str], title: str, tolerant: bool
) -> dict[str, Size]:
    """Do as :func:`picture_sizes`; if tolerant, pass over pictures that are missing or broken."""
    folder = Path(folder).absolute()
    cache = _cache_file(folder)
    known = _read_cache(cache) if cache else {}

    def attempt(read: Callable[[Path], T], name: str) -> T | None:
        try:
            return read(folder / name)
        except DataError:
            if not tolerant:
                raise
            return None

    with ThreadPoolExecutor(_THREADS) as pool:
        stamps = dict(zip(names, pool.map(partial(attempt, _stamp), names)))
        new = [name for name, stamp in stamps.items() if stamp != known.get(name, [])[:2]]
        sizes = pool.map(partial(attempt, picture_size), new)
        for name, size in zip(new, _told(sizes, len(new), title)):
            known.pop(name, None)
            stamp = stamps[name]
            if stamp and size:
                known[name] = [*stamp, *size]
    if new and cache and is_main_process():
        # Without a cache the next start reads again, which is no reason to end this one.
        with suppress(UserError, OSError):
            write_json(cache, dict(version=_VERSION, folder=str(folder), pictures=known))
    return {name: (known[name][2], known[name][3]) for name in stamps if name in known}


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


def _told(sizes: Iterable[T], count: int, title: str) -> Iterator[T]:
    """Pass sizes on, and tell now and then how far it is."""
    last = time.monotonic()
    for index, size in enumerate(sizes, 1):
        yield size
        if time.monotonic() - last > _TELL_EVERY and is_main_process():
            last = time.monotonic()
            print_log(f'{title}: sizes of {index} of {count} pictures read', logger='current')
