"""The manifest inside an index's database, read and forged."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from mmclsa.gallery.manifest import Manifest, read_manifest


@contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database of an index, for whatever a stranger would do to it."""
    with closing(sqlite3.connect(folder / 'index.sqlite', isolation_level=None)) as connection:
        yield connection


def manifest_of(folder: Path) -> Manifest:
    return read_manifest(manifest_text(folder), str(folder))


def manifest_text(folder: Path) -> str:
    with database(folder) as connection:
        return connection.execute('SELECT content FROM manifest').fetchone()[0]


def write_manifest(folder: Path, text: Any) -> None:
    with database(folder) as connection:
        connection.execute('UPDATE manifest SET content = ?', (text,))


def change_manifest(folder: Path, **fields: Any) -> None:
    write_manifest(folder, json.dumps({**json.loads(manifest_text(folder)), **fields}))
