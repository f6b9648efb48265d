"""Reading from the storage that MMEngine's file backends know: S3, HTTP, one's own."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from mmengine.fileio import get_file_backend

from mmclsa.datasets.readers.paths import ReadablePath, as_path
from mmclsa.errors import ConfigError, DataError

__all__ = ['StoragePath', 'is_remote', 'join', 'open_path']

BackendArgs = dict[str, Any]


def is_remote(path: str, backend_args: BackendArgs | None = None) -> bool:
    """Tell whether a path is to be read through a file backend.

    Example:
        >>> is_remote('data/prw'), is_remote('s3://bucket/prw'), is_remote('data', {'backend': 'x'})
        (False, True, True)
    """
    return backend_args is not None or '://' in path


def join(folder: str, *names: str) -> str:
    """Join names to a folder of any storage (pathlib makes one slash of two).

    Example:
        >>> join('s3://bucket/prw/', 'frames', 'a.jpg'), join('data/', 'a.jpg')
        ('s3://bucket/prw/frames/a.jpg', 'data/a.jpg')
    """
    if '://' not in folder:
        return str(Path(folder, *names))
    return '/'.join([folder.rstrip('/'), *(name.strip('/') for name in names if name)])


def open_path(path: str, backend_args: BackendArgs | None = None) -> ReadablePath:
    """Give a path to read from.

    Args:
        path: A local path, or one with a prefix such as ``s3://``.
        backend_args: As everywhere in MMEngine: ``backend`` and its options;
            None for what the prefix says.

    Returns:
        A ``pathlib.Path`` for local files, else a :class:`StoragePath`.
    """
    return StoragePath(path, backend_args) if is_remote(path, backend_args) else as_path(path)


class StoragePath:
    """A path in a storage, with what of ``pathlib.Path`` the readers use.

    Args:
        path: With or without a prefix such as ``s3://``.
        backend_args: ``backend`` and its options; None for what the prefix says.

    Raises:
        ConfigError: If there is no such backend.
    """

    def __init__(self, path: str, backend_args: BackendArgs | None = None) -> None:
        self.path = path
        self.backend_args = backend_args
        try:
            self._backend = get_file_backend(path, backend_args=backend_args, enable_singleton=True)
        # A backend's constructor raises what it likes; often its package is not installed.
        except Exception as error:
            raise ConfigError(
                f'{path} cannot be read with backend_args {backend_args}: '
                f'{type(error).__name__}: {error}'
            ) from error

    def __str__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f'StoragePath({self.path!r})'

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name

    @property
    def stem(self) -> str:
        """The last part without its suffix."""
        return PurePosixPath(self.path).stem

    def __truediv__(self, key: Any) -> StoragePath:
        return StoragePath(join(self.path, str(key)), self.backend_args)

    def exists(self) -> bool:
        """Whether there is a file or a folder."""
        return bool(self._backend.exists(self.path))

    def is_dir(self) -> bool:
        """Whether there is a folder."""
        return bool(self._backend.isdir(self.path))

    def glob(self, pattern: str) -> Iterator[StoragePath]:
        """List the files of this folder whose names match."""
        for name in self._backend.list_dir_or_file(self.path, list_dir=False):
            if fnmatch(str(name), pattern):
                yield self / name

    def read_bytes(self) -> bytes:
        """Read the whole file.

        Raises:
            FileNotFoundError: If there is none.
            DataError: If the storage does not give it.
        """
        try:
            return bytes(self._backend.get(self.path))
        except FileNotFoundError:
            raise
        # Each backend has errors of its own, also for what is not there.
        except Exception as error:
            if not self.exists():
                raise FileNotFoundError(2, 'No such file', self.path) from error
            raise DataError(
                f'{self.path} cannot be read from its storage ({type(error).__name__}: {error})'
            ) from error

    def read_text(self, encoding: str | None = None) -> str:
        """Read the whole file as text, UTF-8 by default."""
        return self.read_bytes().decode(encoding or 'utf-8')
