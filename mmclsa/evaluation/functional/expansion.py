"""Alpha query expansion."""

from __future__ import annotations

import numpy as np

__all__ = ['expand_query']


def expand_query(
    feature: np.ndarray, found: np.ndarray, similarities: np.ndarray, alpha: float = 3.0
) -> np.ndarray:
    """Add the most similar detections to each query, weighted by their similarity.

    From Radenovic, Tolias and Chum, "Fine-tuning CNN Image Retrieval with No
    Human Annotation", TPAMI 2019.

    Convention:
        The query itself has the weight 1, a detection its similarity to the
        power of ``alpha``; the sum gets the query's length back.

    Args:
        feature: Of the query, shape (D,).
        found: The most similar detections, shape (n, D).
        similarities: Of them, shape (n,); negative ones count as 0.
        alpha: Power of the similarity that weighs each.

    Returns:
        Shape (D,), as long as ``feature``.

    Example:
        >>> expand_query(np.array([1.0, 0.0]), np.array([[0.0, 1.0]]), np.ones(1)).round(3).tolist()
        [0.707, 0.707]
    """
    weights = np.clip(similarities, 0, None) ** alpha
    total = feature + weights @ found
    length = np.linalg.norm(total)
    if length == 0:
        return feature
    return (total * (np.linalg.norm(feature) / length)).astype(feature.dtype)
