"""Context bipartite graph matching."""

from __future__ import annotations

import numpy as np

__all__ = ['context_match', 'most_similar', 'most_similar_images']


def most_similar(similarities: np.ndarray, count: int) -> np.ndarray:
    """List the most similar, best first; equally similar ones in their order.

    Convention:
        Equally similar ones keep their order: of 0.1, 0.9, 0.8, 0.9 the best two are
        those at places 1 and 3.

    Args:
        similarities: Shape (N,).
        count: How many, at most.

    Returns:
        Shape (min(count, N),), places.

    Example:
        >>> most_similar(np.array([0.1, 0.9, 0.8, 0.9]), 3).tolist()
        [1, 3, 2]
    """
    kept: np.ndarray = np.arange(len(similarities))
    if count < len(similarities):
        # Only those that can be among them are sorted.
        kept = np.flatnonzero(similarities >= np.partition(similarities, -count)[-count])
    return kept[np.argsort(-similarities[kept], kind='stable')][:count]


def most_similar_images(similarities: np.ndarray, images: np.ndarray, k1: int) -> np.ndarray:
    """List the images of the ``k1`` most similar detections.

    Convention:
        ``k1`` counts detections, not images, as in SeqNet.

    Args:
        similarities: Shape (N,).
        images: Image number of each detection, shape (N,).
        k1: Number of detections; of equally similar ones the last are taken,
            as a stable ascending sort would.

    Returns:
        Distinct image numbers, ascending.

    Example:
        >>> most_similar_images(np.array([0.1, 0.9, 0.8]), np.array([4, 7, 7]), 2).tolist()
        [7]
    """
    last = len(similarities) - 1
    return np.unique(images[last - most_similar(similarities[::-1], k1)])


def context_match(context: np.ndarray, gallery: np.ndarray) -> tuple[int, float] | None:
    """Match the people around a query with those of a gallery image.

    All people on the smaller side are matched so that the sum of the
    similarities is as large as can be. The query's partner then takes the
    largest similarity of any matched pair: a companion who is surely there
    vouches for the query. From SeqNet (Li and Miao, "Sequential End-to-End
    Network for Efficient Person Search", AAAI 2021).

    Convention:
        Similarities are dot products. The partner gets the largest matched similarity,
        as SeqNet's code gives it, not the sum that is maximised; PSTR takes the mean of
        that and its own. Where the image shows fewer people than the context, the query
        may stay alone and keep what it had. The query 0.2 similar to its partner, a
        companion 0.8 to his: the query gets 0.8 (PSTR: 0.5).

    Args:
        context: Embeddings of the people in the query's image, the query
            first, shape (c, D).
        gallery: Embeddings of the gallery image's detections, shape (g, D).

    Returns:
        The index of the query's partner and its new similarity, or None if
        the query stays without partner.

    Example:
        >>> eye = np.eye(2)
        >>> context_match(eye, np.array([[0.0, 1.0], [0.5, 0.0]]))
        (1, 1.0)
    """
    from scipy.optimize import linear_sum_assignment  # half a second, and few need it

    weights = context @ gallery.T
    rows, columns = linear_sum_assignment(weights, maximize=True)
    place = np.flatnonzero(rows == 0)
    if len(place) == 0:
        return None
    return int(columns[place[0]]), float(weights[rows, columns].max())
