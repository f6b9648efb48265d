"""One-sentence reasons for the end of a multi-process run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

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
    said = str(error)
    for known, sentence in _KNOWN.items():
        if re.search(known, said, re.IGNORECASE | re.DOTALL):
            return sentence
    return None


@contextmanager
def explain_failures() -> Iterator[None]:
    """Add a sentence to an error whose own words do not say what happened.

    Yields:
        Nothing.

    Raises:
        RuntimeError: With the sentence, from the error, whose traceback stays.
    """
    try:
        yield
    except RuntimeError as error:
        sentence = explain(error)
        if sentence is None:
            raise
        raise RuntimeError(sentence) from error
