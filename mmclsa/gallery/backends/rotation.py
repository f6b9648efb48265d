"""A rotation that spreads every vector evenly over its components."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmclsa.errors import DataError
from mmclsa.gallery.files import check_file, describe_file, new_file
from mmclsa.gallery.manifest import FileEntry
from mmclsa.utils.optional import import_optional

__all__ = ['Rotation']

# The type, no bias, and the length of the matrix; behind it no bias, both
# dimensions, and that it is trained.
_HEAD = 4 + 1 + 8
_TAIL = 8 + 4 + 4 + 1


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
    def open(cls, folder: Path, entry: FileEntry, dims: int) -> Rotation:
        """Read a rotation.

        Args:
            folder: Folder of the index.
            entry: What the manifest says.
            dims: Length of a vector. All of the file but the numbers must be
                as FAISS writes it for them, before FAISS reads it.

        Returns:
            The rotation.

        Raises:
            DataError: If the file is broken.
        """
        faiss = import_optional('faiss', 'gallery')
        path = check_file(folder, entry)
        empty = _empty_file(dims)
        with open(path, 'rb') as stream:
            content = stream.read(len(empty) + 1)
        same = content[:_HEAD] == empty[:_HEAD] and content[-_TAIL:] == empty[-_TAIL:]
        if not same or len(content) != len(empty):
            raise DataError(f'{path} is broken: it is no rotation of vectors of {dims} numbers.')
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


def _empty_file(dims: int) -> bytes:
    """What FAISS writes for a rotation that is all zeros."""
    faiss = import_optional('faiss', 'gallery')
    transform = faiss.RandomRotationMatrix(dims, dims)
    faiss.copy_array_to_vector(np.zeros(dims * dims, np.float32), transform.A)
    transform.is_trained = True
    writer = faiss.VectorIOWriter()
    faiss.write_VectorTransform(transform, writer)
    return bytes(faiss.vector_to_array(writer.data).tobytes())
