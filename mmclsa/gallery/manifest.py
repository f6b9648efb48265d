"""What an index consists of: a line of JSON in its database."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError, DataError

__all__ = [
    'MANIFEST',
    'VERSION',
    'FileEntry',
    'Manifest',
    'ModelFingerprint',
    'check_same_model',
    'read_manifest',
]

#: The file that makes a folder an index: the database with manifest and records.
MANIFEST = 'index.sqlite'
VERSION = 3
# Version 2 has no stays, crops, frames behind and counts of pairs: see schema.py.
_READABLE = (2, 3)
_COUNTS = ('people', 'next_row', 'structured', 'generation')
_MOST_DIMS = 1 << 20
_DIGEST = re.compile(r'[0-9a-f]{64}')
_FILE_NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9._-]*')


@dataclass(frozen=True)
class ModelFingerprint:
    """Which model computed the embeddings.

    Attributes:
        config: SHA-256 of the config's text, 64 hexadecimal digits.
        weights: SHA-256 of the weights.
        dims: Length of an embedding.

    Raises:
        ConfigError: If a digest is no SHA-256 or ``dims`` is not
            positive or more than a million.
    """

    config: str
    weights: str
    dims: int

    def __post_init__(self) -> None:
        for name in ('config', 'weights'):
            value = getattr(self, name)
            if not (isinstance(value, str) and _DIGEST.fullmatch(value)):
                raise ConfigError(
                    f'{name} of a ModelFingerprint must be a SHA-256 (64 hexadecimal digits), '
                    f'not {value!r}'
                )
        if type(self.dims) is not int or not 1 <= self.dims <= _MOST_DIMS:
            raise ConfigError(
                f'dims of a ModelFingerprint must be positive and at most {_MOST_DIMS}, '
                f'not {self.dims!r}'
            )

    def difference(self, other: ModelFingerprint) -> str:
        """Say in words in what another model differs; empty if in nothing."""
        words = []
        for name in ('config', 'weights', 'dims'):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                words.append(f'{name} {str(mine)[:12]} instead of {str(theirs)[:12]}')
        return ', '.join(words)


@dataclass(frozen=True)
class FileEntry:
    """A file of the index that never changes.

    Attributes:
        name: Its name in the folder of the index.
        size: Bytes.
        digest: SHA-256 of its content.
        probe: SHA-256 of its first and last mebibyte, checked whenever the
            file is opened.
    """

    name: str
    size: int
    digest: str
    probe: str


@dataclass(frozen=True)
class Manifest:
    """A committed state of an index.

    Attributes:
        model: The model of its embeddings.
        backend: Config of the backend.
        people: How many there are.
        next_row: Row number of the next person. It is larger than ``people``
            once somebody was deleted: a number is never used twice.
        vectors: File of the backend's vectors; empty if they are elsewhere.
        structure: What the backend has built to search fast.
        structured: How many of the first vectors it covers.
        generation: Counts the files written and the deletions.
    """

    model: ModelFingerprint
    backend: Mapping[str, Any]
    people: int = 0
    next_row: int = 0
    vectors: str = ''
    structure: FileEntry | None = None
    structured: int = 0
    generation: int = 1

    @property
    def file_names(self) -> set[str]:
        """Names of the backend's files."""
        return {self.vectors, self.structure.name if self.structure else ''} - {''}

    def dump(self) -> str:
        """Write it as JSON."""
        return json.dumps({'format': 'mmclsa-gallery', 'version': VERSION, **asdict(self)})


def check_same_model(folder: Path, built: ModelFingerprint, model: ModelFingerprint) -> None:
    """Make sure that an index was built with a model.

    Args:
        folder: Folder of the index, for the message.
        built: The model it was built with.
        model: The model.

    Raises:
        ConfigError: If it is another one.
    """
    if difference := built.difference(model):
        raise ConfigError(
            f'the index {folder} holds embeddings of another model: {difference}; search '
            'and extend it with the model it was built with, or build a new one'
        )


def read_manifest(text: str | bytes, where: str) -> Manifest:
    """Read what :meth:`Manifest.dump` wrote, and check it.

    Args:
        text: JSON; may be anything.
        where: Name of the file that it is in, for messages.

    Returns:
        The manifest.

    Raises:
        DataError: If it is not a manifest, or one of a newer version.

    Example:
        >>> read_manifest('{"format": "mmclsa-gallery", "version": 9}', 'index.sqlite')
        Traceback (most recent call last):
        mmclsa.errors.DataError: index.sqlite was written by a newer mmclsa: ...
    """
    try:
        content = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f'{where} is broken: its manifest is no JSON ({error})') from error
    if not isinstance(content, dict) or content.get('format') != 'mmclsa-gallery':
        raise DataError(f'{where} is no manifest of an index: it has no format "mmclsa-gallery"')
    version = content.get('version')
    if type(version) is int and version > VERSION:
        raise DataError(
            f'{where} was written by a newer mmclsa: its version is {version}, and this '
            f'mmclsa reads versions up to {VERSION}'
        )
    try:
        if type(version) is not int or version not in _READABLE:
            raise ValueError(f'version is {version!r}')
        return _parse(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f'no field {error}' if isinstance(error, KeyError) else str(error)
        raise DataError(f'{where} is broken: {what}') from error


def _parse(content: dict[str, Any]) -> Manifest:
    """Build the manifest; whatever is wrong raises some ordinary error."""
    backend = content['backend']
    if not isinstance(backend, dict) or not isinstance(backend.get('type'), str):
        raise ValueError('backend is no config with a type')
    counts = {name: _count(content[name], name) for name in _COUNTS}
    if not counts['structured'] <= counts['people'] <= counts['next_row']:
        raise ValueError('its counts do not fit each other')
    return Manifest(
        model=ModelFingerprint(**content['model']),
        backend=backend,
        vectors=_name(content['vectors']) if content['vectors'] != '' else '',
        structure=None if content['structure'] is None else _parse_file(content['structure']),
        **counts,
    )


def _parse_file(content: dict[str, Any]) -> FileEntry:
    entry = FileEntry(**content)
    _name(entry.name)
    _count(entry.size, 'size')
    for digest in (entry.digest, entry.probe):
        if not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
            raise ValueError(f'{digest!r} is no digest')
    return entry


def _name(value: object) -> str:
    # Nothing that could lead out of the folder.
    if not (isinstance(value, str) and _FILE_NAME.fullmatch(value)):
        raise ValueError(f'{value!r} is no name')
    return value


def _count(value: object, what: str) -> int:
    if type(value) is not int or not 0 <= value < 2**62:
        raise ValueError(f'{what} is {value!r}')
    return value
