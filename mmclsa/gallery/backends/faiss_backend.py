"""FAISS: the backend that needs no server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mmclsa.errors import ConfigError, DataError
from mmclsa.gallery.backends.base import VectorBackend
from mmclsa.gallery.backends.faiss_segment import FaissSegment
from mmclsa.gallery.backends.faiss_structures import StructureOptions, build_structure
from mmclsa.gallery.backends.flat_files import STORAGES, codes_of, join_flat, new_flat, write_flat
from mmclsa.gallery.backends.rotation import Rotation
from mmclsa.gallery.filters import SearchFilter
from mmclsa.gallery.manifest import FileEntry, Segment

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ['FaissBackend']


class FaissBackend(VectorBackend):
    """Vectors in files of FAISS, in the folder of the index.

    Every segment has its vectors in a plain file, mapped into memory and
    compared one by one. ``optimize()`` joins the segments and, from
    ``structure_from`` rows on, builds the structure of ``kind`` over them;
    segments that come later are compared one by one until the next time, when
    they are added to it. Only an inverted file that should have more lists by
    then is built anew.

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
            raise ConfigError(f'The FaissBackend has no such option: {error}') from error
        if type(structure_from) is not int:
            raise ConfigError(f'structure_from must be a whole number, not {structure_from!r}')
        self._storage = storage
        self._structure_from = structure_from
        self._segments: dict[str, FaissSegment] = {}

    def create(self, folder: Path, dims: int) -> Mapping[str, FileEntry]:  # noqa: D102
        new_flat(dims, self._storage)
        if self._storage != 'int8':
            return {}
        return {'rotation': Rotation.create(folder / 'rotation.faiss', dims)}

    def open(  # noqa: D102
        self, folder: Path, dims: int, files: Mapping[str, FileEntry], writable: bool
    ) -> None:
        self._folder = folder
        self._empty = new_flat(dims, self._storage)
        self._rotation = None
        if self._storage == 'int8':
            if 'rotation' not in files:
                raise DataError(f'The index {folder} is broken: it has no rotation.')
            self._rotation = Rotation.open(folder, files['rotation'], dims)
        self._renew_pending()

    def load(self, segments: Sequence[Segment]) -> None:  # noqa: D102
        kept = {}
        for segment in segments:
            old = self._segments.get(segment.name)
            if old is None:
                old = FaissSegment.open(self._folder, segment, self._empty, self._options)
            kept[segment.name] = old
        self._segments = kept
        self._renew_pending()

    def append(self, vectors: np.ndarray, records: pa.Table) -> None:  # noqa: D102
        if self._rotation is not None:
            vectors = self._rotation.apply(vectors)
        self._pending.flat.add(vectors)

    def flush(self, name: str) -> Mapping[str, FileEntry]:  # noqa: D102
        flat = self._pending.flat
        if not flat.ntotal:
            return {}
        path = self._folder / f'vectors-{name}.faiss'
        return {'vectors': write_flat(path, self._empty, [codes_of(flat)])}

    def merge(self, name: str, segments: Sequence[Segment]) -> Mapping[str, FileEntry]:  # noqa: D102
        parts = [
            (self._folder / segment.files['vectors'].name, segment.rows)
            for segment in segments
            if 'vectors' in segment.files
        ]
        if not parts:
            return {}
        path = self._folder / f'vectors-{name}.faiss'
        files = {'vectors': join_flat(path, self._empty, parts)}
        # What is over the first rows need not be built again.
        base = segments[0].files.get('structure') or segments[0].files.get('base')
        return files if base is None else {**files, 'base': base}

    def build(self, segment: Segment) -> Mapping[str, FileEntry]:  # noqa: D102
        wanted = self._options.kind != 'flat' and segment.rows >= self._structure_from
        if segment.optimized or not wanted:
            return {}
        path = self._folder / f'structure-{segment.name}.faiss'
        flat = self._segments[segment.name].flat
        base = segment.files.get('base')
        start = None if base is None else self._folder / base.name
        return {'structure': build_structure(path, flat, self._empty, self._options, start)}

    def search(  # noqa: D102
        self,
        queries: np.ndarray,
        topk: int,
        where: SearchFilter | None,
        mask: Callable[[], np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        if self._rotation is not None:
            queries = self._rotation.apply(queries)
        allowed = None if where is None else mask()
        found = []
        start = 0
        for segment in self._all():
            part = None if allowed is None else allowed[start : start + len(segment)]
            similarities, rows = segment.search(queries, topk, part)
            found.append((similarities, np.where(rows >= 0, rows + start, -1)))
            start += len(segment)
        return _best(found, topk)

    def vectors(self, rows: np.ndarray) -> np.ndarray:  # noqa: D102
        result = np.empty((len(rows), self._empty.d), np.float32)
        start = 0
        for segment in self._all():
            here = (rows >= start) & (rows < start + len(segment))
            if here.any():
                result[here] = segment.flat.reconstruct_batch(rows[here] - start)
            start += len(segment)
        return result if self._rotation is None else self._rotation.undo(result)

    def close(self) -> None:  # noqa: D102
        self._segments = {}
        self._renew_pending()

    def _all(self) -> list[FaissSegment]:
        return [*self._segments.values(), self._pending]

    def _renew_pending(self) -> None:
        self._pending = FaissSegment(new_flat(self._empty.d, self._storage))


def _best(
    found: Sequence[tuple[np.ndarray, np.ndarray]], topk: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best of several searches; equal ones by row, missing ones last."""
    rows = np.concatenate([part for _, part in found], axis=1)
    similarities = np.concatenate([part for part, _ in found], axis=1)
    similarities = np.where(rows >= 0, similarities, -np.inf)
    order = np.lexsort((rows, -similarities), axis=1)[:, :topk]
    return np.take_along_axis(similarities, order, 1), np.take_along_axis(rows, order, 1)
