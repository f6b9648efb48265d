"""A rotation that spreads every vector evenly over its components."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmclsa.errors import DataError
from mmclsa.gallery.files import check_file, describe_file, new_file
from mmclsa.gallery.manifest import FileEntry
from mmclsa.utils.optional import import_optional

__all__ = ['read_rotation', 'write_rotation']


def write_rotation(path: Path, dims: int) -> FileEntry:
    """Draw a random rotation and write it.

    It leaves every inner product as it is. One scale then fits the
    components of all vectors, whatever model they are of.

    Args:
        path: The file, which is new: dims * dims numbers, float32.
        dims: Length of a vector.

    Returns:
        What the manifest keeps about the file.
    """
    faiss = import_optional('faiss', 'gallery')
    transform = faiss.RandomRotationMatrix(dims, dims)
    transform.init(5)
    with new_file(path):
        path.write_bytes(faiss.vector_to_array(transform.A).tobytes())
    return describe_file(path)


def read_rotation(folder: Path, entry: FileEntry, dims: int) -> np.ndarray:
    """Read a rotation.

    Args:
        folder: Folder of the index.
        entry: What the manifest says.
        dims: Length of a vector.

    Returns:
        Shape (dims, dims), float32; vectors are multiplied by it from the left.

    Raises:
        DataError: If the file is broken.
    """
    path = check_file(folder, entry)
    if entry.size != dims * dims * 4:
        raise DataError(f'{path} is broken: it is no rotation of vectors of {dims} numbers.')
    matrix = np.frombuffer(path.read_bytes(), np.float32).reshape(dims, dims).T
    if not np.isfinite(matrix).all():
        raise DataError(f'{path} is broken: not all of its numbers are finite.')
    return matrix
