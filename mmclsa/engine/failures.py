"""One-sentence reasons for the end of a multi-process run."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

__all__ = ['explain', 'explain_failures']

_WORKER_KILLED = (
    'A data worker was killed from outside, perhaps for want of memory: '
    'fewer num_workers need less.'
)
_NO_SHARED_MEMORY = (
    'The data workers ran out of shared memory: give the container more (docker --shm-size), '
    'or take num_workers=0.'
)
_NO_DESCRIPTORS = (
    'There are more open files than the system allows: raise the limit (ulimit -n 65536), or take '
    'fewer num_workers.'
)
_PEER_GONE = (
    'Another process of this run has ended or hangs, so this one ends too: '
    'the reason is what that process wrote last.'
)
#: Seconds within which PyTorch raises an error of its own for a worker that has ended.
_SOON = 2.0
_KNOWN = {
    r'DataLoader worker .*(killed by signal: (?!Bus)|exited unexpectedly)': _WORKER_KILLED,
    r'Too many open files|received 0 items of ancdata': _NO_DESCRIPTORS,
    r'bus error|shared memory.*No space left|file </torch_.*No space left': _NO_SHARED_MEMORY,
    r'gloo.*(Connection closed|Connection reset|Broken pipe|timed out|timeout)': _PEER_GONE,
    r'Connection closed by peer|Socket closed|NCCL.*(remote|timeout|aborted)': _PEER_GONE,
}


def explain(error: BaseException) -> str | None:
    """Explain an error of multi-process training.

    Args:
        error: What was raised.

    Returns:
        A sentence, or None if nothing is known about the error.

    Example:
        >>> explain(RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed.'))
        'A data worker was killed from outside, perhaps for want of memory: fewer ...'
        >>> explain(RuntimeError('shapes do not match'))
    """
    if isinstance(error, (ConnectionError, EOFError)) and _takes_from_worker(error):
        return _WORKER_KILLED
    said = str(error)
    for known, sentence in _KNOWN.items():
        if re.search(known, said, re.IGNORECASE | re.DOTALL):
            return sentence
    return None


def _takes_from_worker(error: BaseException) -> bool:
    """Tell whether it broke off while a loader took data from a worker.

    PyTorch asks then which worker has ended. A killed one closes its connections some time
    before the system says so of it, and then PyTorch leaves the error as it is.
    """
    return any(frame.f_code.co_name == '_try_get_data' for frame, _ in walk_tb(error.__traceback__))


@contextmanager
def explain_failures() -> Iterator[None]:
    """Add a sentence to an error whose own words do not say what happened.

    Yields:
        Nothing.

    Raises:
        RuntimeError: With the sentence, from the error, whose traceback stays.
    """
    # Twice: that a worker has ended is raised wherever the main thread is, the first block too.
    with _explained(), _explained():
        yield


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ConnectionError, EOFError) as error:
        sentence = explain(error)
        if sentence is None:
            raise
        if not isinstance(error, RuntimeError):
            time.sleep(_SOON)  # so that the other is raised here, and not while this is told
        raise RuntimeError(sentence) from error
