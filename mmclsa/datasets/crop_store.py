"""Crops that were cut once, kept in files that all processes of a machine share."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from mmclsa.errors import ConfigError, UserError
from mmclsa.utils.cache import cache_folder
from mmclsa.utils.io import atomic_write

try:
    import fcntl
except ImportError:  # Windows: two processes may cut the same scene, to the same file
    fcntl = None  # type: ignore[assignment]

__all__ = ['CropStore']

#: Of the form in which crops are kept; those of another one are not found.
_VERSION = 1
_PREFIX = 'mmclsa-crops-'  # of temporary folders
_OWNER = 'owner'


class CropStore:
    """Encoded pictures by key, a file for each scene.

    The folder is ``crops`` in the cache of mmclsa, where later runs find them
    too. Without a cache that can be written to, and for scenes that no file
    stands for, it is a temporary one, which a data set and its data loader's
    workers share, and which goes with the data set; that of a process that was
    killed goes when the next one is made.

    Files appear whole. Any number of processes may look for the same scene at
    once: one of them makes it, the others wait.

    Attributes:
        lasting: Whether keys must say all that the pictures depend on.

    Args:
        lasting: Whether keys say all that the pictures depend on, so that
            later runs may have them.

    Raises:
        ConfigError: If there is no folder to write to.
    """

    def __init__(self, lasting: bool) -> None:
        cache = cache_folder() if lasting else None
        self.lasting = cache is not None
        if cache is not None and _can_write(cache / 'crops'):
            self.folder = cache / 'crops'
        else:
            self.folder, owned = _temporary_folder()
            weakref.finalize(self, _remove, self.folder, os.getpid(), owned)
        self._told = False

    def _file(self, key: bytes) -> Path:
        person = f'v{_VERSION}'.encode()
        digest = hashlib.blake2b(key, digest_size=20, person=person).hexdigest()
        # Not all in one folder: a data set has ten thousand scenes.
        return self.folder / digest[:2] / f'{digest[2:]}.npz'

    def load(self, key: bytes, number: int) -> np.ndarray | None:
        """Look up one picture of a scene.

        Returns:
            Its bytes, (n,), uint8; None if the scene is not there, or damaged.
        """
        try:
            with np.load(self._file(key), allow_pickle=False) as arrays:
                return np.asarray(arrays[str(number)])
        # NumPy and zipfile raise whatever they stumble on in a damaged file.
        except Exception:
            return None

    def save(self, key: bytes, pictures: Sequence[np.ndarray]) -> None:
        """Keep the pictures of a scene; where the disk is full they are cut again each time.

        Args:
            key: Of the scene.
            pictures: Bytes of each, (n_i,), uint8.
        """
        arrays = {str(number): picture for number, picture in enumerate(pictures)}
        try:
            with atomic_write(self._file(key)) as temporary:
                np.savez(temporary, **arrays)  # type: ignore[arg-type]
        except (UserError, OSError) as error:
            if not self._told:
                text = f'crops are not kept, and cut anew each time they are needed: {error}'
                print_log(text, 'current', logging.WARNING)
            self._told = True

    @contextmanager
    def alone(self, name: bytes) -> Iterator[None]:
        """Let one process after the other into a block; other names seldom wait for this one."""
        stripe = hashlib.blake2b(name, digest_size=1).hexdigest()
        with ExitStack() as stack:
            # A lock dies with its process. Where a file system has none, nobody waits.
            with suppress(OSError):
                stream = stack.enter_context(open(self.folder / f'lock-{stripe}', 'ab'))
                if fcntl is not None:
                    fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _can_write(folder: Path) -> bool:
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        return os.access(folder, os.W_OK)
    return False


def _temporary_folder() -> tuple[Path, int]:
    """Make a folder, and open a file in it that is locked for as long as its owners live."""
    try:
        _remove_abandoned(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=f'.{_PREFIX}'))
        owned = os.open(folder / _OWNER, os.O_CREAT | os.O_RDWR)
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks: nobody else gets one either
                fcntl.flock(owned, fcntl.LOCK_EX)
        if fcntl is None:  # no lock, and no renaming of a folder with an open file (Windows)
            return folder, owned
        # Only now by the name that others look for, who would take what nobody locks.
        return folder.rename(folder.with_name(folder.name[1:])), owned
    except OSError as error:
        raise ConfigError(
            'PersonCropDataset(cache=True) has no folder to keep crops in: '
            f'{tempfile.gettempdir()} cannot be written to ({error.strerror}), nor can the cache; '
            'set MMCLSA_CACHE or TMPDIR to a folder that can, or cache=False'
        ) from error


def _remove_abandoned(parent: Path) -> None:
    """Delete the folders of processes that were killed."""
    for folder in parent.glob(f'{_PREFIX}*') if fcntl is not None else ():
        with suppress(OSError), open(folder / _OWNER, 'rb+') as owned:
            fcntl.flock(owned, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path, owner: int, owned: int) -> None:
    """Delete the folder, in the process that made it: workers are forked with its finalizer."""
    os.close(owned)
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
