"""One writer at a time."""

from __future__ import annotations

import fcntl
import os
import socket
import weakref
from pathlib import Path

from mmclsa.errors import UserError

__all__ = ['WriterLock']


class WriterLock:
    """An exclusive lock on a folder, which dies with its process.

    It is a ``flock`` on the file ``lock`` in the folder, so a killed writer
    leaves nothing to clear away. Processes that the writer forks do not have it.

    Args:
        folder: Folder of the index.

    Raises:
        UserError: If another writer holds the lock, or the folder cannot be
            written to.
    """

    def __init__(self, folder: str | Path) -> None:
        path = Path(folder) / 'lock'
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise UserError(f'cannot write into the index {folder}: {error.strerror}') from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 200, 0).decode(errors='replace').strip()
            os.close(self._descriptor)
            raise UserError(
                f'the index {folder} is being written by another process'
                f'{f" ({holder})" if holder else ""}; wait until it has ended'
            ) from error
        self._note_holder()

        _held.add(self)

    @property
    def held(self) -> bool:
        """Whether it has not been released, and this is the process that took it."""
        return self._descriptor >= 0

    def _note_holder(self) -> None:
        """Leave a word for the next one's message; a full disk does not matter."""
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(
                self._descriptor, f'process {os.getpid()} on {socket.gethostname()}'.encode(), 0
            )
        except OSError:
            pass

    def release(self) -> None:
        """Let others write; once is enough, twice does no harm."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


_held: weakref.WeakSet[WriterLock] = weakref.WeakSet()


def _leave_locks_to_parent() -> None:
    """Keep a forked worker from holding the lock of a writer that was killed."""
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_leave_locks_to_parent)
