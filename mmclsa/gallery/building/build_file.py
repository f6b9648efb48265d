"""What an index was built with: read by the search, checked by the next build."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery import GalleryIndex, ModelFingerprint
from mmclsa.gallery.backends.factory import DEFAULT_BACKEND, build_backend
from mmclsa.gallery.building.units import DETECTION
from mmclsa.gallery.database import Database
from mmclsa.gallery.manifest import MANIFEST
from mmclsa.utils.io import write_json

__all__ = ['BuildCommand', 'BuildFile', 'open_for_build']


@dataclass(frozen=True)
class BuildCommand:
    """One command that built an index, or a part of it.

    Attributes:
        sources: Absolute paths.
        every: Every N-th frame of videos.
        fps: Or so many frames a second.
        camera: Name of the camera.
        start_time: Seconds since 1970.
        det_thresh: Least score of a person.
        name_pattern: What names of files tell; empty for nothing.
        unit: What a row is; an index of an older mmclsa has detections.
        crops: Whether rows keep a small picture.
    """

    sources: tuple[str, ...]
    every: int = 1
    fps: float | None = None
    camera: str = ''
    start_time: float | None = None
    det_thresh: float = 0.5
    name_pattern: str = ''
    unit: str = DETECTION
    crops: bool = False


@dataclass(frozen=True)
class BuildFile:
    """The file ``build.json`` of an index.

    Attributes:
        embedder: Model and pipeline of the config, as
            ``mmclsa.engine.model_description`` says them; text in an index of
            an older mmclsa, the whole config in Python.
        checkpoint: Absolute path of the weights; empty if there is none, and
            the files in ``weights`` are all.
        runtime: What computed the embeddings, ``torch`` or ``onnx``; in the
            file it is called ``backend``.
        commands: Every build command so far; in the file ``jobs``.
        weights: Files beside the checkpoint that the model is of, by the
            settings that name them, as ``mmclsa.utils.weight_places`` finds
            them.
    """

    embedder: Mapping[str, Any] | str
    checkpoint: str
    runtime: str = 'torch'
    commands: tuple[BuildCommand, ...] = field(default=())
    weights: Mapping[str, str] = field(default_factory=dict)

    NAME = 'build.json'

    @classmethod
    def read(cls, index_path: str | Path) -> BuildFile | None:
        """Read the file of an index.

        Args:
            index_path: Folder of the index.

        Returns:
            Its content; None if there is no such file.

        Raises:
            DataError: If it is broken.
        """
        path = Path(index_path) / cls.NAME
        try:
            return cls._parse(json.loads(path.read_text(encoding='utf-8')))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f'{path} is broken: {error}') from error

    @classmethod
    def _parse(cls, content: dict[str, Any]) -> BuildFile:
        commands = tuple(
            BuildCommand(**{**command, 'sources': tuple(command['sources'])})
            for command in content.pop('jobs')
        )
        if 'config' in content:
            content['embedder'] = str(content.pop('config'))
        content.setdefault('backend', cls.runtime)
        places = content.setdefault('weights', {})
        for name, kinds in (('embedder', (dict, str)), ('checkpoint', str), ('backend', str)):
            if not isinstance(content[name], kinds):
                raise TypeError(f'{name} is {content[name]!r}')
        if not (isinstance(places, dict) and all(isinstance(v, str) for v in places.values())):
            raise TypeError(f'weights is {places!r}')
        return cls(runtime=content.pop('backend'), commands=commands, **content)

    def write(self, index_path: str | Path) -> None:
        """Write it into the folder of an index, whole or not at all."""
        content = asdict(self)
        content['backend'], content['jobs'] = content.pop('runtime'), content.pop('commands')
        if not self.weights:  # so that an older mmclsa can read it
            del content['weights']
        write_json(Path(index_path) / self.NAME, content, indent=1)


def open_for_build(
    path: str | Path,
    fingerprint: ModelFingerprint,
    build: BuildFile,
    append: bool = False,
    backend: Mapping[str, Any] | None = None,
) -> GalleryIndex:
    """Make an index, or open the one that the same command has begun.

    Args:
        path: Its folder.
        fingerprint: Of the model.
        build: The model's files, and one command: this one.
        append: Whether an index that other commands have built may grow.
        backend: Config of a new index's backend; one that is there must be of it.

    Returns:
        The index, opened for writing.

    Raises:
        ConfigError: If the index is of another model or backend, its rows are of
            another unit, or it is of another command and ``append`` was not said.
        UserError: If another process is writing to it.
    """
    if not (Path(path) / MANIFEST).exists():
        index = GalleryIndex.create(path, fingerprint, backend)
    else:
        _check_backend(path, backend or {})
        index = GalleryIndex.open(path, fingerprint, writable=True)
    try:
        before = BuildFile.read(path)
        commands = before.commands if before is not None else ()
        (command,) = build.commands
        _check_unit(path, command, commands)
        if command not in commands:
            if (commands or len(index)) and not append:
                raise ConfigError(
                    f'the index {path} was built by another command'
                    f'{_difference(command, commands[-1]) if commands else ""}: give --append to '
                    'add to it'
                )
            commands = (*commands, command)
        replace(build, commands=commands).write(path)
    except BaseException:
        index.close()
        raise
    return index


def _check_backend(path: str | Path, wanted: Mapping[str, Any]) -> None:
    """Refuse a backend that is not the one of the index, which would be left out in silence."""
    if not wanted:
        return
    wanted = {'type': DEFAULT_BACKEND, **wanted}
    built = build_backend(wanted)
    database = Database(Path(path), writable=False)
    try:
        has = database.manifest().backend
    finally:
        database.close()
    defaults = {p.name: p.default for p in inspect.signature(type(built)).parameters.values()}
    for name in sorted(set(wanted) - built.SEARCH_OPTIONS, key=lambda name: name != 'type'):
        theirs = has.get(name, defaults.get(name))
        if theirs != wanted[name]:
            raise ConfigError(
                f'the index {path} has the backend {dict(has)}, whose {name} is not '
                f'{wanted[name]!r}: leave --index out, or build a new index'
            )


def _check_unit(path: str | Path, command: BuildCommand, commands: Sequence[BuildCommand]) -> None:
    """Refuse an index that has both sightings and detections of videos."""
    for other in commands:
        if other.unit != command.unit:
            raise ConfigError(
                f'a row of the index {path} is a {other.unit}, not a {command.unit}: give '
                f'--unit {other.unit}, or build a new index'
            )


def _difference(command: BuildCommand, other: BuildCommand) -> str:
    mine, theirs = asdict(command), asdict(other)
    (name, *_) = [name for name in mine if mine[name] != theirs[name]]
    words = [', '.join(v) if isinstance(v, tuple) else v for v in (theirs[name], mine[name])]
    return f' ({name}: {words[0]} there, {words[1]} here)'
