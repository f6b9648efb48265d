"""What an index was built with: read by the search, checked by the next build."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery import GalleryIndex, ModelFingerprint
from mmclsa.gallery.manifest import MANIFEST
from mmclsa.utils.io import write_json

__all__ = ['BuildFile', 'Job', 'open_for_build']


@dataclass(frozen=True)
class Job:
    """One build command.

    Attributes:
        sources: Absolute paths.
        every: Every N-th frame of videos.
        fps: Or so many frames a second.
        camera: Name of the camera.
        start_time: Seconds since 1970.
        det_thresh: Least score of a person.
    """

    sources: tuple[str, ...]
    every: int = 1
    fps: float | None = None
    camera: str = ''
    start_time: float | None = None
    det_thresh: float = 0.5


@dataclass(frozen=True)
class BuildFile:
    """The file ``build.json`` of an index.

    Attributes:
        embedder: Model and pipeline of the config, as
            ``mmclsa.engine.model_description`` says them; text in an index of
            an older mmclsa, the whole config in Python.
        checkpoint: Absolute path of the weights.
        backend: What computed the embeddings, ``torch`` or ``onnx``.
        jobs: Every build command so far.
    """

    embedder: Mapping[str, Any] | str
    checkpoint: str
    backend: str = 'torch'
    jobs: tuple[Job, ...] = field(default=())

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
            content = json.loads(path.read_text(encoding='utf-8'))
            jobs = tuple(
                Job(**{**job, 'sources': tuple(job['sources'])}) for job in content.pop('jobs')
            )
            if 'config' in content:
                content['embedder'] = str(content.pop('config'))
            build = cls(jobs=jobs, **content)
            for name, kinds in (('embedder', (dict, str)), ('checkpoint', str), ('backend', str)):
                if not isinstance(getattr(build, name), kinds):
                    raise TypeError(f'{name} is {getattr(build, name)!r}')
            return build
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f'{path} is broken: {error}') from error

    def write(self, index_path: str | Path) -> None:
        """Write it into the folder of an index, whole or not at all."""
        write_json(Path(index_path) / self.NAME, asdict(self), indent=1)


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
        build: The model's files, and one job: this command.
        append: Whether an index that other commands have built may grow.
        backend: Config of a new index's backend.

    Returns:
        The index, opened for writing.

    Raises:
        ConfigError: If the index is of another model, or of another command
            and ``append`` was not said.
        UserError: If another process is writing to it.
    """
    if not (Path(path) / MANIFEST).exists():
        index = GalleryIndex.create(path, fingerprint, backend)
    else:
        index = GalleryIndex.open(path, fingerprint, writable=True)
    try:
        before = BuildFile.read(path)
        jobs = before.jobs if before is not None else ()
        (job,) = build.jobs
        if job not in jobs:
            if (jobs or len(index)) and not append:
                raise ConfigError(
                    f'the index {path} was built by another command'
                    f'{_difference(job, jobs[-1]) if jobs else ""}: give --append to add to it'
                )
            jobs = (*jobs, job)
        replace(build, jobs=jobs).write(path)
    except BaseException:
        index.close()
        raise
    return index


def _difference(job: Job, other: Job) -> str:
    mine, theirs = asdict(job), asdict(other)
    (name, *_) = [name for name in mine if mine[name] != theirs[name]]
    words = [', '.join(v) if isinstance(v, tuple) else v for v in (theirs[name], mine[name])]
    return f' ({name}: {words[0]} there, {words[1]} here)'
