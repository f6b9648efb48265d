"""The people around the queries."""

from __future__ import annotations

import numpy as np

from mmclsa.evaluation.functional.geometry import pairwise_iou
from mmclsa.structures import Context, Predictions

__all__ = ['context_from_detections']

# A detection that overlaps the query's box by more is the query itself; the peers'
# non-maximum suppression has the same threshold.
SAME_PERSON_IOU = 0.4


def context_from_detections(predictions: Predictions, det_thresh: float) -> Context:
    """Put each query before the other people of its image, best score first.

    Args:
        predictions: What was found, in the queries' images too.
        det_thresh: Score from which a detection is somebody.

    Returns:
        The query itself, then the detections that overlap its box by less
        than 0.4.

    Example:
        >>> box = np.array([0.0, 0.0, 10.0, 20.0])
        >>> found = Predictions(
        ...     images=np.array(['a', 'a']), boxes=np.stack([box + 1, box + 50]),
        ...     scores=np.ones(2), embeddings=np.array([[0.9], [0.2]]),
        ...     query_images=np.array(['a']), query_boxes=box[None],
        ...     query_embeddings=np.ones((1, 1)))
        >>> context_from_detections(found, 0.5).embeddings.tolist()
        [[1.0], [0.2]]
    """
    kept = np.flatnonzero(predictions.scores >= det_thresh)
    order = kept[np.lexsort((-predictions.scores[kept], predictions.images[kept]))]
    names = predictions.images[order]
    starts = np.searchsorted(names, predictions.query_images, side='left')
    stops = np.searchsorted(names, predictions.query_images, side='right')
    counts, rows = [], []
    for box, start, stop in zip(predictions.query_boxes, starts, stops):
        there = order[start:stop]
        others = there[pairwise_iou(predictions.boxes[there], box[None])[:, 0] < SAME_PERSON_IOU]
        counts.append(1 + len(others))
        rows.append(others)
    queries = np.repeat(np.arange(len(counts)), counts)
    first = np.diff(queries, prepend=-1) != 0
    embeddings = np.empty((len(queries), predictions.embeddings.shape[1]))
    boxes = np.empty((len(queries), 4))
    taken = np.concatenate([np.zeros(0, np.int64), *rows])
    embeddings[first], boxes[first] = predictions.query_embeddings, predictions.query_boxes
    embeddings[~first], boxes[~first] = predictions.embeddings[taken], predictions.boxes[taken]
    return Context(queries, boxes, embeddings.astype(predictions.embeddings.dtype))
