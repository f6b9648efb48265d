"""Names of files as visitors are told them: no folders but those that tell files apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

__all__ = ['display_names', 'file_name']


def file_name(source: str) -> str:
    """Leave out the folders of a file.

    Example:
        >>> file_name('/srv/footage/a.mp4')
        'a.mp4'
    """
    return PurePath(source).name


def display_names(sources: Iterable[str]) -> dict[str, str]:
    """Name files of which others have the same name.

    Args:
        sources: Paths, each once.

    Returns:
        By its path, the shortest ending of the path of each such file that no
        other file has; of a whole path, its first folder and the name. Files with
        a name of their own are not in it.

    Example:
        >>> display_names(['/srv/door/a.mp4', '/srv/yard/a.mp4', '/srv/yard/b.mp4'])
        {'/srv/door/a.mp4': 'door/a.mp4', '/srv/yard/a.mp4': 'yard/a.mp4'}
    """
    alike = defaultdict(list)
    for source in sources:
        alike[source.rpartition('/')[2]].append(source)
    named: dict[str, str] = {}
    for same in alike.values():
        if len(same) > 1:
            named.update(_abridged(_told_apart(same)))
    return named


def _abridged(named: Mapping[str, str]) -> dict[str, str]:
    """Leave out the middle of names that are whole paths, where the others still differ."""
    short = {}
    for source, name in named.items():
        parts = name.split('/')
        whole = len(parts) == len(_parts(source)) and len(parts) > 2
        short[source] = f'{parts[0]}/…/{parts[-1]}' if whole else name
    times = Counter(short.values())
    return {source: name if times[name] == 1 else named[source] for source, name in short.items()}


def _told_apart(sources: Sequence[str]) -> Mapping[str, str]:
    """Lengthen the names of some until each has its own."""
    named, left, depth = {}, {source: _parts(source) for source in sources}, 1
    while left:
        depth += 1
        endings = defaultdict(list)
        for source, parts in left.items():
            endings[parts[-depth:]].append(source)
        for ending, same in endings.items():
            # One that is no longer than this cannot be made any clearer.
            short = [source for source in same if len(left[source]) <= depth]
            for source in same if len(same) == 1 else short:
                named[source] = '/'.join(ending)
                del left[source]
    return named


def _parts(source: str) -> tuple[str, ...]:
    return tuple(part for part in source.split('/') if part)
