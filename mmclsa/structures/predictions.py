"""What a model found, of any model: detections and embeddings in flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmclsa.errors import DataError, UserError

__all__ = ['Context', 'Predictions']

ARRAYS = ('image', 'bbox', 'score', 'embedding', 'query_image', 'query_bbox', 'query_embedding')
CONTEXT_ARRAYS = ('context_query', 'context_bbox', 'context_embedding')


@dataclass(frozen=True, eq=False)
class Context:
    """The people in each query's own image, the query itself first.

    Attributes:
        queries: Position of the query that each person belongs to, shape
            (M,), int64, ascending.
        boxes: Shape (M, 4), x1 y1 x2 y2.
        embeddings: Shape (M, D).
    """

    queries: np.ndarray
    boxes: np.ndarray
    embeddings: np.ndarray

    def of(self, query: int, count: int) -> np.ndarray:
        """Return the embeddings of the first ``count`` people of a query."""
        start = int(np.searchsorted(self.queries, query))
        stop = int(np.searchsorted(self.queries, query, side='right'))
        return self.embeddings[start : min(start + count, stop)]


@dataclass(frozen=True, eq=False)
class Predictions:
    """Detections with embeddings, and the queries' embeddings.

    Attributes:
        images: Key of each detection's image, shape (N,), strings.
        boxes: Shape (N, 4), x1 y1 x2 y2 in original pixels.
        scores: Shape (N,).
        embeddings: Shape (N, D); compared by their dot product as they are.
        query_images: Shape (Q,), strings, in protocol order.
        query_boxes: Shape (Q, 4).
        query_embeddings: Shape (Q, D).
        context: The people around the queries, needed for CBGM only.
    """

    images: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    query_images: np.ndarray
    query_boxes: np.ndarray
    query_embeddings: np.ndarray
    context: Context | None = None

    def __post_init__(self) -> None:
        self._check_shapes()
        for name, array, images in self._numbers():
            _check_numbers(name, array, images)
        if self.context is not None:
            _check_owners(self.context.queries, len(self.query_images))

    def _check_shapes(self) -> None:
        n, q, dims = len(self.images), len(self.query_images), self.embeddings.shape[-1]
        expected: list[tuple[str, np.ndarray, tuple[int, ...]]] = [
            ('bbox', self.boxes, (n, 4)),
            ('score', self.scores, (n,)),
            ('embedding', self.embeddings, (n, dims)),
            ('query_bbox', self.query_boxes, (q, 4)),
            ('query_embedding', self.query_embeddings, (q, dims)),
        ]
        if self.context is not None:
            m = len(self.context.queries)
            expected += [
                ('context_bbox', self.context.boxes, (m, 4)),
                ('context_embedding', self.context.embeddings, (m, dims)),
            ]
        for name, array, shape in expected:
            if array.shape != shape:
                raise UserError(f'{name} must have the shape {shape}, but has {array.shape}')

    def _numbers(self) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """List the arrays of numbers with the image of each row."""
        numbers = [
            ('bbox', self.boxes, self.images),
            ('score', self.scores[:, None], self.images),
            ('embedding', self.embeddings, self.images),
            ('query_bbox', self.query_boxes, self.query_images),
            ('query_embedding', self.query_embeddings, self.query_images),
        ]
        if self.context is not None:
            known = np.clip(self.context.queries, 0, max(len(self.query_images) - 1, 0))
            images = self.query_images[known] if len(self.query_images) else known
            numbers += [
                ('context_bbox', self.context.boxes, images),
                ('context_embedding', self.context.embeddings, images),
            ]
        return numbers

    @classmethod
    def load(cls, path: str | Path) -> Predictions:
        """Read ``predictions.npz``; docs/evaluation.md describes the format.

        Raises:
            DataError: If the file is missing, broken or lacks an array.
            UserError: If shapes do not fit together or a number is not finite.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except FileNotFoundError:
            raise DataError(f'{path} is missing') from None
        # zipfile and NumPy raise many things on a truncated file.
        except Exception as error:
            raise DataError(f'{path} is no readable .npz file ({error})') from None
        for name in ARRAYS:
            if name not in arrays:
                raise DataError(f'{path} must have an array {name!r}, but has {sorted(arrays)}')
        present = [name for name in CONTEXT_ARRAYS if name in arrays]
        if present and len(present) < len(CONTEXT_ARRAYS):
            raise DataError(f'{path} has {present} but needs all of {list(CONTEXT_ARRAYS)}')
        context = Context(*(arrays[name] for name in CONTEXT_ARRAYS)) if present else None
        try:
            return cls(*(arrays[name] for name in ARRAYS), context=context)
        except UserError as error:
            raise DataError(f'{path}: {error}') from None

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by their names in ``predictions.npz``."""
        values: Sequence[np.ndarray] = (
            self.images, self.boxes, self.scores, self.embeddings,
            self.query_images, self.query_boxes, self.query_embeddings,
        )  # fmt: skip
        arrays = dict(zip(ARRAYS, values))
        if self.context is not None:
            people = (self.context.queries, self.context.boxes, self.context.embeddings)
            arrays.update(zip(CONTEXT_ARRAYS, people))
        return arrays


def _check_numbers(name: str, array: np.ndarray, images: np.ndarray) -> None:
    if array.dtype.kind not in 'fiu':
        raise UserError(f'{name} must be numbers, but has the type {array.dtype}')
    broken = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(broken):
        raise UserError(
            f'{name}[{broken[0]}] of image {images[broken[0]]} must be finite, but is '
            f'{array[broken[0]][:4].tolist()}'
        )


def _check_owners(queries: np.ndarray, count: int) -> None:
    """Check that context_query is ascending and names queries that exist."""
    if queries.dtype.kind not in 'iu' or queries.ndim != 1:
        raise UserError(f'context_query must be a list of integers, but is {queries.dtype}')
    if len(queries) and (queries.min() < 0 or queries.max() >= count):
        raise UserError(
            f'context_query must be 0..{count - 1}, the place of a query, but has '
            f'{queries.min()}..{queries.max()}'
        )
    if (np.diff(queries) < 0).any():
        raise UserError('context_query must be ascending, each query before the next')
