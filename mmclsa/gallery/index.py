"""The index: people found in footage, by embedding."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery.backends.base import VectorBackend
from mmclsa.gallery.backends.factory import DEFAULT_BACKEND, build_backend
from mmclsa.gallery.blobs import pack_frames, pack_pairs
from mmclsa.gallery.database import Database
from mmclsa.gallery.files import MissingFileError, reporting_write_errors, sync_folder
from mmclsa.gallery.folder import claim_new_folder, drop_unused
from mmclsa.gallery.index_reader import IndexReader
from mmclsa.gallery.locking import WriterLock
from mmclsa.gallery.manifest import Manifest, ModelFingerprint, check_same_model
from mmclsa.gallery.records import GalleryRecord, encode_record
from mmclsa.gallery.unit_vectors import check_unit_vectors
from mmclsa.structures.sightings import PairCounts, TrackFrames
from mmclsa.utils.text import counted

__all__ = ['GalleryIndex']

_READ_ATTEMPTS = 5


class GalleryIndex(IndexReader):
    """Embeddings of people with their records, searchable, in a folder.

    Use :meth:`create` or :meth:`open`. What :meth:`add` takes is found by
    this object at once, and is durable after :meth:`commit`: a process that
    is killed leaves the index as it was at its last commit.

    The folder holds ``index.sqlite``, a database of the records that also
    says what else belongs to the index, and the backend's files. One process
    writes at a time; any number read, each what was committed when it opened
    the index, and nobody who was deleted since.
    """

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
            backend: Config of the backend; its ``type`` is ``FaissBackend``
                where none is given.

        Returns:
            The index.

        Raises:
            ConfigError: If there is an index already, other files are in the
                folder, or the backend's config has no meaning.
            UserError: If the folder cannot be written to.
        """
        config = {'type': DEFAULT_BACKEND, **(backend or {})}
        built = build_backend(config)
        folder = Path(path)
        lock = claim_new_folder(folder)
        try:
            with reporting_write_errors(folder):
                vectors = built.create(folder, model.dims)
                Database.create(folder, Manifest(model, config, vectors=vectors))
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
            if model is not None:
                check_same_model(folder, manifest.model, model)
            if writable:
                lock = WriterLock(folder)
                with reporting_write_errors(folder):
                    database.upgrade()
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
        if lock is None:
            index._tell_of_what_is_left()
        else:
            # What a killed process had still to do; a full disk is no hindrance.
            with index._replacing_files():
                try:
                    index._finish_deletion()
                    with suppress(sqlite3.Error):
                        database.shrink()
                except sqlite3.Error as error:
                    index._warn_of_what_is_left('people were', error)
        return index

    def add(
        self,
        embeddings: np.ndarray,
        records: Sequence[GalleryRecord],
        shard: str | None = None,
        *,
        crops: Sequence[bytes] | None = None,
        behind: Sequence[TrackFrames | None] | None = None,
        pairs: PairCounts | None = None,
    ) -> None:
        """Take more people.

        Args:
            embeddings: Shape (n, D), float, of unit length.
            records: Their n records.
            shard: Key of the unit of work that gave them, such as one image.
                A unit that is there already is not taken again. ``n`` may be
                0, to note that nobody was found.
            crops: A picture of each person, a JPEG file; empty where there is
                none. None for none at all.
            behind: The frames behind each sighting; None where its record
                says all.
            pairs: How similar the pairs of people in this unit are. They are
                forgotten when the unit is.

        Raises:
            ConfigError: If the index was not opened for writing.
            DataError: If the embeddings are of another shape, not finite or
                not of unit length, or the rest does not fit them.
        """
        self._require_writable()
        if shard is not None and self._records.has_shard(shard):
            return
        vectors = check_unit_vectors(embeddings, self.model.dims, 'embeddings')
        if len(records) != len(vectors):
            raise DataError(
                f'{counted(len(vectors), "embedding")} came with {counted(len(records), "record")}'
            )
        rows = [encode_record(record) for record in records]
        pictures = _checked_crops(crops, len(rows))
        frames = _packed_frames(behind, len(rows))
        if pairs is not None:
            pack_pairs(pairs)  # says what is wrong with them
        start = self._records.append(rows, self._backend.append(vectors, rows), shard)
        self._records.extras.append(start, pictures, frames, shard or '', pairs)

    def commit(self, tracks: Mapping[int, int] | None = None) -> None:
        """Make everything added durable, all at once.

        Args:
            tracks: Track numbers that rows get with it in place of theirs, by
                row, committed or not: of people who turn out to be of one track.

        Raises:
            ConfigError: If the index was not opened for writing.
            DataError: If there is no such row.
            UserError: If the disk is full or fails. The index on disk is as
                before then, and what was added is still to be committed.
        """
        self._require_writable()
        self._check_rows(list(tracks or {}))
        if self._records.changed or tracks:
            with reporting_write_errors(self._folder):
                self._backend.flush()
                self._take_over(self._records.commit(self._manifest, tracks, self._code_of))

    def _code_of(self, row: int) -> bytes:
        (place,) = self._records.numbers.places(np.array([row])).tolist()
        return self._backend.codes(place, place + 1).tobytes()

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
                built = replace(
                    self._manifest, structure=entry, structured=len(self),
                    generation=self._manifest.generation + 1,
                )  # fmt: skip
                self._records.publish(built)
                self._take_over(built)

    def delete(self, rows: Sequence[int] | np.ndarray, units: Sequence[str] = ()) -> int:
        """Delete people: their records and embeddings, and what was built of these.

        It is committed, with all that was added before, when this returns.
        Their crops and the frames behind them go as well. Their space is
        given back, for which the embeddings that stay are written anew; others
        may read the database all the while. Call :meth:`optimize` then to
        search fast again. Units of work stay finished, so that building again
        does not bring back who was deleted; other people keep their row
        numbers.

        Args:
            rows: Shape (n,), row numbers, such as :meth:`find` gives for a
                source, a camera or a time.
            units: Keys of units of work that are no longer finished then.

        Returns:
            How many were deleted.

        Raises:
            ConfigError: If the index was not opened for writing.
            DataError: If there is no such row.
            UserError: If the disk is full or fails. Nobody is deleted then.

        Warns:
            UserWarning: If they were deleted, but their crops or space could
                not be; the next to open the index for writing tries again.
        """
        self.commit()
        gone = np.unique(self._check_rows(rows))
        if len(gone):
            with self._replacing_files():
                vectors = self._backend.without(gone, self._next_name())
                sync_folder(self._folder)
                left = replace(
                    self._manifest, people=len(self) - len(gone), vectors=vectors,
                    generation=self._manifest.generation + 1, structure=None, structured=0,
                )  # fmt: skip
                self._records.delete(gone, left, units)
                self._take_over(left)
                self._give_back(len(gone))
        elif units:
            with reporting_write_errors(self._folder):
                self._records.delete(gone, self._manifest, units)
        return len(gone)

    def _require_writable(self) -> None:
        if self._lock is None or not self._lock.held:
            raise ConfigError(f'the index {self._folder} was not opened for writing')

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

    def _give_back(self, count: int) -> None:
        """Give back the space of so many who were deleted; without it, they are gone as well."""
        try:
            self._finish_deletion()
            self._database.shrink(count / (len(self) + count))
        except sqlite3.Error as error:
            self._warn_of_what_is_left(counted(count, 'person was', 'people were'), error)

    def _warn_of_what_is_left(self, who: str, error: sqlite3.Error) -> None:
        warnings.warn(
            f'{who} deleted from the index {self._folder}, but their crops or space could not be: '
            f'{error}; whoever opens it next for writing tries again',
            stacklevel=4,
        )

    def _tell_of_what_is_left(self) -> None:
        """Say what only a writer can end: a killed process has begun it, or one is at it."""
        if doomed := len(self._records.doomed()):
            who = counted(doomed, 'person was', 'people were')
            warnings.warn(
                f'{who} deleted from the index {self._folder}, but their crops are not yet: unless '
                'a program is at it, the next that writes to the index ends it',
                stacklevel=4,
            )

    def _finish_deletion(self) -> None:
        """Delete what is left of deleted people, also what a killed process has begun."""
        doomed = self._records.doomed()
        self._backend.erase(doomed)
        self._records.forget_doomed(doomed)


def _checked_crops(crops: Sequence[bytes] | None, count: int) -> list[bytes]:
    """Make sure that there is one a person, if there are any."""
    if crops is None:
        return []
    if len(crops) != count:
        raise DataError(f'{count} records came with {len(crops)} crops')
    for crop in crops:
        if not isinstance(crop, (bytes, bytearray, memoryview)):
            raise DataError(f'a crop must be the bytes of a JPEG file, not {type(crop).__name__}')
    return [bytes(crop) for crop in crops]


def _packed_frames(behind: Sequence[TrackFrames | None] | None, count: int) -> list[bytes]:
    """Make bytes of the frames behind each person, no bytes where there are none."""
    if behind is None:
        return []
    if len(behind) != count:
        raise DataError(f'{count} records came with the frames behind {len(behind)}')
    return [b'' if frames is None else pack_frames(frames) for frames in behind]
