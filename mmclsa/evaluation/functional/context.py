"""The people around the queries."""

from __future__ import annotations

import numpy as np

from mmclsa.evaluation.functional.geometry import pairwise_iou, rows_by_image
from mmclsa.structures import Context, Predictions

__all__ = ['context_from_detections']

# A detection that overlaps the query's box by more is the query itself; the peers'
# non-maximum suppression has the same threshold.
SAME_PERSON_IOU = 0.4


def context_from_detections(
    predictions: Predictions, det_thresh: float, matched: np.ndarray | None = None
) -> Context:
    """Put each query before the other people of its image, best score first.

    Convention:
        The query comes first, as SeqNet forces it, then the others of its
        image by descending score (score >= ``det_thresh``). Who overlaps the
        query's own box with an IoU of 0.4 or more is the query, SeqNet's
        threshold of non-maximum suppression.

    Args:
        predictions: What was found, in the queries' images too.
        det_thresh: Score from which a detection is somebody.
        matched: The detection that stands for each query, shape (Q,), -1 for
            none; None if the query's own box does.

    Returns:
        The query itself, then the other detections: all but the one that
        stands for it, or those that overlap its own box by less than 0.4.

    Example:
        >>> box = np.array([0.0, 0.0, 10.0, 20.0])
        >>> found = Predictions(
        ...     images=np.array(['a', 'a']), boxes=np.stack([box + 1, box + 50]),
        ...     scores=np.ones(2), embeddings=np.array([[0.9], [0.2]]),
        ...     query_images=np.array(['a']), query_boxes=box[None],
        ...     query_embeddings=np.ones((1, 1)))
        >>> context_from_detections(found, 0.5).embeddings.tolist()
        [[1.0], [0.2]]
        >>> context_from_detections(found, 0.5, np.array([0])).embeddings.tolist()
        [[0.9], [0.2]]
    """
    others = _others(predictions, det_thresh, matched)
    counts = [1 + len(rows) for rows in others]
    queries = np.repeat(np.arange(len(counts)), counts)
    first = np.diff(queries, prepend=-1) != 0
    own_embeddings, own_boxes = predictions.query_embeddings, predictions.query_boxes
    if matched is not None:
        known = (matched >= 0)[:, None]
        own_embeddings = np.where(known, predictions.embeddings[matched], 0)
        own_boxes = np.where(known, predictions.boxes[matched], own_boxes)
    embeddings = np.empty((len(queries), predictions.embeddings.shape[1]))
    boxes = np.empty((len(queries), 4))
    taken = np.concatenate([np.zeros(0, np.int64), *others])
    embeddings[first], boxes[first] = own_embeddings, own_boxes
    embeddings[~first], boxes[~first] = predictions.embeddings[taken], predictions.boxes[taken]
    return Context(queries, boxes, embeddings.astype(predictions.embeddings.dtype))


def _others(
    predictions: Predictions, det_thresh: float, matched: np.ndarray | None
) -> list[np.ndarray]:
    """List, for each query, the rows of the other people in its image, best first."""
    kept = np.flatnonzero(predictions.scores >= det_thresh)
    kept = kept[np.argsort(-predictions.scores[kept], kind='stable')]
    others = []
    for query, rows in enumerate(rows_by_image(predictions.images[kept], predictions.query_images)):
        there = kept[rows]
        if matched is not None:
            others.append(there[there != matched[query]])
            continue
        overlaps = pairwise_iou(predictions.boxes[there], predictions.query_boxes[query][None])
        others.append(there[overlaps[:, 0] < SAME_PERSON_IOU])
    return others
