"""An index as it is read: search, records, embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery.backends.base import VectorBackend
from mmclsa.gallery.contents import Contents
from mmclsa.gallery.database import Database
from mmclsa.gallery.files import check_file, is_whole
from mmclsa.gallery.filters import SearchFilter
from mmclsa.gallery.locking import WriterLock
from mmclsa.gallery.manifest import Manifest, ModelFingerprint, check_same_model
from mmclsa.gallery.record_store import RecordStore
from mmclsa.gallery.records import GalleryRecord, Hit
from mmclsa.gallery.row_numbers import NoSuchRowError
from mmclsa.gallery.sizes import IndexSizes
from mmclsa.gallery.unit_vectors import check_unit_vectors
from mmclsa.structures.sightings import PairCounts, Stay, TrackFrames
from mmclsa.utils.text import counted

__all__ = ['IndexReader']

# So many people at either end are compared with what was written, at opening.
_CHECKED = 1000
_Self = TypeVar('_Self', bound='IndexReader')


class IndexReader:
    """What can be asked of an index; see :class:`GalleryIndex`."""

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

    @property
    def model(self) -> ModelFingerprint:
        """The model whose embeddings these are."""
        return self._manifest.model

    @property
    def path(self) -> Path:
        """Folder of the index."""
        return self._folder

    def check_model(self, model: ModelFingerprint) -> None:
        """Make sure that these are embeddings of a model.

        Raises:
            ConfigError: If they are of another one.
        """
        check_same_model(self._folder, self.model, model)

    @property
    def generation(self) -> str:
        """A text that is another one when the rows held, or their tracks, are others."""
        manifest = self._manifest
        return f'{manifest.generation}-{manifest.next_row}-{manifest.people}'

    @property
    def next_row(self) -> int:
        """The number that no row has had yet; each smaller one is there, or was deleted."""
        return self._manifest.next_row

    def changed_on_disk(self) -> bool:
        """Tell whether :meth:`refresh` would give anything new; takes next to no time.

        Raises:
            DataError: If the database is broken, or no longer there.
        """
        if self._lock is not None:
            return False
        self._database.check_place()
        return self._database.manifest() != self._manifest

    def wait_at_most(self, seconds: float) -> None:
        """Say how long a question waits for a writer that keeps the database locked.

        Then it raises a :class:`~mmclsa.gallery.database.LockedError`; at first after a minute.
        """
        self._database.wait_at_most(seconds)

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

    def sources(self) -> list[str]:
        """Give the files that anybody committed is of, in the order of their names."""
        return self._records.sources()

    def refresh(self) -> None:
        """Take over what is committed by now; what is not committed here is lost.

        Raises:
            DataError: If a file is broken; a MissingFileError if one is not there.
        """
        with self._database.lock:  # another thread may be at it
            with self._database.snapshot():
                self._database.look_at_tables()
                manifest = self._database.manifest()
                # What only makes searching fast is built anew by a writer.
                if self._lock is not None and not is_whole(self._folder, manifest.structure):
                    manifest = replace(manifest, structure=None, structured=0)
                self._records.load(manifest)
            self._take_over(manifest)

    def search(
        self,
        queries: np.ndarray,
        topk: int = 10,
        where: SearchFilter | None = None,
        *,
        without: Sequence[int] | np.ndarray = (),
    ) -> list[list[Hit]]:
        """Find the people most similar to some.

        Args:
            queries: Shape (Q, D), float, of unit length.
            topk: How many to find for each.
            where: Which records may be found; ``topk`` are, where there are so many of them.
            without: Rows that may not be found, shape (n,); ``topk`` others are.

        Returns:
            For each query its hits, the most similar first.

        Raises:
            ConfigError: If ``topk`` is not positive.
            DataError: If the queries are of another shape, not finite or not of unit length.
        """
        if topk < 1:
            raise ConfigError(f'topk must be positive, not {topk}')
        vectors = check_unit_vectors(queries, self.model.dims, 'queries')
        asked = (vectors, topk, where, np.asarray(without, np.int64).reshape(-1))
        found = self._search(*asked)
        if found is None and self._lock is None:  # somebody was deleted since this was opened
            self.refresh()
            found = self._search(*asked)
        if found is None:
            raise DataError(f'the index {self._folder} is broken: records are missing')
        return found

    def _search(
        self, vectors: np.ndarray, topk: int, where: SearchFilter | None, without: np.ndarray
    ) -> list[list[Hit]] | None:
        """Search; None if there is no record of somebody who was found."""
        limit = min(topk, len(self))
        if not limit or not len(vectors):
            return [[] for _ in vectors]
        chosen = None if where is None or where.passes_all else where
        mask = partial(self._records.mask, where or SearchFilter(), without)
        asked = vectors, limit, chosen, mask
        if len(without):
            similarities, rows = self._backend.search_without(*asked, without)
        else:
            similarities, rows = self._backend.search(*asked)
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
            NoSuchRowError: If there is no such row.
            DataError: If the database is broken.
        """
        if rows is None:
            return self._records.all()
        numbers = self._check_rows(rows)
        found = self._records.get(numbers)
        for row in numbers.tolist():
            if row not in found:
                raise NoSuchRowError(f'row {row} of the index {self._folder} has been deleted')
        return [found[row] for row in numbers.tolist()]

    def crops(self, rows: Sequence[int] | np.ndarray) -> dict[int, bytes]:
        """Give pictures of people, without a look at the footage.

        Args:
            rows: Shape (n,), row numbers.

        Returns:
            JPEG files by row number; a row without one is not in it.

        Raises:
            DataError: If there is no such row, or the database is broken.
        """
        return self._records.extras.crops(self._check_rows(rows).tolist())

    @property
    def has_crops(self) -> bool:
        """Whether anybody has a crop."""
        return self._records.extras.has_crops

    def behind(self, row: int) -> TrackFrames:
        """Give the frames behind a sighting.

        Args:
            row: Its row number.

        Returns:
            The frames; where none are kept, the one of the record.

        Raises:
            DataError: If there is no such row, or the database is broken.
        """
        (record,) = self.records([row])
        frames = self._records.extras.behind(int(row))
        if frames is not None:
            return frames
        return TrackFrames(
            np.array([record.frame], np.int64),
            np.array([record.time], np.float64),
            np.array([record.box], np.float32),
            np.array([record.score], np.float32),
        )

    def pair_counts(self) -> PairCounts:
        """Give how similar pairs of people in this footage are, summed over its units.

        Raises:
            DataError: If the database is broken.
        """
        return self._records.extras.pair_counts()

    def find(self, where: SearchFilter) -> np.ndarray:
        """Give the rows of all committed whom a filter lets through, ascending, (n,), int64."""
        return self._records.rows_of(where)

    def count_sightings(self, where: SearchFilter) -> int:
        """Count whom a filter lets through of those committed, all rows of a track as one."""
        return self._records.count_sightings(where)

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

    def track_stays(self, rows: Sequence[int] | np.ndarray) -> dict[tuple[str, int], Stay]:
        """Tell from when to when the tracks of some were seen, all that is committed of them.

        Args:
            rows: Shape (n,), row numbers; a long track has one in each unit of work.

        Returns:
            By source and number of the track. A track without a sighting, of
            single detections, is not in it.

        Raises:
            DataError: If there is no such row.
        """
        return self._records.track_stays(self._check_rows(rows))

    def sizes(self) -> IndexSizes:
        """Measure how many bytes each part takes on the disk.

        Raises:
            DataError: If the database is broken.
        """
        extras = self._records.extras.sizes()
        (num_crops, crops), (num_behind, behind) = extras['crops'], extras['behind']
        structure = self._manifest.structure
        vectors = self._folder / self._manifest.vectors if self._manifest.vectors else None
        return IndexSizes(
            vectors=0 if vectors is None else vectors.stat().st_size,
            structure=0 if structure is None else structure.size,
            crops=crops,
            behind=behind,
            records=self._database.path.stat().st_size - crops - behind,
            num_crops=num_crops,
            num_behind=num_behind,
        )

    def verify(self) -> None:
        """Read all of the index and compare it with what was written.

        Raises:
            DataError: If anything is broken or missing.
        """
        self._database.check()
        if self._manifest.structure is not None:
            check_file(self._folder, self._manifest.structure, whole=True)
        self._check_people(range(0, self._records.numbers.count, _CHECKED))
        self._records.extras.check()

    def close(self) -> None:
        """Let go of the files and of the lock; what is not committed is lost."""
        self._backend.close()
        self._database.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_rows(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        try:
            numbers = np.asarray(rows, dtype=np.int64).reshape(-1)
            places = self._records.numbers.places(numbers)
            wrong = numbers[(places < 0) | (places >= len(self))].tolist()
        except OverflowError:  # beyond any number
            wrong = [max(rows, key=abs)]
        if len(wrong):
            raise NoSuchRowError(
                f'the index {self._folder} has {counted(len(self), "row")}, and no row {wrong[0]}'
            )
        return numbers

    def _check_ends(self) -> None:
        """Compare the first and the last people with what was written."""
        self._check_people({0, max(0, self._records.numbers.count - _CHECKED)})

    def _check_people(self, starts: Iterable[int]) -> None:
        """Compare so many people from each place on with what was written."""
        try:
            for start in starts:
                stop = min(start + _CHECKED, self._records.numbers.count)
                self._records.check(start, self._backend.codes(start, stop))
        except DataError as error:
            files = ' or '.join(filter(None, (self._database.path.name, self._manifest.vectors)))
            raise DataError(f'the index {self._folder} is broken: {error} in {files}') from error

    def _take_over(self, manifest: Manifest) -> None:
        """Hold what is committed, and nothing else."""
        self._backend.load(self._folder, manifest, self._records.numbers)
        self._manifest = manifest
