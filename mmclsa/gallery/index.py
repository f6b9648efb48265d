"""The index: people found in footage, by embedding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery.backends.base import VectorBackend
from mmclsa.gallery.backends.factory import build_backend
from mmclsa.gallery.database import Database
from mmclsa.gallery.files import MissingFileError, check_file, reporting_write_errors, sync_folder
from mmclsa.gallery.filters import SearchFilter
from mmclsa.gallery.folder import claim_new_folder, drop_unused
from mmclsa.gallery.locking import WriterLock
from mmclsa.gallery.manifest import Manifest, ModelFingerprint
from mmclsa.gallery.record_store import Contents, RecordStore
from mmclsa.gallery.records import GalleryRecord, Hit, encode_record
from mmclsa.gallery.unit_vectors import check_unit_vectors

__all__ = ['GalleryIndex']

_READ_ATTEMPTS = 5
# So many people at either end are compared with what was written, at opening.
_CHECKED = 1000


class GalleryIndex:
    """Embeddings of people with their records, searchable, in a folder.

    Use :meth:`create` or :meth:`open`. What :meth:`add` takes is found by
    this object at once, and is durable after :meth:`commit`: a process that
    is killed leaves the index as it was at its last commit.

    The folder holds ``index.sqlite``, a database of the records that also
    says what else belongs to the index, and the backend's files. One process
    writes at a time; any number read, each what was committed when it opened
    the index, and nobody who was deleted since.
    """

    def __init__(
        self,
        folder: Path,
        database: Database,
        backend: VectorBackend,
        lock: WriterLock | None = None,
    ) -> None:
        self._folder = folder
        self._database = database
        self._backend = backend
        self._lock = lock
        self._records = RecordStore(database)
        self.refresh()

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
                vectors, files = built.create(folder, model.dims)
                Database.create(folder, Manifest(model, config, vectors=vectors, files=files))
                sync_folder(folder)
            return cls._open(folder, Database(folder, writable=True), built, lock)
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
                written by another version of mmclsa.
            ConfigError: If it holds embeddings of another model.
            UserError: If it is to be written and another process is at it.
        """
        folder = Path(path)
        database = Database(folder, writable)
        lock = None
        try:
            manifest = database.manifest()
            if model is not None and (difference := manifest.model.difference(model)):
                raise ConfigError(
                    f'The index {folder} holds embeddings of another model: {difference}. Search '
                    'and extend it with the model it was built with, or build a new one.'
                )
            lock = WriterLock(folder) if writable else None
            return cls._open(folder, database, build_backend(manifest.backend, options), lock)
        except BaseException:
            database.close()
            if lock is not None:
                lock.release()
            raise

    @classmethod
    def _open(
        cls, folder: Path, database: Database, backend: VectorBackend, lock: WriterLock | None
    ) -> GalleryIndex:
        for attempt in range(_READ_ATTEMPTS):
            manifest = database.manifest()
            try:
                index = cls(folder, database, backend, lock)
                break
            except MissingFileError:
                # A writer may have replaced files since the manifest was read.
                if attempt == _READ_ATTEMPTS - 1 or database.manifest() == manifest:
                    raise
        index._check_ends()
        if lock is not None:
            with index._replacing_files():
                index._finish_deletion()
        return index

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

    def rows(self) -> np.ndarray:
        """Give all row numbers, in the order of adding, shape (len(self),), int64."""
        return self._records.numbers.at(np.arange(len(self)))

    def contents(self) -> Contents:
        """Sum up what is committed: how many people, files, cameras, and from when to when."""
        return self._records.contents()

    def refresh(self) -> None:
        """Take over what is committed by now; what is not committed here is lost.

        Raises:
            DataError: If a file is broken.
            MissingFileError: If one is not there.
        """
        with self._database.snapshot():
            manifest = self._database.manifest()
            if self._lock is not None and not self._usable_structure(manifest):
                manifest = manifest.without_structure()
            self._records.load(manifest)
        self._take_over(manifest)

    def add(
        self,
        embeddings: np.ndarray,
        records: Sequence[GalleryRecord],
        shard: str | None = None,
    ) -> None:
        """Take more people.

        Args:
            embeddings: Shape (n, D), float, of unit length.
            records: Their n records.
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
        if len(records) != len(vectors):
            raise DataError(f'{len(vectors)} embeddings came with {len(records)} records.')
        rows = [encode_record(record) for record in records]
        self._records.append(rows, self._backend.append(vectors, rows), shard)

    def commit(self) -> None:
        """Make everything added durable, all at once.

        Raises:
            ConfigError: If the index was not opened for writing.
            UserError: If the disk is full or fails. The index on disk is as
                before then, and what was added is still to be committed.
        """
        self._require_writable()
        if self._records.changed:
            with reporting_write_errors(self._folder):
                self._backend.flush()
                self._take_over(self._records.commit(self._manifest))

    def optimize(self) -> None:
        """Commit, and build what makes searching fast.

        Worth calling when a build has ended. Nothing but speed changes, and
        with ``hnsw`` and ``ivf_pq`` the exactness.

        Raises:
            ConfigError: If the index was not opened for writing.
            UserError: If the disk is full or fails.
        """
        self.commit()
        with self._replacing_files():
            entry = self._backend.build(self._next_name())
            if entry is not None:
                sync_folder(self._folder)
                manifest = self._manifest.with_structure(entry)
                self._records.publish(manifest)
                self._take_over(manifest)

    def delete(
        self, where: SearchFilter | None = None, rows: Sequence[int] | np.ndarray | None = None
    ) -> int:
        """Delete people: their records and embeddings, and what was built of these.

        It is committed, with all that was added before, when this returns.
        Their space is given back, for which the embeddings that stay are
        written anew. Call :meth:`optimize` then to search fast again. Units
        of work stay finished, so that building again does not bring back
        who was deleted; other people keep their row numbers.

        Args:
            where: Delete everybody whom this filter lets through; it must
                have a condition.
            rows: Or those of these row numbers, shape (n,).

        Returns:
            How many were deleted.

        Raises:
            ConfigError: If the index was not opened for writing, or not
                exactly one of the two is given.
            DataError: If there is no such row.
            UserError: If the disk is full or fails. Nobody is deleted then.
        """
        self._require_writable()
        if (where is None) == (rows is None):
            raise ConfigError('who is deleted must be said by either where or rows')
        if where is not None and where.passes_all:
            raise ConfigError('where must have a condition: to delete everybody, delete the index')
        self.commit()
        gone = (
            np.unique(self._check_rows(() if rows is None else rows))
            if where is None
            else self._records.rows_of(where)
        )
        if len(gone):
            with self._replacing_files():
                vectors = self._backend.without(gone, self._next_name())
                sync_folder(self._folder)
                manifest = self._manifest.without(len(gone), vectors)
                self._records.delete(gone, manifest)
                self._take_over(manifest)
                self._finish_deletion()
        return len(gone)

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
        found = self._search(vectors, topk, where)
        if found is None:  # somebody was deleted since this was opened
            self.refresh()
            found = self._search(vectors, topk, where)
        if found is None:
            raise DataError(f'The index {self._folder} is broken: records are missing.')
        return found

    def _search(
        self, vectors: np.ndarray, topk: int, where: SearchFilter | None
    ) -> list[list[Hit]] | None:
        """Search; None if there is no record of somebody who was found."""
        limit = min(topk, len(self))
        if not limit or not len(vectors):
            return [[] for _ in vectors]
        chosen = None if where is None or where.passes_all else where
        similarities, rows = self._backend.search(
            vectors, limit, chosen, lambda: self._records.mask(where or SearchFilter())
        )
        wanted = rows[rows >= 0]
        records = self._records.get(wanted)
        missing = set(wanted.tolist()) - records.keys()
        # Milvus may have rows that are still to be deleted there.
        if missing and missing - set(self._records.doomed().tolist()):
            return None
        return [
            [Hit(row, similarity, records[row]) for row, similarity in zip(*pair) if row in records]
            for pair in zip(rows.tolist(), similarities.tolist())
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

    def records(self, rows: Sequence[int] | np.ndarray | None = None) -> list[GalleryRecord]:
        """Give records.

        Args:
            rows: Shape (n,), row numbers; None for all, in the order of adding.

        Returns:
            The records, same order.

        Raises:
            DataError: If there is no such row.
        """
        if rows is None:
            return self._records.all()
        numbers = self._check_rows(rows)
        found = self._records.get(numbers)
        return [found[row] for row in numbers.tolist()]

    def find(self, where: SearchFilter) -> np.ndarray:
        """Find everybody committed whom a filter lets through.

        Args:
            where: The filter.

        Returns:
            Shape (n,), int64: their row numbers, ascending.
        """
        return self._records.rows_of(where)

    def same_tracks(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Find everybody committed who is of the same tracks as some.

        Args:
            rows: Shape (n,), row numbers.

        Returns:
            Shape (m,), int64, ascending: these rows, and those of their tracks.

        Raises:
            DataError: If there is no such row.
        """
        return self._records.same_tracks(self._check_rows(rows))

    def verify(self) -> None:
        """Read all of the index and compare it with what was written.

        Raises:
            DataError: If anything is broken or missing.
        """
        self._database.check()
        for entry in self._manifest.files.values():
            check_file(self._folder, entry, whole=True)
        with self._naming_files():
            self._records.check_all(self._backend.codes)

    def close(self) -> None:
        """Let go of the files and of the lock; what is not committed is lost."""
        self._backend.close()
        self._database.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> GalleryIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_rows(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        numbers = np.asarray(rows, dtype=np.int64).reshape(-1)
        places = self._records.numbers.places(numbers)
        wrong = numbers[(places < 0) | (places >= len(self))]
        if len(wrong):
            raise DataError(
                f'The index {self._folder} has {len(self)} rows, and no row {wrong[0]}.'
            )
        return numbers

    def _require_writable(self) -> None:
        if self._lock is None or not self._lock.held:
            raise ConfigError(f'The index {self._folder} was not opened for writing.')

    def _next_name(self) -> str:
        return f'{self._manifest.generation:06d}'

    @contextmanager
    def _replacing_files(self) -> Iterator[None]:
        """Report what a disk does, and leave no file that is not in use."""
        try:
            with reporting_write_errors(self._folder):
                yield
        finally:
            drop_unused(self._folder, self._manifest)

    @contextmanager
    def _naming_files(self) -> Iterator[None]:
        """Say in which files somebody is not who was written."""
        try:
            yield
        except DataError as error:
            files = ' or '.join(filter(None, (self._database.path.name, self._manifest.vectors)))
            raise DataError(f'The index {self._folder} is broken: {error} in {files}') from error

    def _check_ends(self) -> None:
        """Compare the first and the last people with what was written."""
        count = self._records.numbers.count
        with self._naming_files():
            for start in {0, max(0, count - _CHECKED)}:
                stop = min(start + _CHECKED, count)
                self._records.check(start, self._backend.codes(start, stop))

    def _usable_structure(self, manifest: Manifest) -> bool:
        """Whether what only makes searching fast is there and whole; else it is built anew."""
        try:
            if 'structure' in manifest.files:
                check_file(self._folder, manifest.files['structure'])
        except DataError:
            return False
        return True

    def _take_over(self, manifest: Manifest) -> None:
        """Hold what is committed, and nothing else."""
        self._backend.load(self._folder, manifest, self._records.numbers)
        self._manifest = manifest

    def _finish_deletion(self) -> None:
        """Delete where the backend is behind, also what a killed process has begun."""
        doomed = self._records.doomed()
        self._backend.erase(doomed)
        if len(doomed):
            self._records.forget_doomed()
