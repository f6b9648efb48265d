"""The index: people found in footage, by embedding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery.backends.base import VectorBackend
from mmclsa.gallery.backends.factory import build_backend
from mmclsa.gallery.files import MissingFileError, check_file, reporting_write_errors, sync_folder
from mmclsa.gallery.filters import SearchFilter
from mmclsa.gallery.folder import claim_new_folder, drop_orphans
from mmclsa.gallery.locking import WriterLock
from mmclsa.gallery.manifest import Manifest, ModelFingerprint, Segment
from mmclsa.gallery.record_store import RecordStore
from mmclsa.gallery.records import GalleryRecord, Hit, as_table
from mmclsa.gallery.unit_vectors import check_unit_vectors

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ['GalleryIndex']

# So many segments are left side by side before some are joined.
_MAX_SEGMENTS = 12
_READ_ATTEMPTS = 5


class GalleryIndex:
    """Embeddings of people with their records, searchable, in a folder.

    Use :meth:`create` or :meth:`open`. What :meth:`add` takes is found by
    this object at once, and is durable after :meth:`commit`: a process that
    is killed leaves the index as it was at its last commit.

    The folder holds ``manifest.json``, which says what belongs to the index
    and is renamed into place at each commit; records in Parquet files; and
    the backend's files. One process writes at a time; any number read, each
    what was committed when it opened the index.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        backend: VectorBackend,
        lock: WriterLock | None = None,
    ) -> None:
        self._folder = folder
        self._backend = backend
        self._lock = lock
        self._records = RecordStore(folder)
        self._take_over(manifest)

    @classmethod
    def create(
        cls,
        path: str | Path,
        model: ModelFingerprint,
        backend: Mapping[str, Any] | None = None,
    ) -> GalleryIndex:
        """Make a new, empty index and open it for writing.

        Args:
            path: Its folder, which is made if it is not there.
            model: The model whose embeddings will be added.
            backend: Config of the backend; by default
                ``dict(type='FaissBackend')``.

        Returns:
            The index.

        Raises:
            ConfigError: If there is an index already, other files are in the
                folder, or the backend's config has no meaning.
            UserError: If the folder cannot be written to.
        """
        config = dict(backend or {'type': 'FaissBackend'})
        built = build_backend(config)
        folder = Path(path)
        lock = claim_new_folder(folder)
        try:
            with reporting_write_errors(folder):
                files = built.create(folder, model.dims)
                Manifest(model, config, files=files).write(folder)
                sync_folder(folder)
            return cls._open(folder, built, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(
        cls,
        path: str | Path,
        model: ModelFingerprint | None = None,
        writable: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> GalleryIndex:
        """Open an index.

        Args:
            path: Its folder.
            model: If given, the index must hold embeddings of this model.
            writable: Whether to add to it; only one process at a time can.
            options: How thoroughly to search this time, as in ``dict(probes=64)``.

        Returns:
            The index.

        Raises:
            DataError: If there is no index, a file of it is broken, or it was
                written by a newer mmclsa.
            ConfigError: If it holds embeddings of another model.
            UserError: If it is to be written and another process is at it.
        """
        folder = Path(path)
        manifest = Manifest.read(folder)
        if model is not None and (difference := manifest.model.difference(model)):
            raise ConfigError(
                f'The index {folder} holds embeddings of another model: {difference}. '
                'Search and extend it with the model it was built with, or build a new one.'
            )
        lock = WriterLock(folder) if writable else None
        try:
            return cls._open(folder, build_backend(manifest.backend, options), lock)
        except BaseException:
            if lock is not None:
                lock.release()
            raise

    @classmethod
    def _open(cls, folder: Path, backend: VectorBackend, lock: WriterLock | None) -> GalleryIndex:
        for attempt in range(_READ_ATTEMPTS):
            manifest = Manifest.read(folder)
            if lock is not None:
                drop_orphans(folder, manifest)
            try:
                backend.open(folder, manifest.model.dims, manifest.files, lock is not None)
                return cls(folder, manifest, backend, lock)
            except MissingFileError:
                # A writer may have joined segments since the manifest was read.
                if attempt == _READ_ATTEMPTS - 1 or Manifest.read(folder) == manifest:
                    raise
        raise AssertionError('the last attempt returns or raises')

    @property
    def model(self) -> ModelFingerprint:
        """The model whose embeddings these are."""
        return self._manifest.model

    @property
    def path(self) -> Path:
        """Folder of the index."""
        return self._folder

    def __len__(self) -> int:
        return len(self._records)

    def shards(self) -> set[str]:
        """Give the finished units of work, those not yet committed included."""
        return self._records.shards()

    def add(
        self,
        embeddings: np.ndarray,
        records: Sequence[GalleryRecord] | pa.Table,
        shard: str | None = None,
    ) -> None:
        """Take more people.

        Args:
            embeddings: Shape (n, D), float, of unit length.
            records: Their n records, or a table of them.
            shard: Key of the unit of work that gave them, such as one image.
                A unit that is there already is not taken again. ``n`` may be
                0, to note that nobody was found.

        Raises:
            ConfigError: If the index was not opened for writing.
            DataError: If the embeddings are of another shape, not finite or
                not of unit length, or the records do not fit them.
        """
        self._require_writable()
        if shard is not None and self._records.has_shard(shard):
            return
        vectors = check_unit_vectors(embeddings, self.model.dims, 'embeddings')
        table = as_table(records)
        if table.num_rows != len(vectors):
            raise DataError(f'{len(vectors)} embeddings came with {table.num_rows} records.')
        if len(vectors):
            self._backend.append(vectors, table)
        self._records.append(table, shard)

    def commit(self) -> None:
        """Make everything added durable, all at once.

        Raises:
            ConfigError: If the index was not opened for writing.
            UserError: If the disk is full or fails. The index on disk is as
                before then, and what was added is still to be committed.
        """
        self._require_writable()
        if not self._records.changed:
            return
        name = self._next_name()
        with self._committing():
            files = {**self._records.flush(name), **self._backend.flush(name)}
            segment = Segment(name, self._records.pending_rows, files)
            self._publish([*self._manifest.segments, segment])
        self._join_small_segments()

    def optimize(self) -> None:
        """Commit, join all segments, and build what makes searching fast.

        Worth calling when a build has ended. Nothing but speed changes, and
        with ``hnsw`` and ``ivf_pq`` the exactness.

        Raises:
            ConfigError: If the index was not opened for writing.
            UserError: If the disk is full or fails.
        """
        self.commit()
        if len(self._manifest.segments) > 1:
            self._join(0)
        for position, segment in enumerate(self._manifest.segments):
            with self._committing():
                built = {**self._records.build(segment), **self._backend.build(segment)}
                if built:
                    segments = list(self._manifest.segments)
                    # A new name, so that its files are opened anew.
                    segments[position] = segment.built(self._next_name(), built)
                    self._publish(segments)

    def search(
        self, queries: np.ndarray, topk: int = 10, where: SearchFilter | None = None
    ) -> list[list[Hit]]:
        """Find the people most similar to some.

        Args:
            queries: Shape (Q, D), float, of unit length.
            topk: How many to find for each.
            where: Which records may be found. It is applied within the
                search: ``topk`` are found where there are so many.

        Returns:
            For each query its hits, the most similar first.

        Raises:
            ConfigError: If ``topk`` is not positive.
            DataError: If the queries are of another shape, not finite or not
                of unit length.
        """
        if topk < 1:
            raise ConfigError(f'topk must be positive, not {topk}')
        vectors = check_unit_vectors(queries, self.model.dims, 'queries')
        limit = min(topk, len(self))
        if not limit or not len(vectors):
            return [[] for _ in vectors]
        if where is not None and where.passes_all:
            where = None
        similarities, rows = self._backend.search(
            vectors, limit, where, lambda: self._records.mask(where or SearchFilter())
        )
        records = iter(self._records.records(rows[rows >= 0]))
        return [
            [
                Hit(int(row), float(similarity), next(records))
                for row, similarity in zip(*pair)
                if row >= 0
            ]
            for pair in zip(rows, similarities)
        ]

    def embeddings(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Give back embeddings, as exactly as the backend stores them.

        Args:
            rows: Shape (n,), row numbers.

        Returns:
            Shape (n, D), float32.

        Raises:
            DataError: If there is no such row.
        """
        return self._backend.vectors(self._check_rows(rows))

    def records(self, rows: Sequence[int] | np.ndarray | None = None) -> pa.Table:
        """Give records as a table.

        Args:
            rows: Shape (n,), row numbers; None for all.

        Returns:
            A table of :func:`~mmclsa.gallery.record_schema`.

        Raises:
            DataError: If there is no such row.
        """
        return self._records.all() if rows is None else self._records.take(self._check_rows(rows))

    def verify(self) -> None:
        """Read every file of the index and compare it with what was written.

        Raises:
            DataError: If one is broken or missing.
        """
        for entry in self._manifest.all_files():
            check_file(self._folder, entry, whole=True)

    def close(self) -> None:
        """Let go of the files and of the lock; what is not committed is lost."""
        self._backend.close()
        self._records.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> GalleryIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_rows(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        numbers = np.asarray(rows, dtype=np.int64).reshape(-1)
        wrong = numbers[(numbers < 0) | (numbers >= len(self))]
        if len(wrong):
            raise DataError(
                f'The index {self._folder} has {len(self)} rows, and no row {wrong[0]}.'
            )
        return numbers

    def _require_writable(self) -> None:
        if self._lock is None or not self._lock.held:
            raise ConfigError(f'The index {self._folder} was not opened for writing.')

    def _next_name(self) -> str:
        return f'{self._manifest.next_segment:06d}'

    @contextmanager
    def _committing(self) -> Iterator[None]:
        """Report what a disk does, and leave no file that is not in use."""
        try:
            with reporting_write_errors(self._folder):
                yield
        finally:
            drop_orphans(self._folder, self._manifest)

    def _publish(self, segments: Sequence[Segment]) -> None:
        """Write the manifest, which is the commit, and go on from there."""
        manifest = replace(
            self._manifest,
            segments=tuple(segments),
            next_segment=self._manifest.next_segment + 1,
        )
        sync_folder(self._folder)
        manifest.write(self._folder)
        self._take_over(manifest)
        sync_folder(self._folder)

    def _take_over(self, manifest: Manifest) -> None:
        """Hold what is committed, and nothing else."""
        self._records.load(manifest.segments)
        self._backend.load(manifest.segments)
        self._manifest = manifest

    def _join_small_segments(self) -> None:
        """Keep the segments few; each row is joined log(rows) times at most."""
        segments = self._manifest.segments
        first = sum(segment.optimized for segment in segments)
        if len(segments) - first <= _MAX_SEGMENTS:
            return
        rows = [segment.rows for segment in segments]
        start = len(rows) - 2
        while start > first and rows[start - 1] <= 4 * sum(rows[start:]):
            start -= 1
        self._join(start)

    def _join(self, start: int) -> None:
        """Replace the segments from ``start`` on by one."""
        old = self._manifest.segments[start:]
        name = self._next_name()
        with self._committing():
            files = {**self._records.merge(name, old), **self._backend.merge(name, old)}
            joined = Segment(name, sum(segment.rows for segment in old), files)
            self._publish([*self._manifest.segments[:start], joined])
