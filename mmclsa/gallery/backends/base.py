"""What keeps and searches the vectors of an index."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mmclsa.gallery.filters import SearchFilter
from mmclsa.gallery.manifest import FileEntry, Manifest
from mmclsa.gallery.row_numbers import RowNumbers

__all__ = ['VectorBackend']


class VectorBackend(ABC):
    """Base of the backends: keeps vectors by row number, and searches them.

    :class:`~mmclsa.gallery.GalleryIndex` decides which rows exist. A backend
    writes files (or rows of a database) that are of no consequence until the
    index has written them into its manifest, and calls :meth:`load`.

    Row numbers may have gaps, where somebody was deleted; a *place* is the
    number of a vector among those that there are.
    """

    #: Options that leave what is stored as it is, and may differ at each opening.
    SEARCH_OPTIONS: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def create(self, folder: Path, dims: int) -> str:
        """Prepare a new, empty index.

        Args:
            folder: Folder of the index.
            dims: Length of a vector.

        Returns:
            Name of the file of vectors; empty if they are elsewhere.
        """

    @abstractmethod
    def load(self, folder: Path, manifest: Manifest, numbers: RowNumbers) -> None:
        """Take over a committed state: these rows, and no others.

        Args:
            folder: Folder of the index.
            manifest: The manifest.
            numbers: Which rows there are.

        Raises:
            DataError: If a file is broken.
            MissingFileError: If one is not there.
        """

    @abstractmethod
    def append(self, vectors: np.ndarray, records: Sequence[tuple[Any, ...]]) -> np.ndarray:
        """Take rows beyond the committed ones, searchable at once.

        Args:
            vectors: Shape (n, D), float32, of unit length.
            records: Their n records, as
                :func:`~mmclsa.gallery.records.encode_record` gives them.

        Returns:
            Shape (n, bytes), uint8: the vectors as they are stored; no bytes
            if they are not stored in the folder.
        """

    @abstractmethod
    def flush(self) -> None:
        """Make the rows appended since :meth:`load` durable.

        Raises:
            OSError: If the disk is full. The rows are still there then.
        """

    def build(self, name: str) -> FileEntry | None:
        """Build what makes the search of many rows fast.

        Args:
            name: Number for the new file's name.

        Returns:
            The file, which covers all committed rows; None if none is needed.

        Raises:
            OSError: If the disk is full.
        """
        return None

    def without(self, rows: np.ndarray, name: str) -> str:
        """Write the vectors that are left when some are deleted.

        Args:
            rows: Shape (n,), int64, committed ones.
            name: Number for the new file's name.

        Returns:
            Name of the file; empty if the vectors are elsewhere.

        Raises:
            OSError: If the disk is full.
        """
        return ''

    def erase(self, rows: np.ndarray) -> None:  # noqa: B027 (what is in files goes with them)
        """Delete rows that the manifest no longer has; twice does no harm.

        Args:
            rows: Shape (n,), int64.
        """

    def codes(self, start: int, stop: int) -> np.ndarray:
        """Give committed vectors as they are stored.

        Args:
            start: Place of the first.
            stop: Place behind the last.

        Returns:
            Shape (stop - start, bytes), uint8.
        """
        return np.empty((stop - start, 0), np.uint8)

    @abstractmethod
    def search(
        self,
        queries: np.ndarray,
        topk: int,
        where: SearchFilter | None,
        mask: Callable[[], np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the most similar vectors.

        Args:
            queries: Shape (Q, D), float32, of unit length.
            topk: How many to find.
            where: Which rows may be found; None allows all.
            mask: Gives ``where`` as shape (places,), bool, for backends that
                know no records.

        Returns:
            Similarities (float32) and rows (int64), both of shape (Q, topk),
            the most similar first, equal ones by row. Where there are fewer,
            rows end in -1.
        """

    def search_without(
        self,
        queries: np.ndarray,
        topk: int,
        where: SearchFilter | None,
        mask: Callable[[], np.ndarray],
        rows: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the most similar vectors that are not of some rows.

        Args:
            queries: See :meth:`search`.
            topk: See :meth:`search`.
            where: See :meth:`search`.
            mask: See :meth:`search`; without these rows.
            rows: The rows, shape (n,), int64, for backends that need no mask.

        Returns:
            See :meth:`search`.
        """
        return self.search(queries, topk, where or SearchFilter(), mask)

    @abstractmethod
    def vectors(self, rows: np.ndarray) -> np.ndarray:
        """Give back vectors, as exactly as they are stored.

        Args:
            rows: Shape (n,), int64.

        Returns:
            Shape (n, D), float32.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""
