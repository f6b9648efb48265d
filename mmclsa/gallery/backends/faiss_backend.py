"""FAISS: the backend that needs no server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery.backends.base import VectorBackend
from mmclsa.gallery.backends.faiss_part import FaissPart
from mmclsa.gallery.backends.faiss_structures import (
    StructureOptions,
    build_structure,
    open_structure,
)
from mmclsa.gallery.backends.rotation import rotation_matrix
from mmclsa.gallery.backends.vector_file import (
    STORAGES,
    append_codes,
    codes_of,
    map_codes,
    new_flat,
    view_flat,
    write_codes,
)
from mmclsa.gallery.files import check_file
from mmclsa.gallery.filters import SearchFilter
from mmclsa.gallery.manifest import FileEntry, Manifest
from mmclsa.gallery.row_numbers import RowNumbers

__all__ = ['FaissBackend']

_BLOCK = 1 << 16


class FaissBackend(VectorBackend):
    """Vectors in the folder of the index, searched by FAISS.

    The vectors are in one plain file, mapped into memory and compared one by
    one. From ``structure_from`` rows on, ``optimize()`` builds the structure
    of ``kind`` over them; those that come later are compared one by one until
    the next time, when they are added to it. Only an inverted file that should
    have more lists by then, or one after a deletion, is built anew.

    Args:
        kind: ``flat`` compares with every vector. ``hnsw`` walks a graph.
            ``ivf_pq`` looks into the nearest lists of an inverted file whose
            vectors are shortened by product quantisation, and compares the
            best candidates with the vectors as they are stored. The inverted
            file and the vectors are mapped, so they may be larger than the
            memory.
        storage: ``fp32``, ``fp16`` or ``int8``: 4, 2 or 1 bytes a component.
        structure_from: Rows from which on a structure is built.
        links: For ``hnsw``: neighbours of a vector on each level.
        ef_construction: For ``hnsw``: candidates while the graph is built.
        ef_search: For ``hnsw``: candidates of a search.
        lists: For ``ivf_pq``: number of lists; by default about four times
            the square root of the rows, or 4096 while that is more than the
            square root itself.
        probes: For ``ivf_pq``: lists that a search looks into.
        code_bytes: For ``ivf_pq``: bytes of a shortened vector, at most.
        candidates: For ``ivf_pq``: how many are compared again.

    Raises:
        ConfigError: If an option has no meaning.
    """

    SEARCH_OPTIONS: ClassVar[frozenset[str]] = frozenset({'candidates', 'ef_search', 'probes'})

    def __init__(
        self,
        kind: str = 'flat',
        storage: str = 'fp32',
        structure_from: int = 20_000,
        **options: Any,
    ) -> None:
        if storage not in STORAGES:
            raise ConfigError(f'storage must be one of {", ".join(STORAGES)}, not {storage!r}')
        try:
            self._options = StructureOptions(kind=kind, **options)
        except TypeError as error:
            raise ConfigError(f'the FaissBackend has no such option: {error}') from error
        if type(structure_from) is not int:
            raise ConfigError(f'structure_from must be a whole number, not {structure_from!r}')
        self._storage = storage
        self._structure_from = structure_from
        self._structure: FileEntry | None = None

    def create(self, folder: Path, dims: int) -> str:  # noqa: D102
        new_flat(dims, self._storage)
        (folder / 'vectors-0.bin').write_bytes(b'')
        return 'vectors-0.bin'

    def load(self, folder: Path, manifest: Manifest, numbers: RowNumbers) -> None:  # noqa: D102
        empty = new_flat(manifest.model.dims, self._storage)
        if not manifest.vectors:
            raise DataError(f'the index {folder} is broken: it has no vectors')
        path = folder / manifest.vectors
        codes = map_codes(path, manifest.people, empty.sa_code_size())
        structured = self._open_structure(folder, manifest, codes, empty)
        self._empty, self._path, self._codes, self._numbers = empty, path, codes, numbers
        self._structure, self._structured = manifest.structure, structured
        self._rest = FaissPart(view_flat(empty, codes[manifest.structured :]))
        self._pending = FaissPart(new_flat(empty.d, self._storage))

    def _open_structure(
        self, folder: Path, manifest: Manifest, codes: np.ndarray, empty: Any
    ) -> FaissPart:
        """Open what the structure covers; nothing if there is none."""
        flat = view_flat(empty, codes[: manifest.structured])
        entry = manifest.structure
        if entry is None:
            return FaissPart(flat)
        if entry == self._structure:
            return self._structured
        structure = open_structure(check_file(folder, entry), flat, self._options)
        return FaissPart(flat, structure, self._options)

    def append(self, vectors: np.ndarray, records: Sequence[tuple[Any, ...]]) -> np.ndarray:  # noqa: D102
        self._pending.flat.add(self._turn(vectors))
        return codes_of(self._pending.flat)[len(self._pending) - len(vectors) :]

    def flush(self) -> None:  # noqa: D102
        if len(self._pending):
            append_codes(self._path, len(self._codes), codes_of(self._pending.flat))

    def build(self, name: str) -> FileEntry | None:  # noqa: D102
        rows = len(self._codes)
        covered = self._structure is not None and not len(self._rest)
        if self._options.kind == 'flat' or rows < self._structure_from or covered:
            return None
        flat = view_flat(self._empty, self._codes)
        base = None if self._structure is None else self._path.with_name(self._structure.name)
        path = self._path.with_name(f'structure-{name}.faiss')
        return build_structure(path, flat, self._empty, self._options, base)

    def without(self, rows: np.ndarray, name: str) -> str:  # noqa: D102
        kept = np.ones(len(self._codes), bool)
        kept[self._numbers.places(rows)] = False
        blocks = range(0, len(kept), _BLOCK)
        path = self._path.with_name(f'vectors-{name}.bin')
        write_codes(path, (self._codes[n : n + _BLOCK][kept[n : n + _BLOCK]] for n in blocks))
        return path.name

    def codes(self, start: int, stop: int) -> np.ndarray:  # noqa: D102
        return self._codes[start:stop]

    def search(  # noqa: D102
        self,
        queries: np.ndarray,
        topk: int,
        where: SearchFilter | None,
        mask: Callable[[], np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        queries = self._turn(queries)
        allowed = None if where is None else mask()
        found = []
        start = 0
        for part in (self._structured, self._rest, self._pending):
            within = None if allowed is None else allowed[start : start + len(part)]
            similarities, places = part.search(queries, topk, within)
            found.append((similarities, np.where(places >= 0, places + start, -1)))
            start += len(part)
        similarities, places = _best(found, topk)
        return similarities, self._numbers.at(places)

    def vectors(self, rows: np.ndarray) -> np.ndarray:  # noqa: D102
        places, committed = self._numbers.places(rows), len(self._codes)
        codes = np.empty((len(rows), self._empty.sa_code_size()), np.uint8)
        later = places >= committed
        codes[~later] = self._codes[places[~later]]
        if later.any():
            codes[later] = codes_of(self._pending.flat)[places[later] - committed]
        result = self._empty.sa_decode(codes)
        return result @ rotation_matrix(self._empty.d).T if self._storage == 'int8' else result

    def close(self) -> None:  # noqa: D102
        self._structure = None
        self._structured = self._rest = self._pending = FaissPart(self._empty)
        self._codes = self._codes[:0].copy()

    def _turn(self, vectors: np.ndarray) -> np.ndarray:
        return vectors @ rotation_matrix(self._empty.d) if self._storage == 'int8' else vectors


def _best(
    found: Sequence[tuple[np.ndarray, np.ndarray]], topk: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best of several searches; equal ones by row, missing ones last."""
    rows = np.concatenate([part for _, part in found], axis=1)
    similarities = np.concatenate([part for part, _ in found], axis=1)
    similarities = np.where(rows >= 0, similarities, -np.inf)
    order = np.lexsort((rows, -similarities), axis=1)[:, :topk]
    return np.take_along_axis(similarities, order, 1), np.take_along_axis(rows, order, 1)
