"""Finding the folders of MOTChallenge sequences by names and patterns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from mmclsa.errors import DataError
from mmclsa.media.patterns import is_pattern
from mmclsa.utils.text import counted

__all__ = ['FoundSequences', 'find_sequences', 'split_root']

# What a Mac and a notebook leave in folders; names with a dot in front are hidden anyway.
_NEVER = ('__MACOSX',)


@dataclass(frozen=True)
class FoundSequences:
    """What names and patterns stand for.

    Attributes:
        names: Folders relative to the root, or absolute; each once.
        passed_over: Folders that a pattern fits but that have no gt/gt.txt or
            are hidden.
        repeated: Names of folders that are there already under another name.
    """

    names: list[str]
    passed_over: list[str]
    repeated: list[str]

    def told(self) -> list[str]:
        """Say in sentences what was passed over."""
        passed = ' hidden or without gt/gt.txt '
        kinds = [
            (f'folder that is{passed}was passed over', f'folders that are{passed}were passed over'),
            (
                'folder was named twice and is read once',
                'folders were named twice and are read once',
            ),
        ]
        return [
            f'{counted(len(names), *words)}: {", ".join(names[:5])}'
            for words, names in zip(kinds, (self.passed_over, self.repeated))
            if names
        ]


def split_root(root: str, names: Sequence[str]) -> tuple[str, list[str]]:
    """Move the patterns in a root over to the names below it, and expand ``~``.

    Returns:
        A root without patterns, and the names below it.

    Example:
        >>> split_root('data/MOT*/train', ['*'])
        ('data', ['MOT*/train/*'])
    """
    if '://' in root:
        return root, list(names)
    root = os.path.expanduser(root)
    names = [os.path.expanduser(name) for name in names]
    if not is_pattern(root) or os.path.exists(root):
        return root, names
    parts = Path(root).parts
    first = next(place for place, part in enumerate(parts) if is_pattern(part))
    rest = Path(*parts[first:])
    return str(Path(*parts[:first])), [(rest / name).as_posix() for name in names]


def find_sequences(root: str | Path, names: Sequence[str]) -> FoundSequences:
    """Find the folders that names and patterns stand for.

    A pattern stands for folders, and links to folders, that have
    ``gt/gt.txt``; hidden ones are passed over. A folder that is named is
    taken as it is. ``*`` in a folder that is a sequence itself is that one.

    Raises:
        DataError: If a pattern fits no sequence.
    """
    given, names = split_root(str(root), names)
    root = Path(given)
    found: dict[str, str] = {}
    passed_over: dict[str, None] = {}
    repeated: list[str] = []
    for name in names:
        matches = [name]
        if is_pattern(name) and not (root / name).exists():
            matches, others = _match(root, name)
            passed_over.update(dict.fromkeys(others))
        for match in matches:
            place = os.path.realpath(root / match)
            if found.setdefault(place, match) != match:
                repeated.append(match)
    return FoundSequences(list(found.values()), list(passed_over), repeated)


def _match(root: Path, pattern: str) -> tuple[list[str], list[str]]:
    """List the sequences that a pattern fits, and the folders that are none."""
    folders = _glob(root, pattern)
    names = [Path(os.path.relpath(path, root)) for path in folders]
    if Path(pattern).is_absolute():
        names = folders
    shown = [not any(p.startswith('.') or p in _NEVER for p in name.parts) for name in names]
    whole = [ok and (path / 'gt' / 'gt.txt').is_file() for ok, path in zip(shown, folders)]
    matches = sorted(name.as_posix() for name, ok in zip(names, whole) if ok)
    # Not gt/ and img1/ of the sequences themselves, which ** fits too.
    others = sorted(
        name.as_posix()
        for name, ok in zip(names, whole)
        if not ok and not any(part.as_posix() in matches for part in name.parents)
    )
    if not matches and pattern == '*' and (root / 'gt' / 'gt.txt').is_file():
        return ['.'], []
    if not matches:
        told = f', only folders without gt/gt.txt ({", ".join(others[:5])})' if others else ''
        if root.is_file():
            told = ', which is a file: unpack it first, if it is an archive'
        raise DataError(
            f'no MOTChallenge sequence fits {pattern} in {root}{told}; docs/datasets.md tells how '
            'to get the data set'
        )
    return matches, others


def _glob(root: Path, pattern: str) -> list[Path]:
    """Find the folders that a pattern fits, hidden ones and links among them."""
    path = Path(pattern)
    start = Path(path.anchor) if path.is_absolute() else root
    return list(_expand(start, path.parts[1:] if path.is_absolute() else path.parts))


def _expand(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    if not parts:
        yield folder
    elif parts[0] == '**':
        for inner in _below(folder):
            yield from _expand(inner, parts[1:])
    elif is_pattern(parts[0]):
        for inner in _folders_in(folder):
            if fnmatchcase(inner.name, parts[0]):
                yield from _expand(inner, parts[1:])
    elif (folder / parts[0]).is_dir():
        yield from _expand(folder / parts[0], parts[1:])


def _below(folder: Path) -> Iterator[Path]:
    """List a folder and all below it, each once though links may lead in circles."""
    waiting, seen = [folder], set()
    while waiting:
        current = waiting.pop(0)
        place = os.path.realpath(current)
        if place not in seen:
            seen.add(place)
            yield current
            waiting += [path for path in _folders_in(current) if not path.name.startswith('.')]


def _folders_in(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:  # not ours to read
        return []
