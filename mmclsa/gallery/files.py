"""Files of an index: written through to the disk, and checked when opened."""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmclsa.errors import DataError, UserError
from mmclsa.gallery.manifest import FileEntry

__all__ = [
    'MissingFileError',
    'check_file',
    'describe_file',
    'is_whole',
    'new_file',
    'reporting_write_errors',
    'sync_folder',
]

_PROBE = 1 << 20
_CHUNK = 1 << 22
# Below this a file is read whole when it is opened, above it only its ends
# are: 10 million vectors take half a minute to read.
_CHECKED_WHOLE = 1 << 27


class MissingFileError(DataError):
    """A file of the index is not there, perhaps because it was replaced."""


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Write a file that nothing refers to yet.

    Args:
        path: The file. It goes away again if the block raises.

    Yields:
        The same path.
    """
    try:
        yield path
        with open(path, 'rb') as stream:
            os.fsync(stream.fileno())
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def describe_file(path: Path) -> FileEntry:
    """Compute what the manifest keeps about a file.

    Args:
        path: A complete file.

    Returns:
        Name, size and digests.
    """
    return FileEntry(path.name, path.stat().st_size, _digest(path), _probe(path))


def check_file(folder: Path, entry: FileEntry, whole: bool = False) -> Path:
    """Make sure that a file is the one that was written.

    The libraries behind the index trust their files: one that is cut short
    would end the process with a bus error when its end is touched.

    Args:
        folder: Folder of the index.
        entry: What the manifest says.
        whole: Read all of it, however large it is. Without, files above 128
            MiB are only read at both ends.

    Returns:
        Path of the file.

    Raises:
        MissingFileError: If the file is not there.
        DataError: If it is broken.
    """
    path = folder / entry.name
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise MissingFileError(f'the index {folder} is broken: {path} is missing') from error
    if size != entry.size:
        raise DataError(f'{path} is broken: it has {size} bytes instead of {entry.size}')
    whole = whole or size <= _CHECKED_WHOLE
    if (_digest(path) != entry.digest) if whole else (_probe(path) != entry.probe):
        raise DataError(f'{path} is broken: its content is not what was written')
    return path


def is_whole(folder: Path, entry: FileEntry | None) -> bool:
    """Tell whether a file is the one that was written.

    Args:
        folder: Folder of the index.
        entry: What the manifest says; None if it names no file.

    Returns:
        Whether it is, or there is none to be.
    """
    try:
        if entry is not None:
            check_file(folder, entry)
    except DataError:
        return False
    return True


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _probe(path: Path) -> str:
    """Digest of the first and the last mebibyte."""
    with open(path, 'rb') as stream:
        digest = hashlib.sha256(stream.read(_PROBE))
        stream.seek(max(0, path.stat().st_size - _PROBE))
        digest.update(stream.read(_PROBE))
    return digest.hexdigest()


@contextmanager
def reporting_write_errors(folder: Path) -> Iterator[None]:
    """Turn what a disk can do to a writer into one sentence.

    Args:
        folder: Folder of the index.

    Raises:
        UserError: In place of any OSError or error of SQLite.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        # SQLite says "database or disk is full"; Python knows its number from 3.11 on.
        full = getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT)
        full = full or 'is full' in str(error)
        what = 'the disk is full' if full else (getattr(error, 'strerror', None) or str(error))
        raise UserError(
            f'cannot write the index {folder}: {what}; it is as it was at its last commit'
        ) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable.

    Args:
        folder: The folder.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
