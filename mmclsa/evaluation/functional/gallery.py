"""Gallery detections and query embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmclsa.errors import UserError
from mmclsa.evaluation.functional.flags import SearchFlags
from mmclsa.evaluation.functional.geometry import expand_ranges, pairwise_iou, rows_by_image
from mmclsa.structures import Predictions, SearchProtocol

__all__ = ['Gallery', 'matched_detections', 'normalised', 'query_features']


def normalised(embeddings: np.ndarray) -> np.ndarray:
    """Scale embeddings (..., D) to length 1; those of zeros stay as they are.

    Example:
        >>> normalised(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[0.6, 0.8], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    return embeddings / np.where(lengths > 0, lengths, 1)


@dataclass(frozen=True, eq=False)
class Gallery:
    """Detections from the threshold on, sorted by image number.

    Attributes:
        images: Image number of each detection, shape (N,), ascending.
        starts: First detection of each image, shape (I,).
        lengths: Number of detections of each image, shape (I,).
        boxes: Shape (N, 4).
        embeddings: Shape (N, D), as they are compared.
        rows: Row of each detection in the predictions, shape (N,).
    """

    images: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    boxes: np.ndarray
    embeddings: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, protocol: SearchProtocol, predictions: Predictions, flags: SearchFlags) -> Gallery:
        """Choose the detections that a protocol's images have."""
        images = protocol.numbers_of(predictions.images)
        kept = np.flatnonzero((predictions.scores >= flags.det_thresh) & (images >= 0))
        kept = kept[np.argsort(images[kept], kind='stable')]
        lengths = np.bincount(images[kept], minlength=len(protocol.images))
        embeddings = _floats(predictions.embeddings[kept])
        if flags.similarity != 'dot':
            embeddings = normalised(embeddings)
        if flags.similarity == 'score_weighted':
            embeddings = embeddings * predictions.scores[kept, None].astype(embeddings.dtype)
        return cls(
            images=images[kept],
            starts=np.cumsum(lengths) - lengths,
            lengths=lengths,
            boxes=predictions.boxes[kept],
            embeddings=embeddings,
            rows=kept,
        )

    @cached_property
    def zeros(self) -> int:
        """Number of embeddings of zeros."""
        return int(np.count_nonzero(~self.embeddings.any(axis=1)))

    def members(self, images: np.ndarray) -> np.ndarray:
        """List the detections of these images, image by image."""
        return expand_ranges(self.starts[images], self.lengths[images])


def _floats(embeddings: np.ndarray) -> np.ndarray:
    """Return embeddings as float32 or float64: half precision adds up badly."""
    return embeddings.astype(np.result_type(embeddings.dtype, np.float32), copy=False)


def query_features(predictions: Predictions, flags: SearchFlags) -> tuple[np.ndarray, np.ndarray]:
    """Compute the query embeddings.

    Args:
        predictions: What was found.
        flags: ``query_feature`` and ``similarity`` decide.

    Returns:
        Features (Q, D), and whether each query has one, (Q,), bool.

    Raises:
        UserError: If an embedding is all zeros, so that nothing can be ranked.
    """
    features = _floats(predictions.query_embeddings)
    known: np.ndarray = np.ones(len(features), dtype=bool)
    if flags.query_feature == 'matched_det':
        rows = matched_detections(predictions)
        known = rows >= 0
        features = np.zeros_like(features)
        features[known] = _floats(predictions.embeddings)[rows[known]]
    zero = np.flatnonzero(known & ~features.any(axis=1))
    if len(zero):
        raise UserError(
            f'query {zero[0]} in image {predictions.query_images[zero[0]]} must have an '
            'embedding, but it is all zeros'
        )
    return (features if flags.similarity == 'dot' else normalised(features)), known


def matched_detections(predictions: Predictions) -> np.ndarray:
    """Find the detection that overlaps each query's box best.

    Convention:
        As in AlignPS and PSTR a box counts the pixels of its right and lower edge (x2 -
        x1 + 1), and the best detection is taken whatever its score, and however little
        it overlaps; of equal overlaps the first. From x = 0 to x = 9 a box is 10 wide.

    Returns:
        Rows of the detections, shape (Q,); -1 in an image without any.
    """
    rows = np.full(len(predictions.query_images), -1, dtype=np.int64)
    edge = np.array([0.0, 0.0, 1.0, 1.0])
    by_query = rows_by_image(predictions.images, predictions.query_images)
    for query, there in enumerate(by_query):
        if len(there):
            box = predictions.query_boxes[query] + edge
            overlaps = pairwise_iou(predictions.boxes[there] + edge, box[None])[:, 0]
            rows[query] = there[overlaps.argmax()]
    return rows
