"""Numbering and counting the identities of scenes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmclsa.structures import Scene

__all__ = ['contiguous_ids', 'count_identities', 'images_with_doubles']


def contiguous_ids(scenes: Sequence[Scene]) -> tuple[list[Scene], int]:
    """Number the identities of scenes 0..N-1, in the order of their ids.

    Args:
        scenes: Scenes with any non-negative ids; -1 stays -1. Ids of ignored
            boxes do not count and become -1.

    Returns:
        The scenes with new ids, and the number N of identities.

    Example:
        >>> import numpy as np
        >>> from mmclsa.structures import Scene
        >>> scene = Scene('a.jpg', np.zeros((3, 4)), np.array([7, -1, 3]), np.zeros(3, bool), None)
        >>> scenes, count = contiguous_ids([scene])
        >>> scenes[0].person_ids.tolist(), count
        ([1, -1, 0], 2)
    """
    kept = [np.where(s.ignore, -1, s.person_ids) for s in scenes]
    known = np.unique(np.concatenate([np.zeros(0, np.int64), *(ids[ids >= 0] for ids in kept)]))
    numbered = [
        replace(scene, person_ids=np.where(ids < 0, -1, np.searchsorted(known, ids)))
        for scene, ids in zip(scenes, kept)
    ]
    return numbered, len(known)


def count_identities(scenes: Sequence[Scene]) -> int:
    """Count the people with an identity; ignored boxes are nobody's."""
    return len({int(p) for s in scenes for p in s.person_ids[~s.ignore] if p >= 0})


def images_with_doubles(scenes: Sequence[Scene]) -> list[str]:
    """List the images in which an identity has two boxes.

    Args:
        scenes: Any scenes; ignored boxes and people without identity do not count.

    Returns:
        Their names, in order.

    Example:
        >>> ids = np.array([3, 4, 3])
        >>> images_with_doubles([Scene('a.jpg', np.ones((3, 4)), ids, np.zeros(3, bool))])
        ['a.jpg']
    """
    return [scene.image for scene in scenes if _has_double(scene)]


def _has_double(scene: Scene) -> bool:
    ids = scene.person_ids[(scene.person_ids >= 0) & ~scene.ignore]
    return any(count > 1 for count in Counter(ids.tolist()).values())
