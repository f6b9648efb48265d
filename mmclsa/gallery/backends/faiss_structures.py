"""What makes FAISS fast on many vectors: a graph, or an inverted file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery.files import describe_file, new_file
from mmclsa.gallery.manifest import FileEntry
from mmclsa.utils.optional import import_optional

__all__ = ['KINDS', 'StructureOptions', 'build_structure', 'open_structure']

KINDS = ('flat', 'hnsw', 'ivf_pq')
_BLOCK = 1 << 16
_SEED = 1234
# Rows for each list, of those that the lists are trained with.
_TRAINED_FROM = 40
_MANY_LISTS = 4096


@dataclass(frozen=True)
class StructureOptions:
    """How to build and to search; see :class:`FaissBackend`."""

    kind: str = 'flat'
    links: int = 16
    ef_construction: int = 256
    ef_search: int = 192
    lists: int | None = None
    probes: int = 64
    code_bytes: int = 96
    candidates: int = 400

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f'kind must be one of {", ".join(KINDS)}, not {self.kind!r}')
        for name in (
            'links', 'ef_construction', 'ef_search', 'probes', 'code_bytes', 'candidates'
        ):  # fmt: skip
            _check_positive(name, getattr(self, name))
        if self.lists is not None:
            _check_positive('lists', self.lists)


def _check_positive(name: str, value: object) -> None:
    if type(value) is not int or value < 1:
        raise ConfigError(f'{name} must be a positive whole number, not {value!r}')


def build_structure(
    path: Path, flat: Any, empty: Any, options: StructureOptions, base: Path | None = None
) -> FileEntry:
    """Build a structure and write it.

    Args:
        path: The file, which is new.
        flat: The vectors.
        empty: Empty FAISS index of the same storage.
        options: Which structure.
        base: What this wrote for the first of these vectors, to go on from.

    Returns:
        What the manifest keeps about the file.

    Raises:
        OSError: If the disk is full.
    """
    faiss = import_optional('faiss', 'gallery')
    if options.kind == 'hnsw':
        built, flags = _build_graph(flat, empty, options, base), faiss.IO_FLAG_SKIP_STORAGE
    else:
        built, flags = _build_inverted_file(flat, options, base), 0
    with new_file(path), open(path, 'wb') as stream:
        _write_index(built, stream, flags)
    return describe_file(path)


def open_structure(path: Path, flat: Any, options: StructureOptions) -> Any:
    """Open a structure.

    Args:
        path: What :func:`build_structure` wrote.
        flat: The vectors that it was built over, which must outlive the result.
        options: Which structure.

    Returns:
        A FAISS index. A graph compares with the vectors of ``flat``; an
        inverted file is mapped, and its first candidates are compared again
        with those vectors.

    Raises:
        DataError: If FAISS cannot read the file.
    """
    faiss = import_optional('faiss', 'gallery')
    flags = faiss.IO_FLAG_SKIP_STORAGE if options.kind == 'hnsw' else faiss.IO_FLAG_MMAP
    try:
        index = faiss.read_index(str(path), flags)
    except RuntimeError as error:
        raise DataError(f'{path} is broken: FAISS cannot read it ({error})') from error
    if index.ntotal != flat.ntotal or index.d != flat.d:
        raise DataError(f'{path} is broken: it does not belong to these {flat.ntotal} vectors')
    if options.kind == 'hnsw':
        index.storage = flat
        index.own_fields = False
        return index
    return faiss.IndexRefine(index, flat)


def search_structure(
    structure: Any, queries: np.ndarray, topk: int, options: StructureOptions, selector: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Search a structure.

    Args:
        structure: What :func:`open_structure` gave.
        queries: Shape (Q, D), float32.
        topk: How many to find.
        options: Which structure, and how thoroughly to search it.
        selector: FAISS's ``IDSelector``, or None for all rows.

    Returns:
        Similarities and rows, shape (Q, topk); -1 where none was found.
    """
    faiss = import_optional('faiss', 'gallery')
    if options.kind == 'hnsw':
        reach = max(options.ef_search, 2 * topk)
        parameters = faiss.SearchParametersHNSW(efSearch=reach, sel=selector)
    else:
        base = faiss.SearchParametersIVF(nprobe=options.probes, sel=selector)
        factor = max(1.0, options.candidates / topk)
        parameters = faiss.IndexRefineSearchParameters(k_factor=factor, base_index_params=base)
    return structure.search(queries, topk, params=parameters)


