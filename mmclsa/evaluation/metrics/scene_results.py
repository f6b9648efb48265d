"""From a model's data samples to flat arrays of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mmclsa.errors import DataError
from mmclsa.structures import Predictions, Scene, SearchProtocol

__all__ = ['boxes_of_scene', 'collect_predictions', 'result_of_scene', 'results_by_scene']


def _to_numpy(values: Any) -> np.ndarray:
    return values.detach().float().cpu().numpy() if torch.is_tensor(values) else np.asarray(values)


def result_of_scene(sample: Mapping[str, Any]) -> dict[str, Any]:
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
    result = dict(
        image=str(sample['img_id']),
        boxes=_to_numpy(found['bboxes']),
        scores=_to_numpy(found['scores']),
        embeddings=embeddings,
        query_ids=np.zeros(0, dtype=np.int64),
        query_embeddings=np.zeros((0, embeddings.shape[1]), dtype=np.float32),
    )
    if len(queries.get('query_ids', ())):
        result['query_ids'] = _to_numpy(queries['query_ids']).astype(np.int64)
        result['query_embeddings'] = _to_numpy(queries['embeddings'])
    return result


def boxes_of_scene(sample: Mapping[str, Any], person_label: int) -> dict[str, Any]:
    """Reduce a detector's data sample (as a dict) to its boxes of people, on the CPU.

    Args:
        sample: With ``img_id`` and ``pred_instances``.
        person_label: The label of a person; other classes are dropped.

    Returns:
        ``image``, ``boxes`` (n, 4), ``scores`` (n,).
    """
    found = sample['pred_instances']
    boxes, scores = _to_numpy(found['bboxes']), _to_numpy(found['scores'])
    people = _to_numpy(found['labels']) == person_label
    # An untrained detector's boxes can be infinite.
    people &= np.isfinite(boxes).all(axis=1)
    return dict(image=str(sample['img_id']), boxes=boxes[people], scores=scores[people])


def results_by_scene(
    results: Sequence[Mapping[str, Any]], scenes: Sequence[Scene]
) -> list[Mapping[str, Any]]:
    """Sort results by scene; a scene seen twice (a sampler's padding) counts once.

    Returns:
        One result a scene, in the scenes' order.

    Raises:
        DataError: If a scene has no result.
    """
    known = {result['image']: result for result in results}
    for scene in scenes:
        if scene.image not in known:
            raise DataError(
                f'image {scene.image} was not predicted: {len(known)} of {len(scenes)} scenes '
                'came; is the test data loader complete?'
            )
    return [known[scene.image] for scene in scenes]


def collect_predictions(
    results: Sequence[Mapping[str, Any]], protocols: Sequence[SearchProtocol]
) -> Predictions:
    """Join results into predictions.

    Args:
        results: Of :func:`results_by_scene`.
        protocols: The tasks, on one list of queries; each may have only some
            of them.

    Returns:
        The predictions, with the queries that some task has.

    Raises:
        DataError: If a query's embedding is missing.
    """
    lengths = [len(result['scores']) for result in results]
    owners = {int(q): result for result in results for q in result['query_ids']}
    queries = _queries(protocols)
    numbers = np.array(sorted(queries), dtype=np.int64)
    embeddings = [_query_embedding(owners, number, queries[number][0]) for number in numbers]
    images = [result['image'] for result in results]
    return Predictions(
        images=np.repeat(images, lengths),
        boxes=np.concatenate([result['boxes'] for result in results]),
        scores=np.concatenate([result['scores'] for result in results]),
        embeddings=np.concatenate([result['embeddings'] for result in results]),
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
