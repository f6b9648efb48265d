"""From a model's data samples to flat arrays of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mmclsa.errors import DataError
from mmclsa.evaluation.functional.geometry import pairwise_iou
from mmclsa.structures import Context, Predictions, Scene, SearchProtocol

__all__ = ['collect_predictions', 'record_of', 'records_by_image']

# A detection that overlaps the query's box by more is the query itself; the peers'
# non-maximum suppression has the same threshold.
SAME_PERSON_IOU = 0.4


def _to_numpy(values: Any) -> np.ndarray:
    return values.detach().float().cpu().numpy() if torch.is_tensor(values) else np.asarray(values)


def record_of(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Reduce a data sample (as a dict) to what the figures need, on the CPU.

    Args:
        sample: With ``img_id``, ``pred_instances`` and, where the scene has
            queries, ``query_instances``.

    Returns:
        ``image``, ``boxes`` (n, 4), ``scores`` (n,), ``embeddings`` (n, D),
        ``query_ids`` (q,), ``query_embeddings`` (q, D).
    """
    found, queries = sample['pred_instances'], sample.get('query_instances') or {}
    embeddings = _to_numpy(found['embeddings'])
    record = dict(
        image=str(sample['img_id']),
        boxes=_to_numpy(found['bboxes']),
        scores=_to_numpy(found['scores']),
        embeddings=embeddings,
        query_ids=np.zeros(0, dtype=np.int64),
        query_embeddings=np.zeros((0, embeddings.shape[1]), dtype=np.float32),
    )
    if len(queries.get('query_ids', ())):
        record['query_ids'] = _to_numpy(queries['query_ids']).astype(np.int64)
        record['query_embeddings'] = _to_numpy(queries['embeddings'])
    return record


def records_by_image(
    records: Sequence[Mapping[str, Any]], scenes: Sequence[Scene]
) -> list[Mapping[str, Any]]:
    """Sort records by scene; a scene seen twice (a sampler's padding) counts once.

    Args:
        records: Of :func:`record_of`, in any order.
        scenes: The data set's scenes.

    Returns:
        One record a scene, in the scenes' order.

    Raises:
        DataError: If a scene has no record.
    """
    known = {record['image']: record for record in records}
    for scene in scenes:
        if scene.image not in known:
            raise DataError(
                f'image {scene.image} was not predicted: {len(known)} of {len(scenes)} scenes '
                'came; is the test data loader complete?'
            )
    return [known[scene.image] for scene in scenes]


def collect_predictions(
    records: Sequence[Mapping[str, Any]], protocol: SearchProtocol, det_thresh: float | None = None
) -> Predictions:
    """Join records into predictions.

    Args:
        records: Of :func:`records_by_image`.
        protocol: A task with the data set's queries.
        det_thresh: Score from which a detection in a query's own image is
            part of its context; None for no context.

    Returns:
        The predictions.

    Raises:
        DataError: If a query's embedding is missing.
    """
    lengths = [len(record['scores']) for record in records]
    owners = {int(q): record for record in records for q in record['query_ids']}
    queries = [_query_embedding(owners, int(q), protocol) for q in protocol.query_ids]
    embeddings = np.concatenate([record['embeddings'] for record in records])
    predictions = dict(
        images=np.repeat([record['image'] for record in records], lengths),
        boxes=np.concatenate([record['boxes'] for record in records]),
        scores=np.concatenate([record['scores'] for record in records]),
        embeddings=embeddings,
        query_images=np.array([protocol.images[i] for i in protocol.query_images]),
        query_boxes=protocol.query_boxes,
        query_embeddings=np.stack(queries),
    )
    if det_thresh is not None:
        predictions['context'] = _contexts(owners, queries, protocol, det_thresh)
    return Predictions(**predictions)


def _query_embedding(
    owners: Mapping[int, Mapping[str, Any]], query: int, protocol: SearchProtocol
) -> np.ndarray:
    if query not in owners:
        raise DataError(
            f'query {query} of protocol {protocol.name} has no embedding: its image was not '
            'predicted with the query box'
        )
    place = int(np.flatnonzero(owners[query]['query_ids'] == query)[0])
    return owners[query]['query_embeddings'][place]


def _contexts(
    owners: Mapping[int, Mapping[str, Any]],
    queries: Sequence[np.ndarray],
    protocol: SearchProtocol,
    det_thresh: float,
) -> Context:
    """Put each query before the other people of its image, best score first."""
    numbers, boxes, embeddings = [], [], []
    for position, (number, box, own) in enumerate(
        zip(protocol.query_ids, protocol.query_boxes, queries)
    ):
        record = owners[int(number)]
        other = pairwise_iou(record['boxes'], box[None])[:, 0] < SAME_PERSON_IOU
        kept = np.flatnonzero(other & (record['scores'] >= det_thresh))
        kept = kept[np.argsort(-record['scores'][kept], kind='stable')]
        numbers.append(np.full(1 + len(kept), position))
        boxes.append(np.concatenate([box[None], record['boxes'][kept]]))
        embeddings.append(np.concatenate([own[None], record['embeddings'][kept]]))
    return Context(np.concatenate(numbers), np.concatenate(boxes), np.concatenate(embeddings))
