"""Where the readers read: folders of this machine, or of any storage that looks like one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, Union, cast, runtime_checkable

__all__ = ['AnyPath', 'ReadablePath', 'as_path']


@runtime_checkable
class ReadablePath(Protocol):
    """What of ``pathlib.Path`` the readers use.

    A missing file raises ``FileNotFoundError`` when it is read.
    """

    @property
    def name(self) -> str:
        """The last part of the path."""

    @property
    def stem(self) -> str:
        """The last part without its suffix."""

    def __truediv__(self, key: Any) -> ReadablePath:
        """Give the path of what is inside."""

    def exists(self) -> bool:
        """Whether there is a file or a folder."""

    def is_dir(self) -> bool:
        """Whether there is a folder."""

    def glob(self, pattern: str) -> Iterator[ReadablePath]:
        """List the files of this folder whose names match."""

    def read_bytes(self) -> bytes:
        """Read the whole file."""

    def read_text(self, encoding: str | None = None) -> str:
        """Read the whole file as text."""


AnyPath = Union[str, Path, ReadablePath]


def as_path(path: AnyPath) -> ReadablePath:
    """Make a path of a name, whose ``~`` is the home folder; leave paths of any storage.

    Example:
        >>> as_path('data/prw').name
        'prw'
    """
    return cast(ReadablePath, Path(os.path.expanduser(path)) if isinstance(path, str) else path)
