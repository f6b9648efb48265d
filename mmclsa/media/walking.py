"""Going through folders: every file is taken, named or counted."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath

__all__ = ['FolderWalk', 'Group', 'special_kind']

_KINDS = (
    (stat.S_ISFIFO, 'pipe'),
    (stat.S_ISSOCK, 'socket'),
    (stat.S_ISCHR, 'device'),
    (stat.S_ISBLK, 'device'),
)


@dataclass
class Group:
    """Files that belong together.

    Attributes:
        files: Absolute paths; of a folder in no order.
        known: Whether some are in another group, as their folder was met before.
    """

    files: list[str] = field(default_factory=list)
    known: bool = False


def special_kind(path: str) -> str:
    """Say what a file is that cannot be read to an end; empty for others.

    Example:
        >>> special_kind('/dev/null'), special_kind('/no/such/file')
        ('device', '')
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return ''
    return next((name for is_kind, name in _KINDS if is_kind(mode)), '')


class FolderWalk:
    """Goes through folders, each once.

    First all folders under their own names; what links lead to comes at the
    end, so that a folder that is reached by both is always called the same.
    Links in a circle come to an end.

    Args:
        wanted: Says by its name whether a file is footage.

    Attributes:
        skipped: What looks like footage and cannot be used, and why.
        passed_over: How many other files there are, by kind.
    """

    def __init__(self, wanted: Callable[[str], bool]) -> None:
        self.wanted = wanted
        self.skipped: dict[str, str] = {}
        self.passed_over: Counter[str] = Counter()
        self._met: set[tuple[int, int]] = set()  # device and number of folders
        self._links: list[tuple[str, Group]] = []

    def folder(self, path: str) -> Group:
        """Take a folder with all below it.

        Args:
            path: Absolute.

        Returns:
            Its files, to which :meth:`follow_links` adds more.
        """
        group = Group()
        self._walk(path, group)
        return group

    def file(self, path: str) -> Group:
        """Take a file.

        Args:
            path: Absolute.

        Returns:
            The file; nothing if it is no footage, which is noted.
        """
        return Group(self._file(path, special_kind(path)))

    def _file(self, path: str, kind: str) -> list[str]:
        if not self.wanted(path):
            self.passed_over[kind or PurePath(path).suffix.lower() or 'no suffix'] += 1
        elif kind:
            self.skipped[path] = f'{path} is a {kind}, not a file'
        else:
            return [path]
        return []

    def follow_links(self) -> None:
        """Walk what links to folders lead to, unless it was met."""
        while self._links:
            links, self._links = sorted(self._links, key=lambda link: link[0]), []
            for path, group in links:
                self._walk(path, group)

    def _walk(self, top: str, group: Group) -> None:
        """Take what is below a folder."""
        waiting = [top]
        while waiting:
            path = waiting.pop()
            try:
                status = os.stat(path)
                if (status.st_dev, status.st_ino) in self._met:
                    group.known = True
                    continue
                self._met.add((status.st_dev, status.st_ino))
                with os.scandir(path) as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
            except OSError as error:
                self.skipped[path] = f'folder {path} cannot be read ({error.strerror})'
                continue
            for entry in entries:
                # What is no link is known without asking the disk again.
                linked = entry.is_symlink()
                folder = os.path.isdir(entry.path) if linked else entry.is_dir()
                if entry.name.startswith('.'):
                    self.passed_over['hidden folder' if folder else 'hidden file'] += 1
                elif folder and linked:
                    self._links.append((entry.path, group))
                elif folder:
                    waiting.append(entry.path)
                else:
                    plain = not linked and entry.is_file()
                    group.files += self._file(entry.path, '' if plain else special_kind(entry.path))
