"""Right detections, and how many detections come before each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmclsa.evaluation.functional.candidates import Candidates
from mmclsa.evaluation.functional.flags import SearchFlags
from mmclsa.evaluation.functional.gallery import Gallery
from mmclsa.evaluation.functional.geometry import aligned_iou, expand_ranges
from mmclsa.evaluation.functional.results import Hits
from mmclsa.structures import SearchProtocol

__all__ = ['distinct_truths', 'find_hits', 'match_threshold', 'most_similar_on_person']


def match_threshold(boxes: np.ndarray, max_thresh: float = 0.5, rule: str = 'wh10') -> np.ndarray:
    """Compute the IoU that a detection needs, lower for small people.

    Convention:
        Boxes are x1 y1 x2 y2, width is x2 - x1 (no pixel is added). The rule
        of SeqNet, NAE and most others; SEAS and DiffPS write it without
        brackets and so always ask for 0.5. A box of 10 x 10 pixels needs
        100 / 400 = 0.25; from about 18 x 36 on it is 0.5.

    Args:
        boxes: Ground truth, shape (..., 4), x1 y1 x2 y2 in pixels.
        max_thresh: The most that is asked for.
        rule: ``wh10``, or ``fixed`` for ``max_thresh`` whatever the size.

    Returns:
        ``min(max_thresh, w h / ((w + 10) (h + 10)))``, shape (...).

    Example:
        >>> match_threshold(np.array([0, 0, 10, 10])).item()
        0.25
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    if rule == 'fixed':
        return np.full(boxes.shape[:-1], max_thresh)
    width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    return np.minimum(max_thresh, width * height / ((width + 10) * (height + 10)))


def find_hits(
    candidates: Candidates,
    similarities: np.ndarray,
    protocol: SearchProtocol,
    gallery: Gallery,
    flags: SearchFlags,
) -> Hits:
    """Find the right detections of a chunk of queries and their places.

    Convention:
        In each gallery image at most one detection is right: the most similar one of
        those whose IoU with the person reaches the threshold (>=); the others there are
        wrong. Of equally similar ones the first is taken. A person annotated twice in
        an image is looked for at the first box. SeqNet does the same. Two detections on
        the person, 0.9 and 0.8 similar: the first is right, the second wrong, and the
        AP is 1.

    Args:
        candidates: The chunk's pairs.
        similarities: Of each pair, shape (P,).
        protocol: The task.
        gallery: What is searched.
        flags: The IoU rule, and how repeated images count.

    Returns:
        The hits, in ascending order of query.
    """
    rows, truths, repeats = distinct_truths(candidates.queries, protocol)
    images = protocol.truth_images[truths]
    entries = candidates.places[rows, images]
    there = entries >= 0
    rows, truths, repeats = rows[there], truths[there], repeats[there]
    first = candidates.entry_starts[entries[there]] - gallery.starts[images[there]]
    owners, detections, values = most_similar_on_person(
        truths, protocol, gallery, flags, lambda own, seen: similarities[first[own] + seen]
    )
    places, at_least = _count(candidates, similarities, rows[owners], first[owners] + detections)
    return Hits(
        queries=candidates.queries[rows[owners]],
        truths=truths[owners],
        similarities=values,
        places=places,
        at_least=at_least,
        weights=repeats[owners] if flags.duplicates == 'double' else np.ones_like(owners),
    )


def distinct_truths(
    queries: np.ndarray, protocol: SearchProtocol
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List each image that shows a query's person, once.

    Convention:
        A person annotated twice in an image is there once, at the first box. With boxes
        in images 4, 4 and 7: the truths 0 and 2, repeated 2 times and once.

    Args:
        queries: Positions, shape (Q,), ascending.
        protocol: The task.

    Returns:
        Which of ``queries`` each belongs to, ascending, its first number among
        the protocol's truths, and how often the protocol has it.
    """
    starts = protocol.truth_offsets[queries]
    lengths = protocol.truth_offsets[queries + 1] - starts
    rows = np.repeat(np.arange(len(queries)), lengths)
    truths = expand_ranges(starts, lengths)
    keys = rows * len(protocol.images) + protocol.truth_images[truths]
    _, first, repeats = np.unique(keys, return_index=True, return_counts=True)
    return rows[first], truths[first], repeats


def most_similar_on_person(
    truths: np.ndarray,
    protocol: SearchProtocol,
    gallery: Gallery,
    flags: SearchFlags,
    similarity: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose the right detection of each truth: the most similar one that lies on the person.

    Convention:
        A detection lies on the person if its IoU, in continuous coordinates, is that
        of :func:`match_threshold` or more. With IoUs of 0.6, 0.5, 0.4 and similarities of 0.7, 0.8,
        0.9 the second is right at a threshold of 0.5.

    Args:
        truths: Numbers of the protocol's truths, shape (T,).
        protocol: The task.
        gallery: What is searched.
        flags: The IoU rule.
        similarity: Of truths, by their places 0..T-1, and detections.

    Returns:
        Places of the truths that were found, ascending, the detection of each,
        and its similarity. Of equally similar ones the first is taken.
    """
    images = protocol.truth_images[truths]
    owners = np.repeat(np.arange(len(images)), gallery.lengths[images])
    detections = gallery.members(images)
    boxes = protocol.truth_boxes[truths]
    needed = match_threshold(boxes, flags.max_iou_thresh, flags.iou_rule)
    kept = aligned_iou(gallery.boxes[detections], boxes[owners]) >= needed[owners]
    owners, detections = owners[kept], detections[kept]
    values = similarity(owners, detections)
    # Of equally similar detections the first: lexsort is stable.
    order = np.lexsort((-values, owners))
    best = order[np.diff(owners[order], prepend=-1) != 0]
    return owners[best], detections[best], values[best]


def _count(
    candidates: Candidates, similarities: np.ndarray, rows: np.ndarray, pairs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Count the detections before each hit, and those at least as similar."""
    places = np.empty(len(pairs), dtype=np.int64)
    at_least = np.empty(len(pairs), dtype=np.int64)
    cuts = np.flatnonzero(np.diff(rows, prepend=-1, append=-1))
    for start, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist()):
        part = candidates.row(rows[start])
        own = similarities[part]
        ascending = np.sort(own)
        values = similarities[pairs[start:stop]]
        at_least[start:stop] = len(own) - np.searchsorted(ascending, values, side='left')
        places[start:stop] = len(own) - np.searchsorted(ascending, values, side='right')
    for hit in np.flatnonzero(at_least - places > 1):
        # Equally similar ones keep the order of the gallery.
        before = slice(int(candidates.starts[rows[hit]]), int(pairs[hit]))
        places[hit] += np.count_nonzero(similarities[before] == similarities[pairs[hit]])
    return places + 1, at_least
