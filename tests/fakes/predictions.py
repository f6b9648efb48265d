"""Predictions as a perfect model would make them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmclsa.structures import Scene, SearchProtocol

__all__ = ['save_perfect_predictions']


def save_perfect_predictions(
    path: str | Path, scenes: Sequence[Scene], protocol: SearchProtocol
) -> None:
    """Save the annotated boxes as detections, with a dimension of the embedding for each person.

    Args:
        path: ``predictions.npz`` to write.
        scenes: The test scenes.
        protocol: Whose queries to save.
    """
    people = np.concatenate([scene.person_ids for scene in scenes])
    eye = np.eye(people.max() + 2)
    np.savez(
        path,
        image=np.repeat([s.image for s in scenes], [len(s.boxes) for s in scenes]),
        bbox=np.concatenate([s.boxes for s in scenes]),
        score=np.ones(len(people)),
        embedding=eye[people],
        query_image=np.array([protocol.images[i] for i in protocol.query_images]),
        query_bbox=protocol.query_boxes,
        query_embedding=eye[protocol.person_ids],
    )
