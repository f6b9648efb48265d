"""From a model's data samples to flat arrays of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mmclsa.errors import DataError
from mmclsa.structures import Predictions, Scene, SearchProtocol

__all__ = ['collect_predictions', 'record_of', 'records_by_image']


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
    records: Sequence[Mapping[str, Any]], protocols: Sequence[SearchProtocol]
) -> Predictions:
    """Join records into predictions.

    Args:
        records: Of :func:`records_by_image`.
        protocols: The tasks, on one list of queries; each may have only some
            of them.

    Returns:
        The predictions, with the queries that some task has.

    Raises:
        DataError: If a query's embedding is missing.
    """
    lengths = [len(record['scores']) for record in records]
    owners = {int(q): record for record in records for q in record['query_ids']}
    queries = _queries(protocols)
    numbers = np.array(sorted(queries), dtype=np.int64)
    embeddings = [_query_embedding(owners, number, queries[number][0]) for number in numbers]
    images = [record['image'] for record in records]
    return Predictions(
        images=np.repeat(images, lengths),
        boxes=np.concatenate([record['boxes'] for record in records]),
        scores=np.concatenate([record['scores'] for record in records]),
        embeddings=np.concatenate([record['embeddings'] for record in records]),
        query_images=np.array([queries[number][1] for number in numbers]),
        query_boxes=np.stack([queries[number][2] for number in numbers]),
        query_embeddings=np.stack(embeddings),
        query_ids=numbers,
        predicted_images=np.array(images),
    )


def _queries(
    protocols: Sequence[SearchProtocol],
) -> dict[int, tuple[SearchProtocol, str, np.ndarray]]:
    """Find a task, the image and the box of each query by its number."""
    return {
        int(number): (protocol, protocol.images[image], box)
        for protocol in protocols
        for number, image, box in zip(
            protocol.query_ids, protocol.query_images, protocol.query_boxes
        )
    }


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
