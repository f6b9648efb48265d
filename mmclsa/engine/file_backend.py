"""A file backend of MMEngine that never leaves half a file behind."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from mmclsa.errors import UserError
from mmclsa.utils.io import atomic_write

__all__ = ['AtomicLocalBackend']


class AtomicLocalBackend(LocalBackend):
    """The local file system, every file of which appears whole or not at all.

    Chosen by ``backend_args=dict(backend='atomic')``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to a temporary file and rename it.

        Args:
            obj: Content of the file.
            filepath: Path to write to.

        Raises:
            UserError: If it cannot be written, such as onto a full disk.
        """
        try:
            with atomic_write(filepath) as temporary:
                temporary.write_bytes(obj)
        except OSError as error:
            raise UserError(f'cannot write {filepath}: {error.strerror or error}') from error

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text to a temporary file and rename it.

        Args:
            obj: Content of the file.
            filepath: Path to write to.
            encoding: How the text becomes bytes.
        """
        self.put(obj.encode(encoding), filepath)


register_backend('atomic', AtomicLocalBackend, force=True)
