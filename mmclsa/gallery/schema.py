"""The tables of an index, those of former versions, and the way from these to today's."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ['SCHEMA', 'UPGRADE', 'find_version', 'tables_of']

_MANIFEST = 'CREATE TABLE manifest (content TEXT NOT NULL)'
_NAMES = 'CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)'
_UNITS = 'CREATE TABLE units (name TEXT PRIMARY KEY) WITHOUT ROWID'
_DOOMED = 'CREATE TABLE doomed (row INTEGER PRIMARY KEY)'

# ``people`` has the place of a person's embedding in its order; ``doomed`` are
# deleted rows of which a backend, crops or frames behind are still there; ``records`` is for
# whoever looks in.
_VERSION_2 = (
    _MANIFEST,
    _NAMES,
    """
CREATE TABLE people (
    row INTEGER PRIMARY KEY,
    source INTEGER NOT NULL, frame INTEGER NOT NULL, time REAL,
    x1 REAL NOT NULL, y1 REAL NOT NULL, x2 REAL NOT NULL, y2 REAL NOT NULL,
    score REAL NOT NULL, camera INTEGER NOT NULL, track_id INTEGER NOT NULL,
    checksum INTEGER NOT NULL
)""".strip(),
    _UNITS,
    _DOOMED,
    """
CREATE VIEW records AS
    SELECT row, sources.name AS source, frame, time, x1, y1, x2, y2, score,
        cameras.name AS camera, track_id, checksum
    FROM people
    JOIN names AS sources ON sources.id = people.source
    JOIN names AS cameras ON cameras.id = people.camera""".strip(),
)
# ``num_frames`` is NULL where a person was seen in one frame alone; ``crops``
# are JPEG files, ``behind`` and ``pairs`` what mmclsa.gallery.blobs packs.
_PEOPLE = """
CREATE TABLE people (
    row INTEGER PRIMARY KEY,
    source INTEGER NOT NULL, frame INTEGER NOT NULL, time REAL,
    x1 REAL NOT NULL, y1 REAL NOT NULL, x2 REAL NOT NULL, y2 REAL NOT NULL,
    score REAL NOT NULL, camera INTEGER NOT NULL, track_id INTEGER NOT NULL,
    first_frame INTEGER, last_frame INTEGER, time_from REAL, time_to REAL,
    num_frames INTEGER, checksum INTEGER NOT NULL
)""".strip()
_RECORDS = """
CREATE VIEW records AS
    SELECT row, sources.name AS source, frame, time, x1, y1, x2, y2, score,
        cameras.name AS camera, track_id, first_frame, last_frame, time_from,
        time_to, num_frames, checksum
    FROM people
    JOIN names AS sources ON sources.id = people.source
    JOIN names AS cameras ON cameras.id = people.camera""".strip()
_CROPS = """
CREATE TABLE crops (
    row INTEGER PRIMARY KEY, jpeg BLOB NOT NULL, checksum INTEGER NOT NULL
)""".strip()
_BEHIND = """
CREATE TABLE behind (
    row INTEGER PRIMARY KEY, frames BLOB NOT NULL, checksum INTEGER NOT NULL
)""".strip()
_PAIRS = 'CREATE TABLE pairs (unit TEXT PRIMARY KEY, counts BLOB NOT NULL) WITHOUT ROWID'

# Every search asks for the tracks of its hits; without it that goes through all rows.
_TRACKS = 'CREATE INDEX tracks ON people (source, track_id)'

#: What makes the tables of a new index.
SCHEMA = (_MANIFEST, _NAMES, _PEOPLE, _UNITS, _DOOMED, _RECORDS, _CROPS, _BEHIND, _PAIRS, _TRACKS)

_OLD_COLUMNS = (
    'row, source, frame, time, x1, y1, x2, y2, score, camera, track_id, '
    'NULL AS first_frame, NULL AS last_frame, NULL AS time_from, NULL AS time_to, '
    'NULL AS num_frames, checksum'
)
#: What makes the tables of version 2 today's, in one transaction.
UPGRADE = (
    'DROP VIEW records',
    'ALTER TABLE people RENAME TO former',
    _PEOPLE,
    f'INSERT INTO people SELECT {_OLD_COLUMNS} FROM former',
    'DROP TABLE former',
    _RECORDS,
    _CROPS,
    _BEHIND,
    _PAIRS,
    _TRACKS,
)

_TODAY = {name: name for name in ('people', 'records', 'crops', 'behind', 'pairs')}
# What stands for a table that an older version has not, or not like this.
_STAND_INS = {
    'people': f'(SELECT {_OLD_COLUMNS} FROM people)',
    'records': f'(SELECT {_OLD_COLUMNS} FROM records)',
    'crops': '(SELECT 0 AS row, NULL AS jpeg, 0 AS checksum WHERE FALSE)',
    'behind': '(SELECT 0 AS row, NULL AS frames, 0 AS checksum WHERE FALSE)',
    'pairs': "(SELECT '' AS unit, NULL AS counts WHERE FALSE)",
}


def find_version(statements: Sequence[str]) -> int | None:
    """Tell of which version a database is.

    Args:
        statements: What made its tables, in any order.

    Returns:
        The version; None if it is no index, or has more or other things in it.

    Example:
        >>> find_version(SCHEMA), find_version(SCHEMA[:-1])
        (3, None)
    """
    for version, schema in ((3, SCHEMA), (2, _VERSION_2)):
        if sorted(statements) == sorted(schema):
            return version
    return None


def tables_of(version: int) -> dict[str, str]:
    """Give what to read from in place of each of today's tables.

    Args:
        version: That of the database.

    Returns:
        A table or a subquery by the table's name, with today's columns.

    Example:
        >>> tables_of(3)['crops']
        'crops'
    """
    return dict(_TODAY if version == 3 else _STAND_INS)