def _build_graph(flat: Any, empty: Any, options: StructureOptions, base: Path | None) -> Any:
    """HNSW over vectors of the same storage."""
    faiss = import_optional('faiss', 'gallery')
    storage = faiss.clone_index(empty)
    graph = _read_base(base, faiss.IO_FLAG_SKIP_STORAGE, flat)
    if graph is None:
        # FAISS before 1.15 writes no graph of the class that takes any storage.
        is_flat = isinstance(empty, faiss.IndexFlat)
        kind = () if is_flat else (empty.sq.qtype,)
        graph_of = faiss.IndexHNSWFlat if is_flat else faiss.IndexHNSWSQ
        graph = graph_of(flat.d, *kind, options.links, faiss.METRIC_INNER_PRODUCT)
        graph.is_trained = True
    for block in _blocks(flat, 0, graph.ntotal):
        storage.add(block)
    storage.this.disown()  # the graph frees it
    graph.storage, graph.own_fields = storage, True
    graph.hnsw.efConstruction = options.ef_construction
    for block in _blocks(flat, graph.ntotal, flat.ntotal):
        graph.add(block)
    return graph


def _build_inverted_file(flat: Any, options: StructureOptions, base: Path | None) -> Any:
    """IVF-PQ, trained on rows drawn with a fixed seed."""
    lists = options.lists or _usual_lists(flat.ntotal)
    index = _read_base(base, 0, flat)
    if index is None or index.nlist != lists:
        index = _train_inverted_file(flat, options, lists)
    for block in _blocks(flat, index.ntotal, flat.ntotal):
        index.add(block)
    return index


def _train_inverted_file(flat: Any, options: StructureOptions, lists: int) -> Any:
    """An inverted file for vectors like these that has none yet."""
    faiss = import_optional('faiss', 'gallery')
    bits = 8 if flat.ntotal >= 10_000 else 4
    quantizer = faiss.IndexFlatIP(flat.d)
    index = faiss.IndexIVFPQ(
        quantizer, flat.d, lists, _parts(flat.d, options.code_bytes), bits,
        faiss.METRIC_INNER_PRODUCT,
    )  # fmt: skip
    # Whoever asks for lists over few vectors gets them without a warning.
    index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1
    index.cp.spherical = True
    index.cp.niter = index.pq.cp.niter = 10
    index.cp.seed = _SEED
    size = min(flat.ntotal, max(_TRAINED_FROM * lists, 1 << 16))
    rows = np.random.default_rng(_SEED).choice(flat.ntotal, size, replace=False)
    index.train(flat.reconstruct_batch(np.sort(rows)))
    return index


def _read_base(base: Path | None, flags: int, flat: Any) -> Any:
    """Read an earlier structure; None where there is none that can be gone on from."""
    if base is None:
        return None
    faiss = import_optional('faiss', 'gallery')
    try:
        index = faiss.read_index(str(base), flags)
    except RuntimeError:
        return None
    return index if index.d == flat.d and index.ntotal <= flat.ntotal else None


def _usual_lists(rows: int) -> int:
    """About 4 sqrt(rows) lists, with enough rows in each to train it.

    Comparing every row with every list is what takes long with many rows,
    so there it is sqrt(rows) from ``_MANY_LISTS`` on.
    """
    root = 2 ** round(math.log2(rows) / 2)
    return max(1, min(max(root, min(4 * root, _MANY_LISTS)), rows // _TRAINED_FROM))


def _parts(dims: int, code_bytes: int) -> int:
    """The most parts, up to ``code_bytes``, into which vectors can be cut."""
    return max(parts for parts in range(1, min(dims, code_bytes) + 1) if dims % parts == 0)


def _blocks(flat: Any, first: int, last: int) -> Iterator[np.ndarray]:
    for start in range(first, last, _BLOCK):
        yield flat.reconstruct_n(start, min(_BLOCK, last - start))


def _write_index(index: Any, stream: Any, flags: int) -> None:
    """Write with FAISS, but raise the stream's own error, not FAISS's."""
    faiss = import_optional('faiss', 'gallery')
    failures: list[OSError] = []

    def write(data: bytes) -> int:
        try:
            return int(stream.write(data))
        except OSError as error:
            failures.append(error)
            return 0

    try:
        faiss.write_index(index, faiss.PyCallbackIOWriter(write), flags)
    except RuntimeError:
        if not failures:
            raise
    # FAISS does not notice every write that fails.
    if failures:
        raise failures[0]
    stream.flush()
