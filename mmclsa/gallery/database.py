"""The database of an index: one file of SQLite, of exactly these tables."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmclsa.errors import DataError, UserError
from mmclsa.gallery.manifest import MANIFEST, VERSION, Manifest, read_manifest
from mmclsa.gallery.schema import SCHEMA, UPGRADE, find_version, tables_of
from mmclsa.utils.io import atomic_write

__all__ = ['Database', 'LockedError']

# Seconds to wait for another process, which holds its lock while it commits.
_PATIENCE = 60.0
# A small file is written anew to give back the space of what was deleted. Of a
# large one the free pages are, so many at a time; it is written anew where they
# are few, as those deleted lay among others, and if so much of it was deleted.
_SMALL = 1 << 26
_PAGES = 1000
_WORTH_SHRINKING = 1 / 16
_INCREMENTAL = 2  # PRAGMA auto_vacuum
_PAUSE = 0.1  # seconds
_CACHE = 64_000  # KiB: what is changed beyond it locks readers out before the commit


class LockedError(UserError):
    """Another process has kept the database locked for as long as was waited."""


class Database:
    """Connection to the database of an index.

    A commit is SQLite's own: whole or not at all, whatever happens, with a
    rollback journal. A write-ahead log would leave files beside it without
    which it cannot be opened, and could not be read where nothing is written.

    Args:
        folder: Folder of the index.
        writable: Whether the caller writes, under the writer's lock.

    Attributes:
        tables: What to read from by the name of each table, as
            :func:`~mmclsa.gallery.schema.tables_of` gives it.
        lock: Held while the connection is used, which several threads may do;
            whoever holds it may take it again.

    Raises:
        DataError: If there is none, or one with other tables than an index has.
    """

    def __init__(self, folder: Path, writable: bool) -> None:
        self.path = folder / MANIFEST
        self.lock = threading.RLock()
        if not self.path.is_file():
            old = (folder / 'manifest.json').is_file()
            hint = ': it is of an older mmclsa, see tools/misc/convert_gallery.py' if old else ''
            raise DataError(f'there is no index in {folder}: no file {MANIFEST}{hint}')
        # Also who only reads ends what a killed writer has begun, if he may.
        uri = f'{self.path.resolve().as_uri()}?mode=rw'
        with self.reading():
            self._connection = sqlite3.connect(
                uri, _PATIENCE, isolation_level=None, check_same_thread=False, uri=True
            )
        try:
            self._prepare(writable)
            self._place = self.path.absolute()
            self._file = _number_of(self._place)
        except BaseException:
            self.close()
            raise

    def _prepare(self, writable: bool) -> None:
        """Let nothing in the file be called, and what is deleted be overwritten."""
        with self.reading():
            self._connection.execute('PRAGMA trusted_schema = OFF')
            self._connection.execute('PRAGMA cell_size_check = ON')
            self._connection.execute('PRAGMA secure_delete = ON')
            self._connection.execute('PRAGMA synchronous = EXTRA')
            mode = f'cache_size = -{_CACHE}' if writable else 'query_only = ON'
            self._connection.execute(f'PRAGMA {mode}')
        with self.snapshot():
            self.look_at_tables()
            ((pages, size),) = self.read('SELECT * FROM pragma_page_count, pragma_page_size')
            length = self.path.stat().st_size
        if length < pages * size:
            raise DataError(
                f'{self.path} is broken: it has {length} bytes instead of {pages * size}'
            )

    def check_place(self) -> None:
        """Make sure that the open file has not been deleted, or another put in its place.

        Raises:
            DataError: If it has.
        """
        if self._file != _number_of(self._place):
            raise DataError(
                f'{self.path} was deleted, moved or replaced while it was open: '
                'open it again, or start again what serves it'
            )

    def wait_at_most(self, seconds: float) -> None:
        """Say how long to wait for another process that keeps the file locked."""
        with self.reading():
            self._connection.execute(f'PRAGMA busy_timeout = {round(1000 * seconds)}')

    def look_at_tables(self) -> None:
        """Find out of which version the file is; a writer may have raised it since.

        Raises:
            DataError: If it has more or other things in it than an index.
        """
        found = self.read('SELECT sql FROM sqlite_master WHERE sql IS NOT NULL')
        version = find_version([sql for (sql,) in found])
        if version is None:
            raise DataError(f'{self.path} is broken: it does not have the tables of an index')
        self._version = version
        self.tables = tables_of(version)

    def upgrade(self) -> None:
        """Bring a file of an older version to today's, whole or not at all.

        Another process may have done so since it was opened.

        Raises:
            DataError: If its manifest is broken.
            sqlite3.Error: If it cannot be written.
        """
        if self._version < VERSION:
            with self.transaction() as connection:
                self.look_at_tables()
                if self._version < VERSION:
                    content = self.manifest().dump()
                    for statement in UPGRADE:
                        connection.execute(statement)
                    connection.execute('UPDATE manifest SET content = ?', (content,))
            self.look_at_tables()

    @classmethod
    def create(cls, folder: Path, manifest: Manifest) -> None:
        """Make the database of a new index, whole or not at all.

        Args:
            folder: Folder of the index, locked by the caller.
            manifest: Its manifest.

        Raises:
            sqlite3.Error: If it cannot be written.
        """
        with atomic_write(folder / MANIFEST) as path:
            connection = sqlite3.connect(path, isolation_level=None)
            try:
                connection.execute('PRAGMA journal_mode = OFF')
                connection.execute('PRAGMA auto_vacuum = INCREMENTAL')
                for statement in SCHEMA:
                    connection.execute(statement)
                connection.execute('INSERT INTO manifest VALUES (?)', (manifest.dump(),))
            finally:
                connection.close()

    def manifest(self) -> Manifest:
        """Read the manifest.

        Returns:
            The state last committed.

        Raises:
            DataError: If it is broken or of a newer version.
        """
        found = self.read('SELECT content FROM manifest')
        if len(found) != 1:
            raise DataError(f'{self.path} is broken: it has {len(found)} manifests')
        return read_manifest(found[0][0], str(self.path))

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Give all rows of a query.

        Args:
            sql: The query.
            parameters: What stands for its question marks.

        Returns:
            The rows.

        Raises:
            DataError: If the file is broken.
            LockedError: If another process keeps it locked.
        """
        with self.lock, self.reading():
            return self._connection.execute(sql, parameters).fetchall()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Say in one sentence what is wrong with the file.

        Raises:
            DataError: If it is broken.
            LockedError: If another process keeps it locked.
        """
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if 'locked' in str(error):
                raise LockedError(f'{self.path} is locked by another process') from error
            raise DataError(f'{self.path} is broken or cannot be read: {error}') from error

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reads of the block see the same commit."""
        with self.lock, self.reading():
            self._connection.execute('BEGIN')
            try:
                yield
            finally:
                self._connection.execute('ROLLBACK')

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all that the block does, or nothing.

        Yields:
            The connection.

        Raises:
            sqlite3.Error: If it cannot be written.
        """
        with self.lock:
            self._connection.execute('BEGIN IMMEDIATE')
            try:
                yield self._connection
                self._connection.execute('COMMIT')
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute('ROLLBACK')
                raise

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """After the block, leave the file to others for as long, of work in short steps."""
        began = time.monotonic()
        yield
        time.sleep(min(_PAUSE, time.monotonic() - began))

    def shrink(self, deleted: float = 0.0) -> None:
        """Give back the space of what was deleted, if it is worth it.

        Others read meanwhile, unless the file is written anew: a small one, one
        of an older mmclsa, or one in which those deleted lay among others.

        Args:
            deleted: Share of the people who were, in [0, 1]; what they leave
                in pages that others share is not counted as free.

        Raises:
            sqlite3.Error: If it cannot be written.
        """
        ((free, pages, size, mode),) = self.read(
            'SELECT * FROM pragma_freelist_count, pragma_page_count, pragma_page_size, '
            'pragma_auto_vacuum'
        )
        large, empty = pages * size > _SMALL, free / max(1, pages)
        if large and mode == _INCREMENTAL and empty >= deleted / 2:
            for _ in range(0, free, _PAGES):
                with self.in_turn(), self.lock:
                    # Of one statement, execute() would take a single step: a page.
                    self._connection.executescript(f'PRAGMA incremental_vacuum({_PAGES})')
        elif max(deleted, empty) >= (_WORTH_SHRINKING if large else 1e-9):
            with self.lock:
                self._connection.execute('PRAGMA auto_vacuum = INCREMENTAL')
                self._connection.execute('VACUUM')

    def check(self) -> None:
        """Read all of the file.

        Raises:
            DataError: If it is broken.
        """
        ((found, *_), *_) = self.read('PRAGMA integrity_check')
        if found != 'ok':
            raise DataError(f'{self.path} is broken: {found}')

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def _number_of(path: Path) -> tuple[int, int] | None:
    """Tell which file is there; None if none is, or it may not be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
