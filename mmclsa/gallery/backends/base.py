"""What keeps and searches the vectors of an index."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mmclsa.gallery.filters import SearchFilter
from mmclsa.gallery.manifest import FileEntry, Segment

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ['VectorBackend']


class VectorBackend(ABC):
    """Base of the backends: keeps vectors by row number, and searches them.

    :class:`~mmclsa.gallery.GalleryIndex` decides which rows exist. A backend
    writes files (or rows of a database) that are of no consequence until the
    index has written them into its manifest, and calls :meth:`load`.
    """

    #: Options that leave what is stored as it is, and may differ at each opening.
    SEARCH_OPTIONS: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def create(self, folder: Path, dims: int) -> Mapping[str, FileEntry]:
        """Prepare a new, empty index.

        Args:
            folder: Folder of the index.
            dims: Length of a vector.

        Returns:
            Files that belong to the index as a whole, by role.
        """

    @abstractmethod
    def open(self, folder: Path, dims: int, files: Mapping[str, FileEntry], writable: bool) -> None:
        """Get ready to read or write an index.

        Args:
            folder: Folder of the index.
            dims: Length of a vector.
            files: What :meth:`create` gave.
            writable: Whether this process holds the lock of the writer.
        """

    @abstractmethod
    def load(self, segments: Sequence[Segment]) -> None:
        """Take over a committed state: these rows, and no others.

        Args:
            segments: The segments of the manifest, in order.

        Raises:
            DataError: If a file is broken.
            MissingFileError: If one is not there.
        """

    @abstractmethod
    def append(self, vectors: np.ndarray, records: pa.Table) -> None:
        """Take rows beyond the committed ones, searchable at once.

        Args:
            vectors: Shape (n, D), float32, of unit length.
            records: Their n records.
        """

    @abstractmethod
    def flush(self, name: str) -> Mapping[str, FileEntry]:
        """Make the rows appended since :meth:`load` durable, as a segment.

        Args:
            name: Name of the segment.

        Returns:
            Its files by role.

        Raises:
            OSError: If the disk is full. The rows are still there then.
        """

    @abstractmethod
    def merge(self, name: str, segments: Sequence[Segment]) -> Mapping[str, FileEntry]:
        """Join neighbouring segments into a new one.

        Args:
            name: Name of the new segment.
            segments: Committed ones, in order.

        Returns:
            Its files by role.

        Raises:
            OSError: If the disk is full.
        """

    @abstractmethod
    def build(self, segment: Segment) -> Mapping[str, FileEntry]:
        """Build what makes the search of a large segment fast.

        Args:
            segment: A committed segment.

        Returns:
            Files that it has now beside the old ones, by role.

        Raises:
            OSError: If the disk is full.
        """

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
            mask: Gives ``where`` as shape (rows,), bool, for backends that
                know no records.

        Returns:
            Similarities (float32) and rows (int64), both of shape (Q, topk),
            the most similar first, equal ones by row. Where there are fewer,
            rows end in -1.
        """

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
