"""Writing scenes and retrieval tasks as COCO + person_id + protocol JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmclsa.datasets.mot_challenge import FirstFrameQuery
from mmclsa.structures import Scene

__all__ = ['queries_to_json', 'scenes_to_coco']


def _xywh(box: np.ndarray) -> list[float]:
    x1, y1, x2, y2 = (float(v) for v in box)
    return [x1, y1, x2 - x1, y2 - y1]


def scenes_to_coco(
    scenes: Sequence[Scene], file_names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Describe scenes in COCO's way, with ``person_id``, ``track_id`` and ``cam_id``.

    CVAT and FiftyOne keep what is in ``attributes`` of an annotation, so ids
    stand there too, but for those of nobody. CVAT makes tracks of ``track_id``
    there, which is the person's id where scenes have no tracks.

    Args:
        scenes: Any scenes.
        file_names: New file name by image key; None keeps the keys.

    Returns:
        Content of the annotation JSON. Image ids are 1, 2, ... in order.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, scene in enumerate(scenes, 1):
        image: dict[str, Any] = dict(
            id=image_id, file_name=(file_names or {}).get(scene.image, scene.image)
        )
        if scene.width is not None and scene.height is not None:
            image.update(width=int(scene.width), height=int(scene.height))
        images.append(dict(image, cam_id=int(scene.cam_id)))
        for index, box in enumerate(scene.boxes):
            xywh = _xywh(box)
            annotation: dict[str, Any] = dict(
                id=len(annotations) + 1,
                image_id=image_id,
                category_id=1,
                bbox=xywh,
                area=xywh[2] * xywh[3],
                segmentation=[],
                iscrowd=0,
                ignore=int(scene.ignore[index]),
                person_id=int(scene.person_ids[index]),
            )
            if scene.track_ids is not None:
                annotation['track_id'] = int(scene.track_ids[index])
            person = annotation['person_id']
            ids = dict(person_id=person, track_id=annotation.get('track_id', person))
            known = {name: number for name, number in ids.items() if number >= 0}
            annotations.append(dict(annotation, attributes=known))
    categories = [dict(id=1, name='person', supercategory='')]
    return dict(images=images, annotations=annotations, categories=categories)


def queries_to_json(
    name: str, queries: Sequence[FirstFrameQuery], scenes: Sequence[Scene]
) -> dict[str, Any]:
    """Describe a retrieval task as a protocol JSON.

    Args:
        name: Of the protocol.
        queries: Their ``query_id`` is their position.
        scenes: As given to :func:`scenes_to_coco`, which numbers them.

    Returns:
        Content of the protocol JSON.
    """
    ids = {scene.image: image_id for image_id, scene in enumerate(scenes, 1)}
    entries = [
        dict(
            query_id=index,
            image_id=ids[query.image],
            bbox=_xywh(query.box),
            person_id=query.person_id,
            gallery='all' if query.gallery is None else [ids[key] for key in query.gallery],
        )
        for index, query in enumerate(queries)
    ]
    return dict(name=name, queries=entries)
