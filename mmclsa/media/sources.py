"""Sources of footage: folders, pictures, videos, patterns, and lists of these."""

from __future__ import annotations

import codecs
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmclsa.errors import UserError
from mmclsa.media.patterns import expand_pattern, is_pattern
from mmclsa.media.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES, is_picture, is_video
from mmclsa.media.walking import FolderWalk, Group, special_kind

__all__ = ['LIST_SUFFIXES', 'Footage', 'absolute_source', 'find_footage', 'list_files']

#: Suffixes of text files with a source on each line.
LIST_SUFFIXES = ('.txt', '.lst', '.list')
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ADDRESS = re.compile(r'[A-Za-z][A-Za-z0-9+.-]+:/')


@dataclass(frozen=True)
class Footage:
    """The files of some sources.

    Attributes:
        files: Absolute paths of pictures and videos, each once.
        skipped: What looks like footage and cannot be used, and why.
        passed_over: How many other files there are, by kind: a suffix,
            ``hidden folder``, ``pipe`` and the like.
    """

    files: Sequence[str]
    skipped: dict[str, str] = field(default_factory=dict)
    passed_over: Counter[str] = field(default_factory=Counter)


def absolute_source(source: str | Path) -> str:
    """Make a source absolute; ``~`` is the home of a user.

    Example:
        >>> absolute_source('/footage/../stills/*.jpg')
        '/stills/*.jpg'
    """
    text = os.fspath(source)
    return os.path.abspath(text if os.path.lexists(text) else os.path.expanduser(text))


def list_files(source: str | Path) -> list[str]:
    """List the pictures and videos of a source.

    Args:
        source: See :func:`find_footage`.

    Returns:
        Absolute paths; of a folder all below it, sorted, hidden ones left
        out; of a list in its order, files that are missing among them.

    Raises:
        UserError: If the source does not exist or is of no known kind.
    """
    (groups,) = _groups([source], FolderWalk(_is_media))
    return _files(groups)


def find_footage(sources: Sequence[str | Path]) -> Footage:
    """Find the pictures and videos of some sources, and what else lies there.

    Args:
        sources: Folders, pictures, videos, patterns such as ``~/cam*/*.jpg``
            (``**`` stands for folders), and lists of these: text files with a
            source on each line, relative to the list. Links to folders are
            followed, each folder once, under its own name if it has one among
            the sources.

    Returns:
        The files, source by source, and by name within a folder.

    Raises:
        UserError: If a source does not exist, is of no known kind or the
            address of a stream, or has no footage in it.
    """
    walk = FolderWalk(_is_media)
    files: dict[str, None] = {}
    for source, groups in zip(sources, _groups(sources, walk)):
        if not any(group.files or group.known for group in groups) and not walk.skipped:
            others = ', '.join(f'{kind} {count}' for kind, count in walk.passed_over.most_common())
            raise UserError(
                f'the source {source} has no picture and no video in it'
                f'{f" (other files: {others})" if others else ""}'
            )
        files.update(dict.fromkeys(_files(groups)))
    return Footage(list(files), walk.skipped, walk.passed_over)


def _groups(sources: Sequence[str | Path], walk: FolderWalk) -> list[list[Group]]:
    """For each source the files that belong together: a folder's, or one file."""
    found = [_enter(os.fspath(source), f'the source {source}', walk) for source in sources]
    walk.follow_links()
    return found


def _files(groups: Sequence[Group]) -> list[str]:
    return list(dict.fromkeys(path for group in groups for path in sorted(group.files)))


def _enter(source: str, called: str, walk: FolderWalk, folder: str = '') -> list[Group]:
    """Take a source; a name is relative to the folder of the list that it is in."""
    if not source:  # as of a shell's variable that is not set; it would be the current folder
        raise UserError('a source must be a path, but is an empty text')
    if _ADDRESS.match(source) and not os.path.lexists(source):
        address = re.sub(':/(?!/)', '://', source)  # a Path has lost a slash
        raise UserError(
            f'{called} is an address, and streams are not read: record it to a file first, such as '
            f'by "ffmpeg -i {address} -c copy camera.mkv", and give that file'
        )
    path = absolute_source(os.path.join(folder, os.path.expanduser(source)) if folder else source)
    if os.path.isdir(path):
        return [walk.folder(path)]
    if is_pattern(path) and not os.path.lexists(path):
        return _enter_pattern(path, called, walk)
    if kind := special_kind(path):
        raise UserError(f'{called} must be a file or a folder, but is a {kind}')
    if _is_media(path) and (folder or os.path.lexists(path)):
        return [Group([path])]
    if not folder and not os.path.lexists(path):
        raise UserError(f'{called} does not exist')
    if not folder and path.lower().endswith(LIST_SUFFIXES):
        return _enter_list(path, walk)
    lists = ', '.join(LIST_SUFFIXES)
    raise UserError(
        f'{called} must be a folder, a picture ({", ".join(IMAGE_SUFFIXES)}), a video '
        f'({", ".join(VIDEO_SUFFIXES)}){"" if folder else f" or a list ({lists})"}'
    )


def _enter_pattern(pattern: str, called: str, walk: FolderWalk) -> list[Group]:
    matches = expand_pattern(pattern)
    if not matches:
        raise UserError(f'{called} is a pattern that no file and no folder has')
    return [walk.folder(path) if os.path.isdir(path) else walk.file(path) for path in matches]


def _enter_list(path: str, walk: FolderWalk) -> list[Group]:
    try:
        data = Path(path).read_bytes()
        # PowerShell writes UTF-16 where it is told nothing.
        lines = data.decode(
            'utf-16' if data[:2] in _UTF_16 and data[2:] else 'utf-8-sig'
        ).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'the list {path} cannot be read as UTF-8 text: {error}') from error
    return [
        group
        for number, line in enumerate(lines, 1)
        if line.strip()
        for group in _enter_line(line.strip(), number, path, walk)
    ]


def _enter_line(line: str, number: int, path: str, walk: FolderWalk) -> list[Group]:
    folder = os.path.dirname(path)
    if '\\' in line and not os.path.lexists(os.path.join(folder, line)):
        line = line.replace('\\', '/')  # written on Windows
    return _enter(line, f'line {number} of the list {path} ({line[:200]!r})', walk, folder)


def _is_media(name: str) -> bool:
    return is_picture(name) or is_video(name)
