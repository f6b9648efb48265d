"""A rotation that spreads every vector evenly over its components."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ['rotation_matrix']

_SEED = 5


@lru_cache(maxsize=1)
def rotation_matrix(dims: int) -> np.ndarray:
    """Draw a random rotation, the same one for every index.

    It leaves every inner product as it is. One scale then fits the
    components of all vectors, whatever model they are of.

    Args:
        dims: Length of a vector.

    Returns:
        Shape (dims, dims), float32; vectors are multiplied by it from the left.

    Example:
        >>> rotated = np.eye(3, dtype=np.float32) @ rotation_matrix(3)
        >>> np.allclose(rotated @ rotated.T, np.eye(3), atol=1e-6)
        True
    """
    # NumPy promises that this one's numbers stay as they are. Factors whose
    # diagonal is positive are unique, so any LAPACK gives them, to 1e-12.
    normal = np.random.RandomState(_SEED).standard_normal((dims, dims))
    rotation, triangle = np.linalg.qr(normal)
    return np.ascontiguousarray(rotation * np.sign(np.diag(triangle)), np.float32)
