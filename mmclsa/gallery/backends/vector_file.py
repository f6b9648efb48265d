"""Embeddings in a plain file, one after the other, and FAISS over it.

A file has as many embeddings as the manifest says there are people. What lies
behind them is left over from a process that was killed while it added some,
and the next one writes over it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery.files import MissingFileError, new_file
from mmclsa.utils.optional import import_optional

__all__ = ['STORAGES', 'append_codes', 'codes_of', 'map_codes', 'new_flat', 'view_flat',
           'write_codes']  # fmt: skip

STORAGES = ('fp32', 'fp16', 'int8')


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


def view_flat(empty: Any, codes: np.ndarray) -> Any:
    """Make a FAISS index over codes, without a copy of them.

    Args:
        empty: What :func:`new_flat` made.
        codes: Shape (n, bytes), uint8, contiguous, such as a mapped file's.

    Returns:
        The index, which keeps ``codes`` alive.

    Example:
        >>> flat = new_flat(2, 'fp32')
        >>> flat.add(np.eye(2, dtype=np.float32))
        >>> view_flat(flat, codes_of(flat)).search(np.eye(2, dtype=np.float32)[1:], 1)[1]
        array([[1]])
    """
    faiss = import_optional('faiss', 'gallery')
    flat = faiss.clone_index(empty)
    flat.reset()
    if len(codes):
        vector = faiss.MaybeOwnedVectorUInt8
        flat.codes = vector.create_view(faiss.swig_ptr(codes), codes.size, vector().owner)
        flat.ntotal = len(codes)
        flat.referenced_objects = [codes]  # as FAISS keeps what an index is over
    return flat


def map_codes(path: Path, count: int, size: int) -> np.ndarray:
    """Map the embeddings of a file into memory.

    Args:
        path: The file.
        count: How many it has at least.
        size: Bytes of one.

    Returns:
        Shape (count, size), uint8; on disk until they are touched.

    Raises:
        MissingFileError: If the file is not there.
        DataError: If it is shorter. One that is cut short would end the
            process with a bus error when its end is touched.
    """
    try:
        length = path.stat().st_size
    except FileNotFoundError as error:
        raise MissingFileError(f'the index {path.parent} is broken: {path} is missing') from error
    if length < count * size:
        raise DataError(f'{path} is broken: it has {length} bytes instead of {count * size}')
    if not count:
        return np.empty((0, size), np.uint8)
    # A plain array: np.memmap's slices cost microseconds.
    return np.asarray(np.memmap(path, np.uint8, 'r', shape=(count, size)))


def append_codes(path: Path, count: int, codes: np.ndarray) -> None:
    """Write embeddings behind those of a file, through to the disk.

    Args:
        path: The file.
        count: How many it has; what is behind them is written over.
        codes: Shape (n, bytes), uint8.

    Raises:
        OSError: If the disk is full; the file has ``count`` embeddings then.
    """
    valid = count * codes.shape[1]
    with open(path, 'r+b') as stream:
        stream.truncate(valid)
        try:
            stream.seek(valid)
            stream.write(np.ascontiguousarray(codes).data)
            stream.flush()
            os.fsync(stream.fileno())
        except OSError:
            with suppress(OSError):
                os.ftruncate(stream.fileno(), valid)
            raise


def write_codes(path: Path, blocks: Iterable[np.ndarray]) -> None:
    """Write a file of embeddings.

    Args:
        path: The file, which is new.
        blocks: Arrays of shape (n, bytes), uint8.

    Raises:
        OSError: If the disk is full.
    """
    with new_file(path), open(path, 'wb') as stream:
        for block in blocks:
            stream.write(np.ascontiguousarray(block).data)
