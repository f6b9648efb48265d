"""What was read once and need not be read again: arrays, kept by the content they come from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from mmclsa.errors import UserError
from mmclsa.utils.io import atomic_write

__all__ = ['cache_folder', 'cached_arrays']

Arrays = Mapping[str, np.ndarray]

#: Of the form in which arrays are kept; another one is not read.
_VERSION = 1
OFF = 'off'


def cache_folder() -> Path | None:
    """Say where to keep what was read.

    Returns:
        ``$MMCLSA_CACHE``, or else ``mmclsa`` in ``$XDG_CACHE_HOME`` or
        ``~/.cache``; None if ``MMCLSA_CACHE`` is ``off``. The folder can be
        deleted at any time.
    """
    chosen = os.environ.get('MMCLSA_CACHE')
    if chosen == OFF:
        return None
    general = os.environ.get('XDG_CACHE_HOME') or os.path.join(os.path.expanduser('~'), '.cache')
    return Path(chosen or os.path.join(general, 'mmclsa'))


def cached_arrays(content: bytes, kind: str, read: Callable[[], Arrays]) -> dict[str, np.ndarray]:
    """Look up what a file says, or read it and keep it.

    Kept arrays are found by a digest of the file's content, so a file that has
    changed is read again. Any number of processes may do so at once; what is
    damaged is read again, and a folder that cannot be written to keeps nothing.

    Args:
        content: All of the file.
        kind: What is read of it; changes when the arrays do.
        read: Reads the file; called where nothing is kept.
    """
    folder = cache_folder()
    if folder is None:
        return dict(read())
    digest = hashlib.blake2b(content, digest_size=20, person=f'v{_VERSION}'.encode()).hexdigest()
    path = folder / 'files' / f'{kind}-{digest}.npz'
    found = _load(path)
    if found is not None:
        return found
    arrays = dict(read())
    # Without a cache the next command reads again, which is no reason to end this one.
    with suppress(UserError, OSError), atomic_write(path) as temporary:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]
    return arrays


def _load(path: Path) -> dict[str, np.ndarray] | None:
    """Read kept arrays; None if there are none or they are damaged (each has a checksum)."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    # NumPy and zipfile raise whatever they stumble on in a damaged file.
    except Exception:
        return None
