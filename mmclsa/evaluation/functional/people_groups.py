"""Grouping looks into people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmclsa.evaluation.functional.geometry import pairwise_iou
from mmclsa.evaluation.functional.pairs import SAME_PERSON_IOU

__all__ = ['group_people', 'seen_together']


def group_people(
    similarities: np.ndarray, apart: np.ndarray | None = None, threshold: float = 0.5
) -> np.ndarray:
    """Join the most similar groups until none are similar enough.

    Agglomerative clustering by average linkage with cannot-links.

    Convention:
        The similarity of two groups is the mean over their pairs. Groups with
        a pair that is apart are never joined, whatever comes between them. Of
        equally similar pairs the first is joined, so that the order of the
        looks matters only there. Memory is a copy of the matrix in float64.

    Args:
        similarities: Shape (n, n), symmetric; the diagonal is not looked at.
        apart: Pairs who are two people for sure, shape (n, n), bool, symmetric.
        threshold: Groups are joined while their similarity is at least this.

    Returns:
        Group of each, from 0 in order of appearance, shape (n,), int64.

    Example:
        >>> alike = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.2], [0.1, 0.2, 1.0]])
        >>> group_people(alike).tolist()
        [0, 0, 1]
        >>> group_people(alike, ~np.eye(3, dtype=bool)).tolist()
        [0, 1, 2]
    """
    links = np.array(similarities, np.float64)
    np.fill_diagonal(links, -np.inf)
    if apart is not None:
        links[np.asarray(apart, bool)] = -np.inf
    count = len(links)
    sizes = np.ones(count)
    owners = np.arange(count)
    best = links.argmax(axis=1) if count else owners
    values = links[owners, best]
    for _ in range(count - 1):
        one = int(values.argmax())
        two = int(best[one])
        if not values[one] >= threshold:
            break
        one, two = min(one, two), max(one, two)
        joined = (sizes[one] * links[one] + sizes[two] * links[two]) / (sizes[one] + sizes[two])
        joined[one] = -np.inf
        links[one] = links[:, one] = joined
        links[two] = links[:, two] = -np.inf
        sizes[one] += sizes[two]
        owners[owners == two] = one
        stale = np.flatnonzero((best == one) | (best == two))
        # Average linkage never makes a group more similar to a third than the nearer of its parts
        # was, so nobody else's best changes.
        for row in np.union1d(stale, [one, two]):
            best[row] = links[row].argmax()
            values[row] = links[row, best[row]]
    first, groups = np.unique(owners, return_index=True, return_inverse=True)[1:]
    return np.argsort(np.argsort(first))[groups].astype(np.int64)


def seen_together(
    places: list[np.ndarray], boxes: Sequence[np.ndarray] | None = None
) -> np.ndarray:
    """Tell which looks are of two people for sure: those in one picture.

    Convention:
        Two whose boxes have an IoU above 0.6 wherever they are together may
        be one, whom the detector has found twice.

    Args:
        places: Of each look the pictures it is in, numbers of any kind that
            are equal for the same picture of the same source, shape (k,) each.
        boxes: And where in these, x1 y1 x2 y2, shape (k, 4) each; None: no
            two are of one person.

    Returns:
        Shape (n, n), bool, symmetric; False on the diagonal.

    Example:
        >>> seen_together([np.array([1, 2]), np.array([2]), np.array([3])]).astype(int).tolist()
        [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    """
    apart = np.zeros((len(places), len(places)), bool)
    if not places:
        return apart
    owners = np.repeat(np.arange(len(places)), [len(place) for place in places])
    pictures = np.concatenate(places)
    order = np.argsort(pictures, kind='stable')
    corners = None if boxes is None else np.concatenate(boxes)
    cuts = np.flatnonzero(np.diff(pictures[order])) + 1
    for beside in np.split(order, cuts):
        together = owners[beside]
        if len(together) < 2:
            continue
        if corners is None:
            apart[np.ix_(together, together)] = True
        else:
            one, two = np.nonzero(pairwise_iou(corners[beside], corners[beside]) <= SAME_PERSON_IOU)
            apart[together[one], together[two]] = True
    np.fill_diagonal(apart, False)
    return apart
