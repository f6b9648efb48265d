"""A rotation that spreads every vector evenly over its components."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmclsa.errors import DataError
from mmclsa.gallery.files import check_file, describe_file, new_file
from mmclsa.gallery.manifest import FileEntry
from mmclsa.gallery.optional import import_optional

__all__ = ['Rotation']


class Rotation:
    """A random rotation, kept in a file of FAISS.

    It leaves every inner product as it is. One scale then fits the
    components of all vectors, whatever model they are of.

    Args:
        transform: FAISS's ``RandomRotationMatrix``.
    """

    def __init__(self, transform: Any) -> None:
        self._transform = transform

    @classmethod
    def create(cls, path: Path, dims: int) -> FileEntry:
        """Draw a rotation and write it.

        Args:
            path: The file, which is new.
            dims: Length of a vector.

        Returns:
            What the manifest keeps about the file.
        """
        faiss = import_optional('faiss', 'gallery')
        transform = faiss.RandomRotationMatrix(dims, dims)
        transform.init(5)
        with new_file(path):
            faiss.write_VectorTransform(transform, str(path))
        return describe_file(path)

    @classmethod
    def open(cls, folder: Path, entry: FileEntry) -> Rotation:
        """Read a rotation.

        Args:
            folder: Folder of the index.
            entry: What the manifest says.

        Returns:
            The rotation.

        Raises:
            DataError: If the file is broken.
        """
        faiss = import_optional('faiss', 'gallery')
        path = check_file(folder, entry)
        try:
            return cls(faiss.read_VectorTransform(str(path)))
        except RuntimeError as error:
            raise DataError(f'{path} is broken: FAISS cannot read it ({error}).') from error

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """Rotate.

        Args:
            vectors: Shape (n, D), float32.

        Returns:
            Shape (n, D), float32.
        """
        return self._transform.apply(vectors)

    def undo(self, vectors: np.ndarray) -> np.ndarray:
        """Rotate back.

        Args:
            vectors: Shape (n, D), float32.

        Returns:
            Shape (n, D), float32.
        """
        return self._transform.reverse_transform(np.ascontiguousarray(vectors))
