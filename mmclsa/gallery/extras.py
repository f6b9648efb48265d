"""What an index keeps beside its records: crops, the frames behind them, counts of pairs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from mmclsa.errors import DataError
from mmclsa.gallery.blobs import (
    blob_checksum,
    pack_pairs,
    unpack_frames,
    unpack_pairs,
)
from mmclsa.gallery.database import Database
from mmclsa.structures.sightings import PairCounts, TrackFrames

__all__ = ['ExtraStore']

# Numbers in one query, for which there is a limit.
_BLOCK = 1000
# The columns of the bytes by their tables.
_BLOBS = {'crops': 'jpeg', 'behind': 'frames'}


class ExtraStore:
    """Crops and frames by row number, counts of pairs by unit of work.

    What is not yet committed is kept in memory.

    Args:
        database: Database of the index.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.forget_pending()

    def forget_pending(self) -> None:
        """Drop what is not committed."""
        self._blobs: dict[str, dict[int, bytes]] = {table: {} for table in _BLOBS}
        self._pairs: dict[str, PairCounts] = {}

    def append(
        self,
        start: int,
        crops: Sequence[bytes],
        behind: Sequence[bytes],
        unit: str,
        pairs: PairCounts | None,
    ) -> None:
        """Take what belongs to people beyond the committed ones.

        Args:
            start: Row number of the first.
            crops: A JPEG file each, or none where it is empty; may be empty.
            behind: What :func:`~mmclsa.gallery.blobs.pack_frames` gave
                of each, or none where it is empty; may be empty.
            unit: Key of the unit of work.
            pairs: Its counts of pairs.
        """
        for table, blobs in (('crops', crops), ('behind', behind)):
            self._blobs[table].update((row, blob) for row, blob in enumerate(blobs, start) if blob)
        if pairs is not None:
            self._pairs[unit] = self._pairs.get(unit, PairCounts()) + pairs

    @property
    def changed(self) -> bool:
        """Whether there are counts of pairs to commit."""
        return bool(self._pairs)

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what is not yet committed.

        Args:
            connection: Within a transaction.

        Raises:
            sqlite3.Error: If it cannot be written.
        """
        for table, blobs in self._blobs.items():
            if blobs:
                connection.executemany(
                    f'INSERT INTO {table} VALUES (?, ?, ?)',
                    ((row, blob, blob_checksum(row, blob)) for row, blob in blobs.items()),
                )
        if self._pairs:
            connection.executemany(
                'INSERT OR REPLACE INTO pairs VALUES (?, ?)',
                ((unit, pack_pairs(self._with_committed(unit))) for unit in self._pairs),
            )

    def _with_committed(self, unit: str) -> PairCounts:
        found = self._database.read('SELECT counts FROM pairs WHERE unit = ?', (unit,))
        return sum((self._unpack_pairs(unit, blob) for (blob,) in found), self._pairs[unit])

    def delete(
        self, connection: sqlite3.Connection, rows: Sequence[int] = (), units: Sequence[str] = ()
    ) -> None:
        """Delete what belongs to people and to units of work.

        Args:
            connection: Within a transaction.
            rows: Row numbers.
            units: Keys of units of work that are no longer finished.

        Raises:
            sqlite3.Error: If it cannot be written.
        """
        for table in _BLOBS:
            connection.executemany(f'DELETE FROM {table} WHERE row = ?', ((row,) for row in rows))
        connection.executemany('DELETE FROM pairs WHERE unit = ?', ((unit,) for unit in units))

    @property
    def has_crops(self) -> bool:
        """Whether there is any crop."""
        table = self._database.tables['crops']
        return bool(self._blobs['crops'] or self._database.read(f'SELECT 1 FROM {table} LIMIT 1'))

    def crops(self, rows: Sequence[int]) -> dict[int, bytes]:
        """Look up crops.

        Args:
            rows: Row numbers.

        Returns:
            JPEG files by row number; a row without one is not in it.

        Raises:
            DataError: If the database is broken.
        """
        return dict(self._find('crops', rows))

    def behind(self, row: int) -> TrackFrames | None:
        """Look up the frames behind a sighting.

        Args:
            row: Row number.

        Returns:
            The frames; None if they are not known.

        Raises:
            DataError: If the database is broken.
        """
        for _, blob in self._find('behind', [row]):
            return self._unpack_frames(row, blob)
        return None

    def pair_counts(self) -> PairCounts:
        """Give the sum of all counts of pairs.

        Raises:
            DataError: If the database is broken.
        """
        found = self._database.read(f'SELECT unit, counts FROM {self._database.tables["pairs"]}')
        committed = (self._unpack_pairs(unit, blob) for unit, blob in found)
        return sum([*committed, *self._pairs.values()], PairCounts())

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Give how many crops and how many frames behind there are, and their bytes."""
        found = {}
        for table, column in _BLOBS.items():
            (found[table],) = self._database.read(
                f'SELECT count(*), coalesce(sum(length({column})), 0) '
                f'FROM {self._database.tables[table]}'
            )
        return found

    def check(self) -> None:
        """Read everything and compare it with what was written.

        Raises:
            DataError: If anything is broken, or belongs to nobody.
        """
        tables = self._database.tables
        for table in _BLOBS:
            found = self._database.read(f'SELECT row FROM {tables[table]}')
            rows = [row for (row,) in found]
            for row, blob in self._find(table, rows):
                if table == 'behind':
                    self._unpack_frames(row, blob)
            lost = self._database.read(
                f'SELECT row FROM {tables[table]} '
                f'WHERE row NOT IN (SELECT row FROM {tables["people"]}) '
                'AND row NOT IN (SELECT row FROM doomed) LIMIT 1'
            )
            if lost:
                raise DataError(
                    f'{self._database.path} is broken: {table} has row {lost[0][0]}, '
                    'which is nobody'
                )
        self.pair_counts()

    def _find(self, table: str, rows: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Give the bytes of rows, those not yet committed included."""
        source = f'SELECT row, {_BLOBS[table]}, checksum FROM {self._database.tables[table]}'
        for start in range(0, len(rows), _BLOCK):
            wanted = rows[start : start + _BLOCK]
            for row in wanted:
                if row in self._blobs[table]:
                    yield row, self._blobs[table][row]
            numbers = ', '.join(map(str, wanted))
            for row, blob, expected in self._database.read(f'{source} WHERE row IN ({numbers})'):
                if not isinstance(blob, bytes) or blob_checksum(row, blob) != expected:
                    raise self._broken(table, row)
                yield row, blob

    def _unpack_frames(self, row: int, blob: bytes) -> TrackFrames:
        try:
            return unpack_frames(blob)
        except DataError as error:
            raise self._broken('behind', row) from error

    def _unpack_pairs(self, unit: str, blob: bytes) -> PairCounts:
        try:
            return unpack_pairs(blob)
        except DataError as error:
            raise self._broken('pairs', unit) from error

    def _broken(self, table: str, key: Any) -> DataError:
        return DataError(
            f'{self._database.path} is broken: {table} of {key!r} are not what was written'
        )
