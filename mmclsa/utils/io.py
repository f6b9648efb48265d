"""Writing files so that nobody ever finds half of one."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mmclsa.errors import UserError

__all__ = [
    'atomic_write',
    'check_writable',
    'remove_leftovers',
    'telling_write_errors',
    'write_json',
]


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all.

    Yields a temporary path in the folder of ``path`` with the same suffix
    (libraries such as OpenCV and NumPy choose a format by it). When the block
    ends well the file is flushed to disk and renamed to ``path``; when it
    raises, the temporary file goes and ``path`` is as it was.

    Args:
        path: File to write. Its folder is made if it is not there.

    Yields:
        The temporary path to write to.

    Raises:
        UserError: If the folder cannot be made or written to.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / 'figures' / 'result.json'
        >>> with atomic_write(target) as temporary:
        ...     _ = temporary.write_text('{"mAP": 1.0}')
        >>> target.read_text()
        '{"mAP": 1.0}'
    """
    path = Path(path)
    temporary = _reserve(path)
    try:
        yield temporary
        _flush_to_disk(temporary)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def write_json(
    path: str | Path, content: Any, indent: int | None = None, ensure_ascii: bool = True
) -> None:
    """Write a JSON file whole or not at all.

    Args:
        path: File to write. Its folder is made if it is not there.
        content: What JSON can say; no NaN and no infinity.
        indent: Spaces a level; None for one line.
        ensure_ascii: Write nothing but ASCII; else the file is UTF-8.

    Raises:
        UserError: If the folder cannot be made or written to, the path is that of
            a folder, or the disk is full or fails.
        ValueError: If a number is not finite.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / 'result.json'
        >>> write_json(target, {'mAP': 1.0})
        >>> target.read_text().strip()
        '{"mAP": 1.0}'
    """
    text = json.dumps(content, indent=indent, ensure_ascii=ensure_ascii, allow_nan=False)
    with telling_write_errors(path), atomic_write(path) as temporary:
        temporary.write_text(text + '\n', encoding='utf-8')


@contextmanager
def telling_write_errors(path: str | Path) -> Iterator[None]:
    """Turn what a disk can do to the writer of a file into one sentence.

    Args:
        path: The file.

    Raises:
        UserError: In place of any OSError.

    Example:
        >>> with telling_write_errors('a.json'):
        ...     raise OSError(28, 'No space left on device')
        Traceback (most recent call last):
        mmclsa.errors.UserError: cannot write a.json: No space left on device
    """
    try:
        yield
    except OSError as error:
        raise UserError(f'cannot write {path}: {error.strerror or error}') from error


def check_writable(folder: str | Path) -> Path:
    """Make a folder and prove that a file can be written into it.

    Args:
        folder: Folder that is about to receive results.

    Returns:
        The folder, which now exists.

    Raises:
        UserError: If the folder cannot be made or written to.

    Example:
        >>> import tempfile
        >>> check_writable(Path(tempfile.mkdtemp()) / 'work').name
        'work'
    """
    folder = Path(folder)
    _reserve(folder / 'probe').unlink()
    return folder


def remove_leftovers(folder: str | Path, names: Iterable[str]) -> list[Path]:
    """Delete the temporary files of writes that were killed.

    Only where nobody else writes at the same time: a file that is being
    written looks the same.

    Args:
        folder: Where :func:`atomic_write` was to write.
        names: Patterns of the files that were to be written, such as
            ``*.pth``.

    Returns:
        The deleted files.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / '.epoch_3.a1b2c3d4.tmp.pth').write_text('half')
        >>> _ = (folder / 'epoch_2.pth').write_text('whole')
        >>> [path.name for path in remove_leftovers(folder, ['*.pth'])]
        ['.epoch_3.a1b2c3d4.tmp.pth']
    """
    found = []
    for name in map(Path, names):
        # As _reserve makes them; mkstemp puts eight characters in between.
        pattern = f'.{name.stem}.{"?" * 8}.tmp{name.suffix}'
        found.extend(sorted(Path(folder).glob(pattern)))
    for path in found:
        path.unlink(missing_ok=True)
    return found


def _reserve(path: Path) -> Path:
    """Create an empty temporary file beside ``path``, with its suffix."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f'.{path.stem}.', suffix=f'.tmp{path.suffix}', dir=path.parent
        )
    except OSError as error:
        raise UserError(
            f'cannot write into the folder {path.parent}: {error.strerror or error}'
        ) from error
    os.close(handle)
    # mkstemp gives 0600 whatever the umask says; results are shared files.
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(name, 0o666 & ~umask)
    return Path(name)


def _flush_to_disk(path: Path) -> None:
    """Force a file's bytes to disk, so that the rename cannot overtake them."""
    with open(path, 'rb') as stream:
        os.fsync(stream.fileno())
