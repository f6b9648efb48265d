"""Who does which run, among processes and machines that share a folder."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from mmclsa.errors import UserError

__all__ = ['Claim', 'is_claimed', 'take_claim']

#: Seconds between two signs of life, and without one until a claim is stale.
BEAT, STALE_AFTER = 15.0, 120.0


class Claim:
    """A claim on a run, kept alive by a thread until it is released.

    A context manager. Made by :func:`take_claim`.

    Args:
        path: The claim's file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        while not self._done.wait(BEAT):
            with suppress(OSError):
                os.utime(self.path)

    def release(self) -> None:
        """Give the run up; it is done, or somebody else may do it."""
        self._done.set()
        self._thread.join()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Claim:
        """Hold the claim."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the claim."""
        self.release()


def take_claim(folder: str | Path, name: str) -> Claim | None:
    """Claim a run, unless somebody else has.

    A claim is a file that its owner touches. It is stale, and taken over,
    when it was not touched for two minutes, or when its process is of this
    machine and has ended. Time is that of the file system, so clocks of
    machines may differ.

    Args:
        folder: Folder of the claims, which all share. It is made.
        name: Of the run.

    Returns:
        The claim; None if a living process has it.

    Raises:
        UserError: If the folder cannot be written to.
    """
    path = Path(folder) / f'{name}.json'
    with _only_one(Path(folder)) as now:
        if _alive(path, now):
            return None
        owner = dict(host=socket.gethostname(), process=os.getpid(), run=name)
        path.write_text(json.dumps(owner) + '\n')
    return Claim(path)


def is_claimed(folder: str | Path, name: str) -> bool:
    """Say whether a living process has claimed a run; see :func:`take_claim`."""
    with _only_one(Path(folder)) as now:
        return _alive(Path(folder) / f'{name}.json', now)


def _alive(path: Path, now: float) -> bool:
    try:
        touched = path.stat().st_mtime
        owner: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return False
    except ValueError:
        owner = {}
    if now - touched > STALE_AFTER:
        return False
    return owner.get('host') != socket.gethostname() or _is_running(int(owner.get('process', 0)))


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@contextmanager
def _only_one(folder: Path) -> Iterator[float]:
    """Let one process at a time look at claims; yields the file system's time."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = open(folder / 'lock', 'a')  # noqa: SIM115 - closed below
    except OSError as error:
        raise UserError(f'cannot write into the folder {folder}: {error.strerror}') from error
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        os.utime(folder / 'lock')
        yield os.stat(folder / 'lock').st_mtime
