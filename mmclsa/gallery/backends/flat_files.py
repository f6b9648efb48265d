"""Vectors in FAISS's format for plain indexes, without holding them in memory.

The format of ``IndexFlat`` and ``IndexScalarQuantizer`` is a header, the
length of the array of codes, and the codes. So a file is written as a stream
and joined with others without decoding them, and is read by mapping it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery.files import describe_file, new_file
from mmclsa.gallery.manifest import FileEntry
from mmclsa.utils.optional import import_optional

__all__ = ['STORAGES', 'codes_of', 'join_flat', 'new_flat', 'read_flat', 'write_flat']

STORAGES = ('fp32', 'fp16', 'int8')
# Where FAISS keeps the number of vectors: behind the four letters that name
# the type, and the 32 bits of the dimension.
_COUNT_AT = slice(8, 16)


def new_flat(dims: int, storage: str) -> Any:
    """Make an empty FAISS index that compares with every vector.

    Args:
        dims: Length of a vector.
        storage: ``fp32``, ``fp16`` or ``int8``. The range of ``int8`` suits
            unit vectors that were rotated at random, so that it needs no
            training, and is the same for the first vector and the last.

    Returns:
        ``IndexFlatIP`` or ``IndexScalarQuantizer``.

    Raises:
        ConfigError: If ``storage`` is another one.
        UserError: If faiss is not installed.

    Example:
        >>> new_flat(4, 'fp16').sa_code_size()
        8
    """
    faiss = import_optional('faiss', 'gallery')
    if storage == 'fp32':
        return faiss.IndexFlatIP(dims)
    if storage not in STORAGES:
        raise ConfigError(f'storage must be one of {", ".join(STORAGES)}, not {storage!r}')
    kinds = faiss.ScalarQuantizer
    kind = kinds.QT_fp16 if storage == 'fp16' else kinds.QT_8bit_uniform
    index = faiss.IndexScalarQuantizer(dims, kind, faiss.METRIC_INNER_PRODUCT)
    if storage == 'int8':
        # A rotated unit vector's components have the deviation dims ** -0.5.
        reach = min(1.0, 5.5 * dims**-0.5)
        faiss.copy_array_to_vector(np.array([-reach, 2 * reach], np.float32), index.sq.trained)
    index.is_trained = True
    return index


def codes_of(flat: Any) -> np.ndarray:
    """Give the codes of an index that :func:`new_flat` made.

    Args:
        flat: The index, which must outlive the result.

    Returns:
        Shape (rows, bytes), uint8; the index's own memory.

    Example:
        >>> flat = new_flat(4, 'fp16')
        >>> flat.add(np.eye(4, dtype=np.float32))
        >>> codes_of(flat).shape
        (4, 8)
    """
    faiss = import_optional('faiss', 'gallery')
    size = flat.sa_code_size()
    return faiss.rev_swig_ptr(flat.codes.data(), flat.ntotal * size).reshape(-1, size)


def write_flat(path: Path, empty: Any, codes: Iterable[np.ndarray]) -> FileEntry:
    """Write a file that ``faiss.read_index`` reads.

    Args:
        path: The file, which is new.
        empty: What :func:`new_flat` made.
        codes: Arrays of shape (n, bytes), uint8, as ``empty.sa_encode`` gives.

    Returns:
        What the manifest keeps about the file.

    Raises:
        OSError: If the disk is full.
    """
    with new_file(path), open(path, 'wb') as stream:
        stream.write(_header(empty, 0))
        rows = 0
        for block in codes:
            stream.write(np.ascontiguousarray(block).data)
            rows += len(block)
        stream.seek(0)
        stream.write(_header(empty, rows))
    return describe_file(path)


def join_flat(path: Path, empty: Any, parts: Sequence[tuple[Path, int]]) -> FileEntry:
    """Join files of the same kind into one.

    Args:
        path: The file, which is new.
        empty: What :func:`new_flat` made.
        parts: Files that :func:`write_flat` or this wrote, and how many
            vectors each has, in order.

    Returns:
        What the manifest keeps about the file.

    Raises:
        OSError: If the disk is full.
    """
    with new_file(path), open(path, 'wb') as stream:
        stream.write(_header(empty, sum(rows for _, rows in parts)))
        for part, rows in parts:
            with open(part, 'rb') as source:
                source.seek(-rows * empty.sa_code_size(), os.SEEK_END)
                shutil.copyfileobj(source, stream, 1 << 22)
    return describe_file(path)


def read_flat(path: Path, empty: Any, rows: int) -> Any:
    """Map a file of vectors into memory.

    Args:
        path: The file. Its header and length must be those of these vectors,
            to the byte, before FAISS reads it: FAISS believes what a header
            says.
        empty: What :func:`new_flat` made for this index.
        rows: How many vectors it must hold.

    Returns:
        The FAISS index; its vectors stay on disk until they are touched.

    Raises:
        DataError: If the file is another one.
    """
    faiss = import_optional('faiss', 'gallery')
    header = _header(empty, rows)
    with open(path, 'rb') as stream:
        same = stream.read(len(header)) == header
        same &= stream.seek(0, os.SEEK_END) == len(header) + rows * empty.sa_code_size()
    if not same:
        raise DataError(f'{path} is broken: it does not hold {rows} vectors of this index.')
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise DataError(f'{path} is broken: FAISS cannot read it ({error}).') from error
    return index


def _header(empty: Any, rows: int) -> bytes:
    """What FAISS writes in front of the codes of ``rows`` vectors."""
    faiss = import_optional('faiss', 'gallery')
    header = bytearray(faiss.serialize_index(empty).tobytes())
    header[_COUNT_AT] = np.int64(rows).tobytes()
    # IndexFlat counts floats, IndexScalarQuantizer bytes.
    unit = 4 if isinstance(empty, faiss.IndexFlat) else 1
    header[-8:] = np.uint64(rows * empty.sa_code_size() // unit).tobytes()
    return bytes(header)
