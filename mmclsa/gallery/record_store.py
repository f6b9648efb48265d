"""All records of an index: those in its database and those not yet committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any, cast

import numpy as np

from mmclsa.errors import DataError
from mmclsa.gallery.contents import Contents, sum_up
from mmclsa.gallery.database import Database
from mmclsa.gallery.extras import ExtraStore
from mmclsa.gallery.filters import SearchFilter, filter_condition
from mmclsa.gallery.manifest import Manifest
from mmclsa.gallery.records import (
    COLUMNS,
    GalleryRecord,
    checksum,
    decode_record,
    encode_record,
    span_of,
)
from mmclsa.gallery.row_numbers import RowNumbers
from mmclsa.gallery.tracks import count_sightings, track_stays
from mmclsa.structures.sightings import Stay

__all__ = ['RecordStore']

# Whoever searches with a filter mostly does so more than once.
_MASKS_KEPT = 4
_BLOCK = 10_000
_SOURCES_AT_ONCE = 10_000  # the length of a question to the database is limited
_STEP = 1000  # rows deleted while readers wait
_COLUMNS = ', '.join(COLUMNS)


class RecordStore:
    """Records by row number, in the order of adding.

    Args:
        database: Database of the index.

    Attributes:
        numbers: The row numbers, set by :meth:`load`.
        extras: Crops, the frames behind sightings, counts of pairs.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.extras = ExtraStore(database)

    def load(self, manifest: Manifest) -> None:
        """Take over a committed state: these rows, and no others.

        Args:
            manifest: The manifest.

        Raises:
            DataError: If there are more or fewer people than it says.
        """
        rows = None
        if manifest.next_row > manifest.people:
            rows = self._rows(manifest.next_row)
            if len(rows) != manifest.people:
                raise DataError(
                    f'{self._database.path} is broken: {len(rows)} people instead of '
                    f'{manifest.people}'
                )
        self.numbers = RowNumbers(manifest.people, manifest.next_row, rows)
        self._forget_pending()

    def _forget_pending(self) -> None:
        self._masks: dict[SearchFilter, np.ndarray] = {}
        self._contents: Contents | None = None
        self._pending: list[tuple[Any, ...]] = []
        self._codes: list[bytes] = []
        self._units: set[str] = set()
        self.extras.forget_pending()

    def __len__(self) -> int:
        return self.numbers.count + len(self._pending)

    @property
    def changed(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self._pending or self._units or self.extras.changed)

    def shards(self) -> set[str]:
        """Give the finished units of work, those not yet committed included."""
        return self._units.union(name for (name,) in self._database.read('SELECT name FROM units'))

    def has_shard(self, shard: str) -> bool:
        """Tell whether a unit of work is finished, committed or not."""
        found = self._database.read('SELECT 1 FROM units WHERE name = ?', (shard,))
        return shard in self._units or bool(found)

    def append(
        self, records: Sequence[tuple[Any, ...]], codes: np.ndarray, shard: str | None
    ) -> int:
        """Take people beyond the committed ones.

        Args:
            records: What :func:`~mmclsa.gallery.records.encode_record` gave.
            codes: Shape (n, bytes), uint8, their stored embeddings.
            shard: Key of the unit of work that gave them.

        Returns:
            Row number of the first.
        """
        start = self.numbers.next_row + len(self._pending)
        self._pending += ((*record, checksum(record, code)) for record, code in zip(records, codes))
        self._codes += (code.tobytes() for code in codes)  # a view may move
        self._masks.clear()
        if shard is not None:
            self._units.add(shard)
        return start

    def commit(
        self,
        manifest: Manifest,
        tracks: Mapping[int, int] | None = None,
        codes: Callable[[int], bytes] | None = None,
    ) -> Manifest:
        """Write what is not yet committed, all at once.

        Args:
            manifest: The manifest so far.
            tracks: Rows, committed or not, that are of another track now.
            codes: Gives the stored embedding of a committed row.

        Returns:
            The one that is written with it.

        Raises:
            sqlite3.Error: If it cannot be written.
        """
        count, start = len(self._pending), manifest.next_row
        changed = self._rename(tracks or {}, codes)
        new = replace(
            manifest, people=manifest.people + count, next_row=start + count,
            generation=manifest.generation + bool(tracks),  # the same rows, but others
        )  # fmt: skip
        names = {text for values in self._pending for text in (values[0], values[8])}
        with self._database.transaction() as connection:
            connection.executemany(
                'INSERT OR IGNORE INTO names (name) VALUES (?)', ((name,) for name in names)
            )
            ids = self._name_ids(names)
            connection.executemany(
                f'INSERT INTO people VALUES ({", ".join("?" * (len(COLUMNS) + 2))})',
                (
                    (row, ids[values[0]], *values[1:8], ids[values[8]], *values[9:])
                    for row, values in enumerate(self._pending, start)
                ),
            )
            connection.executemany('INSERT INTO units VALUES (?)', ((u,) for u in self._units))
            connection.executemany(
                'UPDATE people SET track_id = ?, checksum = ? WHERE row = ?', changed
            )
            self.extras.write(connection)
            connection.execute('UPDATE manifest SET content = ?', (new.dump(),))
        self.numbers = self.numbers.grown(count)
        self._forget_pending()
        return new

    def _rename(
        self, tracks: Mapping[int, int], codes: Callable[[int], bytes] | None
    ) -> list[tuple[int, int, int]]:
        """Give rows other tracks: at once those not committed, and what to write for the others."""
        start, changed = self.numbers.next_row, []
        records = self.get(np.array([row for row in tracks if row < start], np.int64))
        for row, track in tracks.items():
            if row < start:
                assert codes is not None  # for mypy: only those without committed rows need none
                values = encode_record(replace(records[row], track_id=track))
                changed.append((track, checksum(values, codes(row)), row))
            else:
                record = decode_record(self._pending[row - start][:-1])
                values = encode_record(replace(record, track_id=track))
                code = self._codes[row - start]
                self._pending[row - start] = (*values, checksum(values, code))
        return changed

    def publish(self, manifest: Manifest) -> None:
        """Write the manifest alone.

        Args:
            manifest: The manifest.

        Raises:
            sqlite3.Error: If it cannot be written.
        """
        with self._database.transaction() as connection:
            connection.execute('UPDATE manifest SET content = ?', (manifest.dump(),))

    def delete(self, rows: np.ndarray, manifest: Manifest, units: Sequence[str] = ()) -> None:
        """Delete people, and note that what belongs to them has still to be.

        Args:
            rows: Shape (n,), row numbers that exist.
            manifest: The manifest without them.
            units: Keys of units of work that are no longer finished.

        Raises:
            sqlite3.Error: If it cannot be written.
        """
        numbers = [(row,) for row in rows.tolist()]
        with self._database.transaction() as connection:
            connection.executemany('DELETE FROM people WHERE row = ?', numbers)
            connection.executemany('INSERT INTO doomed VALUES (?)', numbers)
            connection.executemany('DELETE FROM units WHERE name = ?', ((u,) for u in units))
            self.extras.delete(connection, units=units)
            connection.execute(
                'DELETE FROM names WHERE id NOT IN '
                '(SELECT source FROM people UNION SELECT camera FROM people)'
            )
            connection.execute('UPDATE manifest SET content = ?', (manifest.dump(),))
        self.load(manifest)

    def doomed(self) -> np.ndarray:
        """Give the rows of which something has still to be deleted, shape (n,), int64."""
        found = self._database.read('SELECT row FROM doomed')
        return np.array([row for (row,) in found], np.int64)

    def forget_doomed(self, rows: np.ndarray) -> None:
        """Delete their crops and the frames behind them, a few at a time.

        Args:
            rows: Shape (n,), what :meth:`doomed` gave, and the backend has deleted.

        Raises:
            sqlite3.Error: If it cannot be written.
        """
        for start in range(0, len(rows), _STEP):
            few = rows[start : start + _STEP].tolist()
            with self._database.in_turn(), self._database.transaction() as connection:
                self.extras.delete(connection, few)
                connection.executemany('DELETE FROM doomed WHERE row = ?', ((r,) for r in few))

    def get(self, rows: np.ndarray) -> dict[int, GalleryRecord]:
        """Look up records.

        Args:
            rows: Shape (n,), row numbers.

        Returns:
            The records by row number; a row that is not there is not in it.

        Raises:
            DataError: If the database is broken.
        """
        found: dict[int, GalleryRecord] = {}
        for start in range(0, len(rows), _BLOCK):
            # Numbers, so they need no question marks, of which there is a limit.
            wanted = ', '.join(map(str, rows[start : start + _BLOCK].tolist()))
            for row, *values in self._select(f'row IN ({wanted})'):
                found[row] = self._decode(values)
        for row in rows[rows >= self.numbers.next_row].tolist():
            found[row] = decode_record(self._pending[row - self.numbers.next_row][:-1])
        return found

    def all(self) -> list[GalleryRecord]:
        """Give all records, in the order of their rows."""
        found = [self._decode(values) for _, *values in self._select('TRUE ORDER BY row')]
        return found + [decode_record(values[:-1]) for values in self._pending]

    def contents(self) -> Contents:
        """See :meth:`IndexReader.contents`."""
        if self._contents is None:
            self._contents = sum_up(self._database, self.numbers.next_row, self.numbers.count)
        return self._contents

    def sources(self) -> list[str]:
        """See :meth:`IndexReader.sources`."""
        found = self._database.read(
            'SELECT name FROM names WHERE id IN '
            f'(SELECT source FROM {self._database.tables["people"]} WHERE row < ?) ORDER BY name',
            (self.numbers.next_row,),
        )
        return [name for (name,) in found]

    def rows_of(self, where: SearchFilter) -> np.ndarray:
        """See :meth:`IndexReader.find`."""
        if len(where.sources or ()) <= _SOURCES_AT_ONCE:
            return self._rows(self.numbers.next_row, *filter_condition(where, self._name_ids))
        sources = where.sources or ()
        parts = [
            self.rows_of(replace(where, sources=sources[start : start + _SOURCES_AT_ONCE]))
            for start in range(0, len(sources), _SOURCES_AT_ONCE)
        ]
        return np.unique(np.concatenate(parts))

    def same_tracks(self, rows: np.ndarray) -> np.ndarray:
        """See :meth:`IndexReader.same_tracks`."""
        wanted = ', '.join(map(str, rows.tolist()))
        return self._rows(
            self.numbers.next_row,
            f'(row IN ({wanted}) OR (source, track_id) IN '
            f'(SELECT source, track_id FROM people WHERE track_id >= 0 AND row IN ({wanted})))',
        )

    def track_stays(self, rows: np.ndarray) -> dict[tuple[str, int], Stay]:
        """See :meth:`IndexReader.track_stays`."""
        return track_stays(self._database, rows, self.numbers.next_row)

    def count_sightings(self, where: SearchFilter) -> int:
        """See :meth:`IndexReader.count_sightings`."""
        condition = filter_condition(where, self._name_ids)
        return count_sightings(self._database, self.numbers.next_row, *condition)

    def _rows(
        self, next_row: int, condition: str = 'TRUE', parameters: Sequence[Any] = ()
    ) -> np.ndarray:
        """Find committed rows, shape (n,), int64, ascending."""
        # As one text, which takes a third of the time of as many tuples.
        ((text,),) = self._database.read(
            'SELECT group_concat(row) FROM (SELECT row '
            f'FROM {self._database.tables["people"]} WHERE row < ? AND {condition} ORDER BY row)',
            (next_row, *parameters),
        )
        return np.fromstring(text, np.int64, sep=',') if text else np.empty(0, np.int64)

    def mask(self, where: SearchFilter, without: np.ndarray | None = None) -> np.ndarray:
        """Tell which places a filter lets through.

        Args:
            where: The filter.
            without: Rows that it does not, whatever they are, shape (n,).

        Returns:
            Shape (len(self),), bool.
        """
        if where not in self._masks:
            mask = np.zeros(len(self), bool)
            places = self.numbers.places(self.rows_of(where))
            mask[places[places >= 0]] = True
            for place, values in enumerate(self._pending, self.numbers.count):
                mask[place] = where.passes(values[0], values[8], *span_of(values))
            while len(self._masks) >= _MASKS_KEPT:
                del self._masks[next(iter(self._masks))]
            self._masks[where] = mask
        if without is None or not len(without):
            return self._masks[where]
        mask = self._masks[where].copy()
        places = self.numbers.places(without)
        mask[places[(places >= 0) & (places < len(mask))]] = False
        return mask

    def check(self, start: int, codes: np.ndarray) -> None:
        """Compare people with what was written.

        Args:
            start: Place of the first.
            codes: Shape (n, bytes), uint8, the stored embeddings from there on.

        Raises:
            DataError: If somebody is missing or differs.
        """
        rows = self.numbers.at(np.arange(start, start + len(codes))).tolist()
        if not rows:
            return
        found = self._select(f'row BETWEEN {rows[0]} AND {rows[-1]} ORDER BY row', ', checksum')
        for row, (number, *values, expected), code in zip_longest(
            rows, found, codes, fillvalue=cast(Any, (None,) * (len(COLUMNS) + 2))
        ):
            if number != row or checksum(encode_record(decode_record(values)), code) != expected:
                raise DataError(f'row {row} is not what was written')

    def _select(self, condition: str, more: str = '') -> list[tuple[Any, ...]]:
        return self._database.read(
            f'SELECT row, {_COLUMNS}{more} FROM {self._database.tables["records"]} '
            f'WHERE row < {self.numbers.next_row} AND {condition}'
        )

    def _decode(self, values: Sequence[Any]) -> GalleryRecord:
        try:
            return decode_record(values)
        except DataError as error:
            raise DataError(f'{self._database.path} is broken: {error}') from error

    def _name_ids(self, names: Iterable[str]) -> dict[str, int]:
        """Give the numbers of those names that are in the index."""
        found = {}
        for name in names:
            for (number,) in self._database.read('SELECT id FROM names WHERE name = ?', (name,)):
                found[name] = int(number)
        return found
