"""Annotations beside the pictures they are of: whose size is right, and which boxes lie within."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmclsa.structures import Scene

__all__ = ['BEYOND', 'Disagreement', 'leave_out_beyond', 'settle_sizes']

#: What is left out, for counts.
BEYOND = 'boxes beyond their picture'
Size = tuple[int, int]

# Tools round; and a box that reaches a pixel too far is no reason to stop.
_SLACK = 2.0


@dataclass(frozen=True)
class Disagreement:
    """A picture whose size is not the one that its annotation says.

    Attributes:
        image: Key of the image.
        annotated: Width and height that the annotation gives.
        found: Width and height of the picture as it is loaded, upright.
        boxes_fit: False if boxes lie within the annotated size, but reach
            beyond the picture: they are not in its pixels.
    """

    image: str
    annotated: Size
    found: Size
    boxes_fit: bool

    @property
    def swapped(self) -> bool:
        """Whether width and height have changed places."""
        return self.annotated == self.found[::-1]

    def __str__(self) -> str:
        (w, h), (width, height) = self.annotated, self.found
        said = f'{self.image} is {width}x{height}, but its annotation says {w}x{h}'
        if self.swapped:
            said += (
                ', width and height swapped: the size as stored, before an EXIF orientation turns '
                'the picture upright'
            )
        if not self.boxes_fit:
            said += '; its boxes reach beyond the picture'
        return said


def settle_sizes(
    scenes: Sequence[Scene], sizes: Mapping[str, Size]
) -> tuple[list[Scene], list[Disagreement]]:
    """Give scenes the sizes of their pictures, whatever the annotation says.

    Args:
        scenes: With the sizes of the annotation, or without.
        sizes: Width and height by image, as pictures are loaded; perhaps not
            of all.

    Returns:
        The scenes, and where annotation and picture disagree.

    Example:
        >>> nobody = np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, bool)
        >>> scene = Scene('a.jpg', *nobody, width=4, height=3)
        >>> scenes, found = settle_sizes([scene], {'a.jpg': (3, 4)})
        >>> scenes[0].width, found[0].swapped
        (3, True)
    """
    settled, found = [], []
    for scene in scenes:
        size = sizes.get(scene.image)
        if size is not None and (scene.width, scene.height) != size:
            if scene.width is not None and scene.height is not None:
                found.append(_compare(scene, (scene.width, scene.height), size))
            scene = replace(scene, width=size[0], height=size[1])
        settled.append(scene)
    return settled, found


def _compare(scene: Scene, annotated: Size, size: Size) -> Disagreement:
    reach = scene.boxes[~scene.ignore][:, 2:]
    within = (reach <= np.array(annotated) + _SLACK).all(axis=1)
    beyond = (reach > np.array(size) + _SLACK).any(axis=1)
    return Disagreement(scene.image, annotated, size, not bool((within & beyond).any()))


def leave_out_beyond(scenes: Sequence[Scene]) -> tuple[list[Scene], int]:
    """Leave out the boxes that have nothing of their picture, where its size is known.

    Returns:
        The scenes, and how many boxes that were.

    Example:
        >>> boxes = np.array([[0.0, 0.0, 5.0, 9.0], [30.0, 3.0, 40.0, 9.0]])
        >>> scene = Scene('a.jpg', boxes, np.array([0, 1]), np.zeros(2, bool), width=20, height=20)
        >>> scenes, count = leave_out_beyond([scene])
        >>> scenes[0].person_ids.tolist(), count
        ([0], 1)
    """
    kept, count = [], 0
    for scene in scenes:
        if scene.width is not None and scene.height is not None:
            size = np.array([scene.width, scene.height])
            reaches = (scene.boxes[:, :2] < size) & (scene.boxes[:, 2:] > 0)
            inside = np.asarray(reaches.all(axis=1))
            if not inside.all():
                count += int((~inside).sum())
                scene = _only(scene, inside)
        kept.append(scene)
    return kept, count


def _only(scene: Scene, wanted: np.ndarray) -> Scene:
    return replace(
        scene,
        boxes=scene.boxes[wanted],
        person_ids=scene.person_ids[wanted],
        ignore=scene.ignore[wanted],
        track_ids=None if scene.track_ids is None else scene.track_ids[wanted],
    )
