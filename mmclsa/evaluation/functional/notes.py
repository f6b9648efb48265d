"""What a reader of the figures should know about their inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmclsa.errors import DataError
from mmclsa.evaluation.functional.gallery import Gallery
from mmclsa.evaluation.functional.geometry import aligned_iou
from mmclsa.structures import Predictions, Scene, SearchProtocol

__all__ = ['note_of_strangers', 'notes_of']

# A query's box is clipped in other ways by other code; one of another person overlaps less.
_SAME_BOX = 0.5


def note_of_strangers(scenes: Sequence[Scene], predictions: Predictions) -> str | None:
    """Count the detections in images that the data set does not have.

    Args:
        scenes: Those of the data set.
        predictions: Detections in any images.

    Returns:
        A sentence, or None if there are none.

    Raises:
        DataError: If all detections are such: images are called otherwise there.

    Example:
        >>> scene = Scene('a.jpg', np.zeros((1, 4)), np.array([0]), np.array([False]))
        >>> empty = np.zeros((0, 4))
        >>> found = Predictions(
        ...     np.array(['a.jpg', 'b.jpg']), np.ones((2, 4)), np.ones(2), np.ones((2, 2)),
        ...     np.zeros(0, str), empty, empty[:, :2])
        >>> note_of_strangers([scene], found)
        '1 detections are in images that the data set lacks, such as b.jpg'
    """
    names = [scene.image for scene in scenes]
    strange = np.flatnonzero(~np.isin(predictions.images, names))
    if not len(strange):
        return None
    example = predictions.images[strange[0]]
    if len(strange) == len(predictions.images):
        raise DataError(
            'no detection is in an image of the data set: the predictions have images such as '
            f'{example}, the data set has images such as {names[0] if names else "none"}'
        )
    return f'{len(strange)} detections are in images that the data set lacks, such as {example}'


def notes_of(
    protocol: SearchProtocol, gallery: Gallery, known: np.ndarray, boxes: np.ndarray
) -> tuple[str, ...]:
    """Count unusual inputs.

    Args:
        protocol: The task.
        gallery: What is searched.
        known: Which queries have a feature, shape (Q,), bool.
        boxes: Of the queries in the predictions, shape (Q, 4).

    Returns:
        Sentences; none if all is well.
    """
    used = np.ones(len(protocol.images), dtype=bool)
    own = 0
    if protocol.gallery_images is not None and protocol.gallery_offsets is not None:
        used[:] = False
        # Query by query: the lists can be tens of millions long.
        for query, image in enumerate(protocol.query_images.tolist()):
            listed = protocol.gallery(query)
            if not used.all():
                used[listed] = True
            own += int(np.count_nonzero(listed == image))
    asked = protocol.query_boxes
    moved = (aligned_iou(boxes, asked) < _SAME_BOX) & (boxes != asked).any(axis=1)
    inverted = (gallery.boxes[:, 2:] < gallery.boxes[:, :2]).any(axis=1)
    empty = np.count_nonzero(used & (gallery.lengths == 0))
    turned, shifted = np.count_nonzero(inverted), np.count_nonzero(moved)
    alone = np.count_nonzero(protocol.truth_counts() == 0)
    lost = np.count_nonzero(~known)
    counts = (
        (empty, 'gallery image has', 'gallery images have', 'no detection'),
        (gallery.zeros, 'detection has', 'detections have', 'an embedding of zeros'),
        (turned, 'detection has', 'detections have', 'x2 < x1 or y2 < y1: are they x y w h?'),
        (shifted, 'query has', 'queries have', 'another box in the predictions (IoU below 0.5)'),
        (own, 'query has its', 'queries have their', 'own image in the gallery'),
        (alone, 'query matches', 'queries match', 'nobody in the gallery'),
        (lost, 'query has no detection in its', 'queries have no detection in their', 'image'),
    )
    return tuple(
        f'{n} {one if n == 1 else several} {what}' for n, one, several, what in counts if n
    )
