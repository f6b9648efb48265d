"""The boxes of a scene as MMDetection's instances."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclsa.structures import Scene

__all__ = ['has_size', 'make_instances']


def has_size(scene: Scene) -> np.ndarray:
    """Tell which boxes of a scene are wider and higher than nothing.

    Returns:
        Shape (n,), bool.

    Example:
        >>> boxes = np.array([[0.0, 0.0, 5.0, 9.0], [3.0, 3.0, 3.0, 9.0]])
        >>> has_size(Scene('a.jpg', boxes, np.array([0, 1]), np.zeros(2, bool))).tolist()
        [True, False]
    """
    return np.asarray((scene.boxes[:, 2:] > scene.boxes[:, :2]).all(axis=1))


def make_instances(scene: Scene, everything: bool) -> list[dict[str, Any]]:
    """Make MMDetection's instances of a scene's boxes.

    Args:
        scene: The scene.
        everything: Also of boxes without width or height.

    Returns:
        A dict a box: ``bbox`` (x1 y1 x2 y2), ``bbox_label`` 0,
        ``ignore_flag`` and ``person_id``, -1 for unlabelled and ignored ones.

    Example:
        >>> box = np.array([[0.0, 0.0, 5.0, 9.0]])
        >>> scene = Scene('a.jpg', box, np.array([7]), np.zeros(1, bool))
        >>> make_instances(scene, everything=False)[0]['person_id']
        7
    """
    wanted = np.ones(len(scene.boxes), dtype=bool) if everything else has_size(scene)
    return [
        dict(
            bbox=[float(v) for v in box],
            bbox_label=0,
            ignore_flag=int(ignore),
            person_id=-1 if ignore else int(person),
        )
        for box, person, ignore in zip(
            scene.boxes[wanted], scene.person_ids[wanted], scene.ignore[wanted]
        )
    ]
