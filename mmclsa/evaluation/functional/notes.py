"""What a reader of the figures should know about their inputs."""

from __future__ import annotations

import numpy as np

from mmclsa.evaluation.functional.gallery import Gallery
from mmclsa.structures import SearchProtocol

__all__ = ['notes_of']


def notes_of(protocol: SearchProtocol, gallery: Gallery, known: np.ndarray) -> tuple[str, ...]:
    """Count unusual inputs.

    Args:
        protocol: The task.
        gallery: What is searched.
        known: Which queries have a feature, shape (Q,), bool.

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
    empty = np.count_nonzero(used & (gallery.lengths == 0))
    alone = np.count_nonzero(protocol.truth_counts() == 0)
    lost = np.count_nonzero(~known)
    counts = (
        (empty, 'gallery image has', 'gallery images have', 'no detection'),
        (gallery.zeros, 'detection has', 'detections have', 'an embedding of zeros'),
        (own, 'query has its', 'queries have their', 'own image in the gallery'),
        (alone, 'query matches', 'queries match', 'nobody in the gallery'),
        (lost, 'query has no detection in its', 'queries have no detection in their', 'image'),
    )
    return tuple(
        f'{n} {one if n == 1 else several} {what}' for n, one, several, what in counts if n
    )
