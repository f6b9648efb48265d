"""What a model found, of any model: detections and embeddings in flat arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmclsa.errors import DataError, UserError

__all__ = ['Context', 'Predictions']

# Which attribute each array of predictions.npz becomes.
REQUIRED = {
    'image': 'images',
    'bbox': 'boxes',
    'score': 'scores',
    'embedding': 'embeddings',
    'query_image': 'query_images',
    'query_bbox': 'query_boxes',
    'query_embedding': 'query_embeddings',
}
ARRAYS = tuple(REQUIRED)
CONTEXT_ARRAYS = ('context_query', 'context_bbox', 'context_embedding')
TRUTH_ARRAYS = ('gt_image', 'gt_bbox', 'gt_embedding')
OPTIONAL_ARRAYS = {
    'query_id': 'query_ids',
    'predicted_image': 'predicted_images',
    'gt_image': 'truth_images',
    'gt_bbox': 'truth_boxes',
    'gt_embedding': 'truth_embeddings',
}


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
        context: The people around the queries, for CBGM only; None to take
            them from the detections.
        query_ids: Number of each query in the data set's list of queries,
            shape (Q,), int64, ascending; None for 0..Q-1.
        predicted_images: Every image that was processed, shape (P,), strings, to
            distinguish images without detections from skipped ones; None if
            that is not known.
        truth_images: Key of each ground-truth box's image, shape (G,); None
            if the boxes were not described.
        truth_boxes: Shape (G, 4), or None.
        truth_embeddings: Shape (G, D), or None.
    """

    images: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    query_images: np.ndarray
    query_boxes: np.ndarray
    query_embeddings: np.ndarray
    context: Context | None = None
    query_ids: np.ndarray | None = None
    predicted_images: np.ndarray | None = None
    truth_images: np.ndarray | None = None
    truth_boxes: np.ndarray | None = None
    truth_embeddings: np.ndarray | None = None

    def __post_init__(self) -> None:
        self._check_shapes()
        for name, array, images in self._numbers():
            _check_numbers(name, array, images)
        if self.context is not None:
            _check_owners(self.context.queries, len(self.query_images))
        if self.query_ids is not None and (np.diff(self.query_ids) <= 0).any():
            raise UserError('query_id must be ascending, each number once')

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
        if self.query_ids is not None:
            expected.append(('query_id', self.query_ids, (q,)))
        if self.truth_images is not None:
            g = len(self.truth_images)
            for name, part, size in (
                ('bbox', self.truth_boxes, 4),
                ('embedding', self.truth_embeddings, dims),
            ):
                expected.append((f'gt_{name}', np.zeros(0) if part is None else part, (g, size)))
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
        if self.truth_images is not None:
            assert self.truth_boxes is not None  # for mypy: the shapes are checked
            assert self.truth_embeddings is not None
            numbers += [
                ('gt_bbox', self.truth_boxes, self.truth_images),
                ('gt_embedding', self.truth_embeddings, self.truth_images),
            ]
        return numbers

    def query_rows(self, query_ids: np.ndarray) -> np.ndarray:
        """Find the rows of queries by their number; -1 where there is none.

        Args:
            query_ids: Shape (K,), int64.

        Returns:
            Shape (K,), int64.
        """
        known = np.arange(len(self.query_images)) if self.query_ids is None else self.query_ids
        rows = np.searchsorted(known, query_ids)
        inside = rows < len(known)
        rows[~inside] = -1
        rows[inside] = np.where(known[rows[inside]] == query_ids[inside], rows[inside], -1)
        return rows

    def with_truth_boxes(self) -> Predictions:
        """Take the ground-truth boxes for detections, each with score 1.

        Raises:
            UserError: If they have no embeddings here.
        """
        if self.truth_images is None or self.truth_boxes is None or self.truth_embeddings is None:
            raise UserError(f'the upper bound needs the arrays {", ".join(TRUTH_ARRAYS)}')
        return replace(
            self,
            images=self.truth_images,
            boxes=self.truth_boxes,
            scores=np.ones(len(self.truth_images)),
            embeddings=self.truth_embeddings,
        )

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
        for group in (CONTEXT_ARRAYS, TRUTH_ARRAYS):
            present = [name for name in group if name in arrays]
            if present and len(present) < len(group):
                raise DataError(f'{path} has {present} but needs all of {list(group)}')
        try:
            return cls.of(arrays)
        except UserError as error:
            raise DataError(f'{path}: {error}') from None

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Predictions:
        """Make predictions of the arrays of ``predictions.npz``, by their names.

        Raises:
            UserError: If one is missing or they do not fit together.
        """
        for name in ARRAYS:
            if name not in arrays:
                raise UserError(f'the predictions lack the array {name!r}')
        context = None
        if CONTEXT_ARRAYS[0] in arrays:
            context = Context(*(arrays[name] for name in CONTEXT_ARRAYS))
        given: dict[str, Any] = {
            field: arrays.get(name) for name, field in (REQUIRED | OPTIONAL_ARRAYS).items()
        }
        return cls(context=context, **given)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by their names in ``predictions.npz``."""
        arrays: dict[str, np.ndarray] = {n: getattr(self, f) for n, f in REQUIRED.items()}
        if self.context is not None:
            people = (self.context.queries, self.context.boxes, self.context.embeddings)
            arrays.update(zip(CONTEXT_ARRAYS, people))
        optional = {name: getattr(self, field) for name, field in OPTIONAL_ARRAYS.items()}
        return arrays | {name: array for name, array in optional.items() if array is not None}


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
