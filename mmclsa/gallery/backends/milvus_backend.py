"""Milvus: one file on this machine, or a cluster, through pymilvus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mmclsa.errors import ConfigError, UserError
from mmclsa.gallery.backends.base import VectorBackend
from mmclsa.gallery.backends.milvus_client import close_client, drop_structures, open_client
from mmclsa.gallery.filters import SearchFilter
from mmclsa.gallery.manifest import Manifest
from mmclsa.gallery.records import span_of
from mmclsa.gallery.row_numbers import RowNumbers
from mmclsa.utils.optional import import_optional

__all__ = ['MilvusBackend', 'filter_expression']

# Milvus has no NaN; no time that means anything is as early as this.
_UNKNOWN_TIME = -1e300
_BLOCK = 1000
_ESCAPES = str.maketrans({'\\': r'\\', '"': r'\"', '\n': r'\n', '\r': r'\r', '\t': r'\t'})
_STRONG = 'Strong'
# A collection of an older mmclsa has the one field ``time``.
_SPAN = ('time_from', 'time_to')


class MilvusBackend(VectorBackend):
    """Vectors in a collection of Milvus; records and manifest in the folder.

    The collection holds, beside each vector, its row number and the fields
    that filters need. Rows beyond those of the manifest are left over from a
    killed process: searches leave them out, and the next writer deletes them.

    Args:
        uri: Address of a server such as ``http://localhost:19530``, or path of
            a file of Milvus Lite that ends in ``.db``, relative to the folder
            of the index. Only one process at a time can use such a file, be
            it for reading.
        collection: Name of the collection, which must be new for a new index.
        index: Type of Milvus's index and its parameters, as in
            ``dict(index_type='HNSW', params=dict(M=16, efConstruction=100))``;
            by default ``FLAT``, which compares with every vector.
        search: Parameters of a search, as in ``dict(ef=128)``.
        token: Secret of the server. It is written into the manifest.
    """

    SEARCH_OPTIONS: ClassVar[frozenset[str]] = frozenset({'search'})

    def __init__(
        self,
        uri: str = 'milvus.db',
        collection: str = 'mmclsa_gallery',
        index: Mapping[str, Any] | None = None,
        search: Mapping[str, Any] | None = None,
        token: str = '',
    ) -> None:
        if '://' not in uri and not uri.endswith('.db'):
            raise ConfigError(
                f'uri of the MilvusBackend must be an address or a path that ends in .db, not {uri}'
            )
        self._uri = uri
        self._collection = collection
        self._index = {'index_type': 'FLAT', **(index or {})}
        self._search = dict(search or {})
        self._token = token
        self._client: Any = None
        self._rows = 0
        self._numbers = RowNumbers(0, 0)
        self._knows_spans = True

    def create(self, folder: Path, dims: int) -> str:  # noqa: D102
        self._connect(folder)
        with self._reporting():
            if self._client.has_collection(self._collection):
                self._drop_if_empty()
            milvus = import_optional('pymilvus', 'milvus')
            schema = milvus.MilvusClient.create_schema(auto_id=False)
            schema.add_field('row', milvus.DataType.INT64, is_primary=True)
            schema.add_field('vector', milvus.DataType.FLOAT_VECTOR, dim=dims)
            for name in ('source', 'camera'):
                schema.add_field(name, milvus.DataType.VARCHAR, max_length=4096)
            for name in _SPAN:
                schema.add_field(name, milvus.DataType.DOUBLE)
            params = self._client.prepare_index_params()
            params.add_index('vector', metric_type='IP', **self._index)
            self._client.create_collection(
                self._collection, schema=schema, index_params=params, consistency_level=_STRONG
            )
        return ''

    def load(self, folder: Path, manifest: Manifest, numbers: RowNumbers) -> None:  # noqa: D102
        connected = self._client is not None
        if not connected:
            self._connect(folder)
            with self._reporting():
                if not self._client.has_collection(self._collection):
                    raise UserError(f'Milvus at {self._uri} has no collection {self._collection}')
                self._load_collection()
                known = self._client.describe_collection(self._collection)['fields']
                self._knows_spans = set(_SPAN) <= {field['name'] for field in known}
        self._dims, self._rows, self._numbers = manifest.model.dims, numbers.next_row, numbers

    def append(self, vectors: np.ndarray, records: Sequence[tuple[Any, ...]]) -> np.ndarray:  # noqa: D102
        rows = [
            {
                'row': row,
                'vector': vector,
                'source': values[0],
                'camera': values[8],
                **self._times(values),
            }
            for row, vector, values in zip(count(self._rows), vectors, records)
        ]
        with self._reporting():
            for start in range(0, len(rows), _BLOCK):
                # What an attempt that failed half-way has left is replaced.
                self._client.upsert(self._collection, rows[start : start + _BLOCK])
        self._rows += len(rows)
        return np.empty((len(rows), 0), np.uint8)

    def _times(self, values: Sequence[Any]) -> dict[str, float]:
        span = zip(_SPAN, span_of(values)) if self._knows_spans else [('time', values[2])]
        return {name: _UNKNOWN_TIME if time is None else time for name, time in span}

    def flush(self) -> None:  # noqa: D102
        with self._reporting():
            self._client.flush(self._collection)

    def erase(self, rows: np.ndarray) -> None:  # noqa: D102
        with self._reporting():
            # And what a killed process has left behind the last commit.
            self._client.delete(self._collection, filter=f'row >= {self._rows}')
            for start in range(0, len(rows), _BLOCK):
                self._client.delete(self._collection, ids=rows[start : start + _BLOCK].tolist())

    def search(  # noqa: D102
        self,
        queries: np.ndarray,
        topk: int,
        where: SearchFilter | None,
        mask: Callable[[], np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        return self._find(queries, topk, self._expression(where, mask))

    def search_without(  # noqa: D102
        self,
        queries: np.ndarray,
        topk: int,
        where: SearchFilter | None,
        mask: Callable[[], np.ndarray],
        rows: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        others = f'row not in [{", ".join(map(str, rows.tolist()))}]'
        return self._find(queries, topk, f'{self._expression(where, mask)} and {others}')

    def _find(
        self, queries: np.ndarray, topk: int, expression: str
    ) -> tuple[np.ndarray, np.ndarray]:
        with self._reporting():
            answers = self._client.search(
                self._collection,
                list(queries),
                filter=expression,
                limit=topk,
                search_params={'metric_type': 'IP', 'params': self._search},
                consistency_level=_STRONG,
            )
        similarities = np.full((len(queries), topk), -np.inf, np.float32)
        rows = np.full((len(queries), topk), -1, np.int64)
        for place, answer in enumerate(answers):
            found = sorted((-hit['distance'], hit['row']) for hit in answer)
            similarities[place, : len(found)] = [-distance for distance, _ in found]
            rows[place, : len(found)] = [row for _, row in found]
        return similarities, rows

    def _expression(self, where: SearchFilter | None, mask: Callable[[], np.ndarray]) -> str:
        if self._knows_spans or where is None or not where.timed:
            return filter_expression(where, self._rows)
        # What an old collection does not know, the database of the index does.
        allowed = self._numbers.at(np.flatnonzero(mask()))
        return f'row in [{", ".join(map(str, allowed.tolist()))}]'

    def vectors(self, rows: np.ndarray) -> np.ndarray:  # noqa: D102
        result = np.empty((len(rows), self._dims), np.float32)
        unique, places = np.unique(rows, return_inverse=True)
        found: dict[int, Sequence[float]] = {}
        with self._reporting():
            for start in range(0, len(unique), _BLOCK):
                answers = self._client.get(
                    self._collection,
                    ids=unique[start : start + _BLOCK].tolist(),
                    output_fields=['row', 'vector'],
                    consistency_level=_STRONG,
                )
                found.update((answer['row'], answer['vector']) for answer in answers)
        if len(found) < len(unique):
            raise UserError(f'Milvus at {self._uri} has lost rows of {self._collection}')
        if len(rows):
            result[:] = np.array([found[row] for row in unique.tolist()], np.float32)[places]
        return result

    def close(self) -> None:  # noqa: D102
        if self._client is not None:
            close_client(self._client, self._address)
            self._client = None

    def _connect(self, folder: Path) -> None:
        if self._client is None:
            here = '://' not in self._uri
            self._address = str((folder / self._uri).resolve()) if here else self._uri
            self._client = open_client(self._address, self._token)

    def _load_collection(self) -> None:
        """Load it; what Milvus Lite was writing when it was killed is made again."""
        try:
            self._client.load_collection(self._collection)
        except import_optional('pymilvus', 'milvus').MilvusException:
            if not drop_structures(self._address):
                raise
            self._client.load_collection(self._collection)

    def _drop_if_empty(self) -> None:
        """Clear away what a killed :meth:`create` has left, but nobody's rows."""
        self._client.load_collection(self._collection)
        if self._client.query(self._collection, filter='row >= 0', limit=1):
            raise ConfigError(
                f'collection {self._collection} of Milvus at {self._uri} must be new for a new '
                'index, but it has rows'
            )
        self._client.drop_collection(self._collection)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        milvus = import_optional('pymilvus', 'milvus')
        try:
            yield
        except milvus.MilvusException as error:
            raise UserError(f'Milvus at {self._uri}: {error.message}') from error


