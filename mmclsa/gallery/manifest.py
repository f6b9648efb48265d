"""What an index consists of: one small JSON file, renamed into place whole."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError, DataError
from mmclsa.utils.io import atomic_write

__all__ = ['MANIFEST', 'VERSION', 'FileEntry', 'Manifest', 'ModelFingerprint', 'Segment']

MANIFEST = 'manifest.json'
VERSION = 1
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
        ConfigError: If a digest is no SHA-256 or ``dims`` is not positive.
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
        if type(self.dims) is not int or self.dims < 1:
            raise ConfigError(f'dims of a ModelFingerprint must be positive, not {self.dims!r}')

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
    """A file that belongs to the index.

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
class Segment:
    """People that were written together.

    Attributes:
        name: Unique within the index.
        rows: How many people.
        files: By role: ``records`` always; the others are the backend's.
            ``base`` is a structure over the first rows, kept until there is
            one over all.
    """

    name: str
    rows: int
    files: Mapping[str, FileEntry]

    @property
    def optimized(self) -> bool:
        """Whether it has a structure that makes its search fast."""
        return 'structure' in self.files

    def built(self, name: str, files: Mapping[str, FileEntry]) -> Segment:
        """The same people under a new name, with more files, and without ``base``."""
        kept = {role: entry for role, entry in self.files.items() if role != 'base'}
        return Segment(name, self.rows, {**kept, **files})


@dataclass(frozen=True)
class Manifest:
    """A committed state of an index.

    Attributes:
        model: The model of its embeddings.
        backend: Config of the backend.
        segments: In the order of their rows.
        files: Files of the backend that belong to no segment, by role.
        next_segment: Number of the next segment to be written.
    """

    model: ModelFingerprint
    backend: Mapping[str, Any]
    segments: tuple[Segment, ...] = ()
    files: Mapping[str, FileEntry] = field(default_factory=dict)
    next_segment: int = 1

    @property
    def rows(self) -> int:
        """How many people there are."""
        return sum(segment.rows for segment in self.segments)

    def all_files(self) -> list[FileEntry]:
        """Every file beside the manifest."""
        entries = list(self.files.values())
        for segment in self.segments:
            entries.extend(segment.files.values())
        return entries

    def write(self, folder: Path) -> None:
        """Make this the state of the index, all at once.

        Args:
            folder: Folder of the index.

        Raises:
            UserError: If the file cannot be written.
            OSError: If the disk is full.
        """
        text = json.dumps(
            {'format': 'mmclsa-gallery', 'version': VERSION, **asdict(self)}, indent=1
        )
        with atomic_write(folder / MANIFEST) as temporary:
            temporary.write_text(text + '\n', encoding='utf-8')

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the state of an index.

        Args:
            folder: Folder of the index.

        Returns:
            The state last committed.

        Raises:
            DataError: If there is no index, or its manifest is broken or of
                a newer version.
        """
        path = folder / MANIFEST
        try:
            content = json.loads(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DataError(f'There is no index in {folder}: no file {MANIFEST}.') from error
        except OSError as error:
            raise DataError(f'Cannot read {path}: {error.strerror}.') from error
        except (ValueError, RecursionError) as error:
            raise DataError(f'{path} is broken: it is no JSON ({error}).') from error
        return parse_manifest(content, str(path))


def parse_manifest(content: object, where: str) -> Manifest:
    """Check what a manifest says and put it into dataclasses.

    Args:
        content: Parsed JSON, anything.
        where: Name of the file, for messages.

    Returns:
        The manifest.

    Raises:
        DataError: If it is not a manifest, or one of a newer version.

    Example:
        >>> parse_manifest({'format': 'mmclsa-gallery', 'version': 9}, 'manifest.json')
        Traceback (most recent call last):
        mmclsa.errors.DataError: manifest.json was written by a newer mmclsa: ...
    """
    if not isinstance(content, dict) or content.get('format') != 'mmclsa-gallery':
        raise DataError(f'{where} is no manifest of an index: it has no format "mmclsa-gallery".')
    version = content.get('version')
    if type(version) is int and version > VERSION:
        raise DataError(
            f'{where} was written by a newer mmclsa: its version is {version}, and this '
            f'mmclsa reads versions up to {VERSION}.'
        )
    try:
        if version != VERSION:
            raise ValueError(f'version is {version!r}')
        return _parse(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f'no field {error}' if isinstance(error, KeyError) else str(error)
        raise DataError(f'{where} is broken: {what}.') from error


def _parse(content: dict[str, Any]) -> Manifest:
    """Build the manifest; whatever is wrong raises some ordinary error."""
    backend = content['backend']
    if not isinstance(backend, dict) or not isinstance(backend.get('type'), str):
        raise ValueError('backend is no config with a type')
    segments = tuple(_parse_segment(segment) for segment in content['segments'])
    names = [segment.name for segment in segments]
    if len(set(names)) != len(names):
        raise ValueError('two segments have one name')
    return Manifest(
        model=ModelFingerprint(**content['model']),
        backend=backend,
        segments=segments,
        files=_parse_files(content['files']),
        next_segment=_count(content['next_segment'], 'next_segment'),
    )


def _parse_segment(content: dict[str, Any]) -> Segment:
    files = _parse_files(content['files'])
    if 'records' not in files:
        raise ValueError('a segment has no file of records')
    return Segment(_name(content['name']), _count(content['rows'], 'rows'), files)


def _parse_files(content: dict[str, Any]) -> dict[str, FileEntry]:
    return {role: _parse_file(entry) for role, entry in content.items()}


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
