"""Patterns of file names, as a shell expands them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

__all__ = ['expand_pattern', 'is_pattern']

_MAGIC = re.compile(r'[*?\[]')


def is_pattern(name: str) -> bool:
    """Say whether a name has ``*``, ``?`` or ``[`` in it.

    Example:
        >>> is_pattern('a/*.jpg'), is_pattern('a.jpg')
        (True, False)
    """
    return bool(_MAGIC.search(name))


def expand_pattern(pattern: str) -> list[str]:
    """List what a pattern stands for: ``*``, ``?``, ``[...]``, and ``**`` for folders.

    A file or folder whose own name has brackets, and neither ``*`` nor ``?``, is meant itself.
    Hidden files are left out unless the pattern has the dot. Links to folders
    are followed, each folder once: Python's ``glob`` would walk links that go
    round in circles until it has exhausted them.

    Args:
        pattern: An absolute path.

    Returns:
        Files and folders that are there, each once, sorted.
    """
    root, *parts = pattern.split('/')
    return sorted(set(_matches(root or '/', [part for part in parts if part])))


def _matches(folder: str, parts: list[str]) -> Iterator[str]:
    if not parts:
        yield folder
        return
    first, rest = parts[0], parts[1:]
    if first == '**':
        for below in _folders(folder, set()):
            yield from _matches(below, rest)
    elif not is_pattern(first) or _is_named_so(folder, first):
        path = os.path.join(folder, first)
        if os.path.lexists(path):
            yield from _matches(path, rest)
    else:
        for name in _names(folder):
            if fnmatchcase(name, first) and (first[0] == '.' or name[0] != '.'):
                yield from _matches(os.path.join(folder, name), rest)


def _is_named_so(folder: str, part: str) -> bool:
    """Say whether brackets are of a name that is there, such as ``camera [1]``."""
    return not {'*', '?'} & set(part) and os.path.lexists(os.path.join(folder, part))


def _folders(folder: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    """List a folder and all below it that are not hidden, each once."""
    try:
        status = os.stat(folder)
    except OSError:
        return
    if (status.st_dev, status.st_ino) in seen or not os.path.isdir(folder):
        return
    seen.add((status.st_dev, status.st_ino))
    yield folder
    paths = [os.path.join(folder, name) for name in _names(folder) if name[0] != '.']
    for path in sorted(paths, key=os.path.islink):  # the folder itself before a link to it
        yield from _folders(path, seen)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