def filter_expression(where: SearchFilter | None, rows: int) -> str:
    r"""Put a filter into Milvus's language.

    Args:
        where: The filter; None allows all.
        rows: Rows from this number on do not count.

    Returns:
        The expression.

    Example:
        >>> print(filter_expression(SearchFilter(cameras=['a "door"'], time_to=5.0), 9))
        row < 9 and camera in ["a \"door\""] and time_from > -1e+300 and time_from <= 5.0
    """
    parts = [f'row < {rows}']
    if where is None:
        return parts[0]
    for column, allowed in (('camera', where.cameras), ('source', where.sources)):
        if allowed is not None:
            parts.append(f'{column} in [{", ".join(map(_quoted, allowed))}]')
    limits = [
        ('time_to', '>=', where.time_from),
        ('time_from', '<=', where.time_to),
        ('time_to', '<', where.gone_before),
    ]
    for field, sign, limit in limits:
        if limit is not None:
            within = min(max(float(limit), _UNKNOWN_TIME), -_UNKNOWN_TIME)
            parts.append(f'{field} > {_UNKNOWN_TIME} and {field} {sign} {within!r}')
    return ' and '.join(parts)


def _quoted(text: str) -> str:
    """Write a text so that nothing in it can end it."""
    return f'"{text.translate(_ESCAPES)}"'
