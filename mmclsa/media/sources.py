"""Sources of footage: folders, pictures, videos, and lists of these."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mmclsa.errors import UserError
from mmclsa.media.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES, is_picture, is_video

__all__ = ['LIST_SUFFIXES', 'list_files']

#: Suffixes of text files with a source on each line.
LIST_SUFFIXES = ('.txt', '.lst', '.list')


def list_files(source: str | Path) -> list[str]:
    """List the pictures and videos of a source.

    Args:
        source: A folder, a picture, a video, or a list of these.

    Returns:
        Absolute paths; of a folder all below it, sorted, hidden ones left
        out; of a list in its order, files that are missing among them.

    Raises:
        UserError: If the source does not exist or is of no known kind.
    """
    path = Path(os.path.abspath(source))
    if path.is_dir():
        return sorted(_walk(path))
    if not path.is_file():
        raise UserError(f'the source {source} does not exist')
    if _is_media(path.name):
        return [str(path)]
    if path.suffix.lower() in LIST_SUFFIXES:
        return list(_read_list(path))
    raise UserError(
        f'the source {source} must be a folder, a picture ({", ".join(IMAGE_SUFFIXES)}), a video '
        f'({", ".join(VIDEO_SUFFIXES)}) or a list ({", ".join(LIST_SUFFIXES)})'
    )


def _walk(folder: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith('.')]
        yield from (
            os.path.join(parent, name)
            for name in files
            if _is_media(name) and not name.startswith('.')
        )


def _read_list(path: Path) -> Iterator[str]:
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'the list {path} cannot be read as UTF-8 text: {error}') from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        entry = Path(os.path.abspath(path.parent / line.strip()))
        if entry.is_dir():
            yield from sorted(_walk(entry))
        elif _is_media(entry.name):
            yield str(entry)
        else:
            raise UserError(
                f'line {number} of the list {path} must be a folder, a picture or a video, but is '
                f'{line.strip()[:200]!r}'
            )


def _is_media(name: str) -> bool:
    return is_picture(name) or is_video(name)
