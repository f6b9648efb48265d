"""k-reciprocal re-ranking."""

from __future__ import annotations

import numpy as np

from mmclsa.evaluation.functional.gallery import normalised

__all__ = ['k_reciprocal_distances']


def k_reciprocal_distances(
    feature: np.ndarray, found: np.ndarray, k1: int = 20, k2: int = 6, weight: float = 0.3
) -> np.ndarray:
    """Measure how far detections are from a query by the neighbours they share.

    From Zhong, Zheng, Cao and Li, "Re-ranking Person Re-identification with
    k-reciprocal Encoding", CVPR 2017, on one query and its detections, since
    in person search each query has a gallery of its own.

    Convention:
        A point is its own neighbour and not one of the ``k1``. Equal distances
        keep their order. The authors' code puts all queries and the gallery
        into one graph; here it is one query's.

    Args:
        feature: Of the query, shape (D,).
        found: Of the detections, shape (n, D).
        k1: Neighbours that must be mutual.
        k2: Neighbours whose encodings are averaged; 1 = none.
        weight: Share of the original distance, in [0, 1].

    Returns:
        Shape (n,), in [0, 1]: ``weight`` times the squared Euclidean distance
        of normalised embeddings, over the query's largest, plus the rest times
        the Jaccard distance of the encodings.

    Example:
        >>> found = np.array([[1.0, 0.1], [0.0, 1.0]])
        >>> near, far = k_reciprocal_distances(np.array([1.0, 0.0]), found, 1, 1)
        >>> bool(near < far)
        True
    """
    points = normalised(np.concatenate([feature[None], found]).astype(np.float64))
    squared = points @ points.T
    squared *= -2
    squared += 2
    # Rounding must not tell equal points apart.
    squared[squared < 1e-12] = 0
    largest = squared.max(axis=1, keepdims=True)
    distances = squared / np.where(largest > 0, largest, 1)
    near, close, averaged = _nearest(distances, (k1 + 1, max(round(k1 / 2), 1) + 1, k2))
    chosen, half = _mutual(near), _mutual(close).astype(np.float32)
    # Whole numbers, which float32 adds without rounding.
    shared = chosen.astype(np.float32) @ half.T
    friends = chosen & (3 * shared > 2 * half.sum(axis=1))
    chosen = chosen | (friends.astype(np.float32) @ half > 0)
    encoded = np.where(chosen, np.exp(-distances), 0)
    encoded /= encoded.sum(axis=1, keepdims=True)
    if k2 > 1:
        weights = averaged.astype(np.float64)
        # Only where the query's own encoding is not 0 can one have something in common with it.
        kept = (weights[0] @ encoded) > 0
        encoded = (weights @ encoded[:, kept]) / averaged.sum(axis=1, keepdims=True)
    common = np.minimum(encoded[0], encoded[1:]).sum(axis=1)
    jaccard = 1 - common / (2 - common)
    return weight * distances[0, 1:] + (1 - weight) * jaccard


def _nearest(distances: np.ndarray, counts: tuple[int, ...]) -> list[np.ndarray]:
    """Tell which points are among the nearest of each; equal distances keep their order.

    Example:
        >>> [mask.tolist() for mask in _nearest(np.array([[2.0, 1.0, 1.0]]), (1, 2))]
        [[[False, True, False]], [[False, True, True]]]
    """
    size = distances.shape[1]
    most = min(max(counts), size)
    # No need to sort them all.
    ahead = np.sort(np.partition(distances, most - 1, axis=1)[:, :most], axis=1)
    masks = []
    for count in (min(count, size) for count in counts):
        last = ahead[:, count - 1, None]
        mask = distances <= last
        for row in np.flatnonzero(np.count_nonzero(mask, axis=1) > count).tolist():
            level = np.flatnonzero(distances[row] == last[row])
            mask[row, level[count - np.count_nonzero(distances[row] < last[row]) :]] = False
        masks.append(mask)
    return masks


def _mutual(near: np.ndarray) -> np.ndarray:
    """Tell which points are among each other's nearest; each is its own."""
    near = near.copy()
    np.fill_diagonal(near, True)
    return near & near.T
