"""What page and REST interface do, without HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from mmclsa.errors import DataError, UserError
from mmclsa.gallery import GalleryIndex, GalleryRecord, Hit, SearchFilter
from mmclsa.gallery.building import QueryEmbedder, find_people_in
from mmclsa.gallery.database import LockedError
from mmclsa.gallery.files import MissingFileError
from mmclsa.gallery.row_numbers import NoSuchRowError
from mmclsa.inference.boxes import check_boxes
from mmclsa.inference.limits import search_filter, undated_sentence
from mmclsa.inference.people import PersonGroup
from mmclsa.inference.probabilities import calibration_of
from mmclsa.inference.queries import fuse_embeddings
from mmclsa.inference.searching import HitUnit, rank_people
from mmclsa.media import decode_bytes
from mmclsa.utils.text import counted
from mmclsa.webui.file_names import display_names, file_name
from mmclsa.webui.footage import CROP_SIDE, SCENE_SIDE, Footage
from mmclsa.webui.grouping import PeopleOfIndex
from mmclsa.webui.jpegs import crop_of, encode_jpeg
from mmclsa.webui.problems import BrokenIndexError, BusyError, GoneError
from mmclsa.webui.results import Answer, Listing, Sighting, Summary
from mmclsa.webui.settings import Limits
from mmclsa.webui.uploads import PictureStore, StoredPicture

__all__ = ['NOBODY_THERE', 'Answer', 'GalleryService', 'Sighting', 'Summary']

_ATTEMPTS = 5
_PATIENCE = 3.0  # seconds that a visitor waits for a writer
#: What is said where the limits of a question let nobody through.
NOBODY_THERE = 'nobody was seen by these cameras at these times'
_TOLD = 3  # deleted rows by their numbers


class GalleryService:
    """A gallery and a model, and what visitors do with them.

    Pictures are read from the files that the rows of the index name, and from
    no others. Safe in threads: the index is asked by one at a time, the model
    runs for one at a time, and neither waits for the other or for a file.

    Args:
        index: The gallery, opened for reading.
        embedder: A model whose embeddings the index holds.
        limits: How much a visitor may ask for.

    Attributes:
        limits: As given.
        pictures: What visitors have uploaded.
        footage: The files that the index names.
    """

    def __init__(
        self, index: GalleryIndex, embedder: QueryEmbedder, limits: Limits | None = None
    ) -> None:
        self.limits = limits or Limits()
        self.pictures = PictureStore(self.limits.kept_mb, self.limits.kept_seconds)
        self.footage = Footage(self.limits.cached_mb)
        self._index = index
        index.wait_at_most(_PATIENCE)
        self._embedder = embedder
        self._index_lock = threading.RLock()
        self._model_lock = threading.Lock()
        self._people = PeopleOfIndex(index, self._index_lock, self.summary)
        self._summary: Summary | None = None
        self._names: tuple[str, Mapping[str, str]] = '', {}

    @property
    def index_path(self) -> str:
        """Folder of the index, which no visitor is told."""
        return str(self._index.path)

    def summary(self) -> Summary:
        """Sum up the index, as it is by now."""
        with self._reading():
            # A search takes over by itself that somebody was deleted meanwhile.
            if self._summary is None or self._summary.state != self._index.generation:
                self._summary = _summary_of(self._index)
            return self._summary

    def upload(self, data: bytes, name: str) -> tuple[str, StoredPicture]:
        """Find the people of a picture, and keep it for a while.

        Args:
            data: The bytes of its file.
            name: Of the file, without folders.

        Returns:
            The name under which it is kept, and the picture.

        Raises:
            DataError: If it is no picture, broken or too large.
            UserError: If the model cannot take it.
        """
        picture = decode_bytes(data, name, self.limits.max_pixels)
        with self._model_lock:
            people = find_people_in(self._embedder, picture, name)
        crops = tuple(encode_jpeg(crop_of(picture, box), CROP_SIDE) for box in people.boxes)
        height, width = picture.shape[:2]
        stored = StoredPicture(
            name, width, height, data, encode_jpeg(picture, SCENE_SIDE), people, crops
        )
        return self.pictures.add(stored), stored

    def describe_person(self, key: str, number: int) -> np.ndarray:
        """Give the embedding of a person of an uploaded picture, shape (D,).

        Raises:
            GoneError: If there is no such picture or person.
        """
        return self.pictures.get(key).person(number)[1]

    def describe_box(self, key: str, box: Sequence[float]) -> np.ndarray:
        """Describe a box of an uploaded picture, shape (D,).

        Raises:
            GoneError: If the picture is not kept any more.
            UserError: If the box is outside of it.
        """
        stored = self.pictures.get(key)
        boxes = check_boxes([box], (stored.height, stored.width))
        picture = decode_bytes(stored.data, stored.name, self.limits.max_pixels)
        with self._model_lock:
            return self._embedder.embed_boxes(picture, boxes)[0]

    def filter(
        self,
        cameras: Sequence[str] | None = None,
        time_from: str | float | None = None,
        time_to: str | float | None = None,
    ) -> SearchFilter:
        """Make a filter for a search; see :func:`search_filter`."""
        if not cameras and time_from in (None, '') and time_to in (None, ''):
            return SearchFilter()  # summing up an index of millions takes a while
        return search_filter(self.summary().contents, cameras, time_from, time_to)

    def undated(self, where: SearchFilter) -> list[str]:
        """Say whom a condition on the time leaves out unseen; see :func:`undated_sentence`."""
        with self._reading():
            told = undated_sentence(self._index, where)
        return [told] if told else []

    def search(
        self,
        looks: Sequence[np.ndarray],
        rows: Sequence[int] = (),
        where: SearchFilter | None = None,
        topk: int = 10,
        unit: HitUnit = 'sighting',
        min_probability: float | None = None,
        confirmed: Sequence[int] = (),
        rejected: Sequence[int] = (),
    ) -> Answer:
        """Look for a person.

        Args:
            looks: Embeddings of the person, each of shape (D,).
            rows: Rows of the index that are the person too.
            where: Which rows may be found.
            topk: How many to find at most.
            unit: ``sighting`` or ``frame``.
            min_probability: Leave out hits that are less likely the person.
            confirmed: Rows that the visitor has confirmed; those deleted since are left out.
            rejected: Rows that the visitor has rejected; those deleted since are left out.

        Returns:
            What was found.

        Raises:
            GoneError: If ``rows`` has one that is not there, or another was never there.
            UserError: If nobody is given, or a limit has no meaning.
        """
        if not looks and not rows:
            raise UserError('the query must have a person of a picture, a box or a row')
        with self._reading():
            self._check_rows(rows)
            confirmed, rejected, deleted = self._still_there(confirmed, rejected)
            known = [*looks, *(self._index.embeddings(list(rows)) if rows else ())]
            hits = rank_people(
                self._index,
                fuse_embeddings(np.stack(known)),
                topk,
                where,
                unit=unit,
                min_probability=min_probability,
                confirmed=confirmed,
                rejected=rejected,
                left_out=rows,
                # A sighting is itself a mean of several looks.
                looks=len(known) + bool(rows),
            )
            with_crop = frozenset(self._index.crops([hit.row for hit in hits]))
            searched, state = len(self._index), self._index.generation
            undated = undated_sentence(self._index, where)
            sources = self._sources_of([hit.record for hit in hits])
        told = [*deleted, *_warnings(hits, where, min_probability), *filter(None, [undated])]
        return Answer(hits, with_crop, sources, told, searched, state)

    def listing(self, where: SearchFilter, after: int, limit: int) -> Listing:
        """List rows of the index.

        Args:
            where: Which.
            after: Only those with a larger number.
            limit: How many at most.
        """
        with self._reading():
            found = self._index.rows() if where.passes_all else self._index.find(where)
            rows = found[found > after][:limit].tolist()
            records = self._index.records(rows)
            with_crop = frozenset(self._index.crops(rows))
            return Listing(rows, records, self._sources_of(records), with_crop, len(found))

    def sighting(self, row: int) -> Sighting:
        """Give a row of the index.

        Raises:
            GoneError: If there is no such row.
        """
        with self._reading():
            self._check_rows([row])
            (record,) = self._index.records([row])
            return Sighting(row, record, self._index.behind(row), *self._sources_of([record]))

    def kept_crop(self, row: int) -> bytes | None:
        """Give the crop that the index keeps of a row, a JPEG; None if it keeps none.

        Raises:
            GoneError: If there is no such row.
        """
        with self._reading():
            self._check_rows([row])
            return self._index.crops([row]).get(row)

    def people(
        self,
        where: SearchFilter,
        min_probability: float | None = None,
        min_similarity: float | None = None,
    ) -> tuple[list[PersonGroup], list[str]]:
        """Group the sightings of the index into people; see :meth:`PeopleOfIndex.find`."""
        try:
            return self._people.find(where, min_probability, min_similarity)
        except DataError as error:
            raise BrokenIndexError(str(error)) from error

    def close(self) -> None:
        """Let go of the footage; the index is its owner's to close."""
        self.footage.close()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Ask the index, as it is by now; what is wrong with it is not the visitor's fault."""
        with self._index_lock:
            try:
                self._follow()
                yield
            except DataError as error:
                if self._has_changed():
                    raise BusyError('the index has changed meanwhile: try again') from error
                raise BrokenIndexError(str(error)) from error

    def _has_changed(self) -> bool:
        try:
            return self._index.changed_on_disk()
        except UserError:
            return False

    def _follow(self) -> None:
        """Take over what others have added to the index, or deleted from it.

        While a writer keeps it locked, what was known last is gone on with.
        """
        for attempt in range(_ATTEMPTS):
            try:
                if not self._index.changed_on_disk():
                    return
            except LockedError:
                return
            try:
                self._index.refresh()
            except MissingFileError:  # a writer may have replaced files since
                if attempt == _ATTEMPTS - 1:
                    raise
            self._summary = None

    def _sources_of(self, records: Sequence[GalleryRecord]) -> list[str]:
        """Name the files of records, each so that it is told from all others of the index."""
        generation, names = self._names
        if generation != self._index.generation:
            names = display_names(self._index.sources())
            self._names = self._index.generation, names
        return [names.get(one.source) or file_name(one.source) for one in records]

    def _check_rows(self, rows: Sequence[int]) -> None:
        if rows and not self._has(rows):
            absent = next((row for row in rows if not self._has([row])), rows[0])
            raise GoneError(f'there is no row {absent} in the index')

    def _still_there(
        self, *verdicts: Sequence[int]
    ) -> tuple[Sequence[int], Sequence[int], Sequence[str]]:
        """Leave out confirmed and rejected rows that were deleted since, and say so.

        Raises:
            GoneError: If one was never there.
        """
        if self._has([row for rows in verdicts for row in rows]):
            confirmed, rejected = verdicts
            return confirmed, rejected, ()
        self._check_rows([row for rows in verdicts for row in rows if row >= self._index.next_row])
        confirmed, rejected = ([row for row in rows if self._has([row])] for rows in verdicts)
        gone = sorted({row for rows in verdicts for row in rows} - {*confirmed, *rejected})
        told = [f'what was said of row {row} is left out: it has been deleted' for row in gone]
        left = counted(len(told) - _TOLD, 'further row', 'further rows')
        more = [f'what was said of {left} is left out as well'] if len(told) > _TOLD else []
        return confirmed, rejected, [*told[:_TOLD], *more]

    def _has(self, rows: Sequence[int]) -> bool:
        try:
            self._index.records(list(rows))
        except NoSuchRowError:
            return False
        return True


def _warnings(
    hits: Sequence[Hit], where: SearchFilter | None, min_probability: float | None
) -> list[str]:
    """Say why nothing was found."""
    if hits:
        return []
    if min_probability:
        return [f'nobody is the person with a probability of {min_probability:g} or more']
    if where is not None and not where.passes_all:
        return [NOBODY_THERE]
    return ['nobody is in the index, or nobody else']


def _summary_of(index: GalleryIndex) -> Summary:
    contents = index.contents()
    return Summary(
        contents,
        index.generation,
        'sighting' if contents.sightings else 'detection',
        index.has_crops,
        calibration_of(index).calibration,
    )
