"""An index as mmclsa 1 wrote it, version 2: without stays, crops and the rest."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

# What is in the files out there, written down once more.
SCHEMA = """
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
_PEOPLE = 'row, source, frame, time, x1, y1, x2, y2, score, camera, track_id, checksum'


def to_version_2(folder: Path) -> None:
    """Rewrite an index without sightings as the older version had it."""
    path, old = folder / 'index.sqlite', folder / 'old.sqlite'
    with closing(sqlite3.connect(old, isolation_level=None)) as database:
        for statement in SCHEMA:
            database.execute(statement)
        database.execute('ATTACH ? AS new', (str(path),))
        for table in ('names', 'units', 'doomed'):
            database.execute(f'INSERT INTO {table} SELECT * FROM new.{table}')
        database.execute(f'INSERT INTO people SELECT {_PEOPLE} FROM new.people')
        ((text,),) = database.execute('SELECT content FROM new.manifest')
        content = json.dumps({**json.loads(text), 'version': 2})
        database.execute('INSERT INTO manifest VALUES (?)', (content,))
    old.replace(path)
