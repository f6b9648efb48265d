"""Finding pictures whose names were written on another machine."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

__all__ = ['find_files']

_THREADS = 16  # a network file system answers many questions at once
_DRIVE = re.compile(r'([A-Za-z]:)?/')


def find_files(folder: str, names: Sequence[str]) -> dict[str, str]:
    """Find the files of names that are no file as they stand.

    In this order: a backslash is a slash; ``~`` is the home folder; ``%20`` is
    a blank; a name may begin with the folder's own; of an absolute path only
    its end is taken; upper and lower case, and the ways to write an accent,
    are alike where only one file fits.

    Args:
        folder: Of the pictures.
        names: Paths below it, or absolute ones, as an annotation file has them.

    Returns:
        Path below the folder (or absolute) by name, for names that are no
        file, but for which another one is; the rest is missing or as it stands.
    """
    if not os.path.isdir(folder):
        return {}
    with ThreadPoolExecutor(_THREADS) as pool:
        there = list(pool.map(lambda name: os.path.exists(os.path.join(folder, name)), names))
    listings: dict[str, dict[str, list[str]]] = {}
    found = {}
    for name, exists in zip(names, there):
        other = None if exists else _find(folder, name, listings)
        if other is not None:
            found[name] = other
    return found


def _find(folder: str, name: str, listings: dict[str, dict[str, list[str]]]) -> str | None:
    candidates = list(dict.fromkeys(_candidates(folder, name)))
    for candidate in candidates:
        if os.path.isfile(os.path.join(folder, candidate)):
            return candidate
    for candidate in candidates:
        alike = None if os.path.isabs(candidate) else _find_alike(folder, candidate, listings)
        if alike is not None:
            return alike
    return None


def _candidates(folder: str, name: str) -> Iterator[str]:
    """Give the names that a file may have here, the likeliest first."""
    slashed = name.replace('\\', '/')
    own = os.path.basename(os.path.abspath(folder))
    for path in dict.fromkeys([slashed, unquote(slashed)]):
        path = os.path.expanduser(path) if path.startswith('~') else path
        yield path
        parts = [part for part in path.split('/') if part not in ('', '.')]
        if parts and own in parts[:-1]:
            yield '/'.join(parts[len(parts) - parts[::-1].index(own) :])
        if _DRIVE.match(path):
            yield from ('/'.join(parts[start:]) for start in range(1, len(parts)))
            if len(parts) == 1:
                yield parts[0]


def _find_alike(folder: str, name: str, listings: dict[str, dict[str, list[str]]]) -> str | None:
    """Find a file by its name without regard to case; None where none or several are alike."""
    taken: list[str] = []
    for part in Path(name).parts:
        place = os.path.join(folder, *taken)
        if os.path.exists(os.path.join(place, part)):
            taken.append(part)
            continue
        alike = _listing(place, listings).get(_fold(part), [])
        if len(alike) != 1:
            return None
        taken += alike
    return '/'.join(taken)


def _listing(folder: str, listings: dict[str, dict[str, list[str]]]) -> dict[str, list[str]]:
    if folder not in listings:
        names: dict[str, list[str]] = {}
        try:
            for entry in os.listdir(folder):
                names.setdefault(_fold(entry), []).append(entry)
        except OSError:
            pass  # no folder, so nothing in it
        listings[folder] = names
    return listings[folder]


def _fold(name: str) -> str:
    return unicodedata.normalize('NFC', name).casefold()
