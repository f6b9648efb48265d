"""The folder of an index: which files in it are its own."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from mmclsa.errors import ConfigError
from mmclsa.gallery.locking import WriterLock
from mmclsa.gallery.manifest import MANIFEST, Manifest
from mmclsa.utils.io import check_writable

__all__ = ['claim_new_folder', 'drop_unused']

# What a writer may leave behind when it is killed, and nothing else.
_OURS = re.compile(r'vectors-\d+\.bin|structure-\d+\.faiss|\.index\.\w+\.tmp\.sqlite')


def claim_new_folder(folder: Path) -> WriterLock:
    """Make the folder of a new index and lock it.

    Args:
        folder: The folder.

    Returns:
        The lock.

    Raises:
        ConfigError: If it has an index or files of something else.
        UserError: If it cannot be written to, or is being written to.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f'the index {folder} must be a folder, and that is a file')
    check_writable(folder)
    _refuse_others(folder)  # which get no lock either
    lock = WriterLock(folder)
    try:
        if (folder / MANIFEST).exists():
            raise ConfigError(f'there is an index in {folder} already; open it to add to it')
        _refuse_others(folder)
    except BaseException:
        lock.release()
        raise
    return lock


def _refuse_others(folder: Path) -> None:
    """Refuse a folder that has files of something else, and no index."""
    known = ('lock', f'{MANIFEST}-journal')
    others = [
        path.name
        for path in folder.iterdir()
        if not (path.name in known or path.suffix == '.db' or _OURS.fullmatch(path.name))
    ]
    # In this order: another process may make an index meanwhile.
    if others and not (folder / MANIFEST).exists():
        raise ConfigError(f'the folder {folder} must be new or empty, but it has {others[0]}')


def drop_unused(folder: Path, manifest: Manifest) -> None:
    """Remove files that a deletion, a killed process or a former structure left.

    Args:
        folder: Folder of the index, locked by the caller.
        manifest: What belongs to it.
    """
    kept = manifest.file_names
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name) and path.name not in kept:
            with suppress(OSError):
                path.unlink()
