"""The database of an index: one file of SQLite, of exactly these tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmclsa.errors import DataError, UserError
from mmclsa.gallery.manifest import MANIFEST, Manifest, read_manifest
from mmclsa.utils.io import atomic_write

__all__ = ['Database']

# ``people`` has the place of a person's embedding in its order; ``doomed`` are
# rows that a backend has still to delete; ``records`` is for whoever looks in.
_SCHEMA = """
CREATE TABLE manifest (content TEXT NOT NULL);
CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE people (
    row INTEGER PRIMARY KEY,
    source INTEGER NOT NULL, frame INTEGER NOT NULL, time REAL,
    x1 REAL NOT NULL, y1 REAL NOT NULL, x2 REAL NOT NULL, y2 REAL NOT NULL,
    score REAL NOT NULL, camera INTEGER NOT NULL, track_id INTEGER NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TABLE units (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE doomed (row INTEGER PRIMARY KEY);
CREATE VIEW records AS
    SELECT row, sources.name AS source, frame, time, x1, y1, x2, y2, score,
        cameras.name AS camera, track_id, checksum
    FROM people
    JOIN names AS sources ON sources.id = people.source
    JOIN names AS cameras ON cameras.id = people.camera
""".strip().split(';\n')
# Seconds to wait for another process, which holds its lock while it commits.
_PATIENCE = 60.0


class Database:
    """Connection to the database of an index.

    A commit is SQLite's own: whole or not at all, whatever happens, with a
    rollback journal. A write-ahead log would leave files beside it without
    which it cannot be opened, and could not be read where nothing is written.

    Args:
        folder: Folder of the index.
        writable: Whether the caller writes, under the writer's lock.

    Raises:
        DataError: If there is none, or one with other tables than an index has.
    """

    def __init__(self, folder: Path, writable: bool) -> None:
        self.path = folder / MANIFEST
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
            if not writable:
                self._connection.execute('PRAGMA query_only = ON')
        self._check_shape()

    def _check_shape(self) -> None:
        """Refuse a file that is cut short, or that has more or other things in it."""
        with self.snapshot():
            found = self.read('SELECT sql FROM sqlite_master WHERE sql IS NOT NULL')
            ((pages, size),) = self.read('SELECT * FROM pragma_page_count, pragma_page_size')
            length = self.path.stat().st_size
        if [sql for (sql,) in found] != _SCHEMA:
            raise DataError(f'{self.path} is broken: it does not have the tables of an index')
        if length < pages * size:
            raise DataError(
                f'{self.path} is broken: it has {length} bytes instead of {pages * size}'
            )

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
                for statement in _SCHEMA:
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
            UserError: If another process keeps it locked.
        """
        with self.reading():
            return self._connection.execute(sql, parameters).fetchall()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Say in one sentence what is wrong with the file.

        Raises:
            DataError: If it is broken.
            UserError: If another process keeps it locked.
        """
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if 'locked' in str(error):
                raise UserError(f'{self.path} is locked by another process') from error
            raise DataError(f'{self.path} is broken or cannot be read: {error}') from error

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reads of the block see the same commit."""
        with self.reading():
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
        self._connection.execute('BEGIN IMMEDIATE')
        try:
            yield self._connection
            self._connection.execute('COMMIT')
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute('ROLLBACK')
            raise

    def shrink(self) -> None:
        """Give back the space of what was deleted.

        Raises:
            sqlite3.Error: If it cannot be written.
        """
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
