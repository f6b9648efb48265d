"""Checks of embeddings."""

from __future__ import annotations

import numpy as np

from mmclsa.errors import DataError

__all__ = ['check_unit_vectors']

# What half precision does to the length of a vector.
_TOLERANCE = 1e-2


def check_unit_vectors(vectors: np.ndarray, dims: int, what: str) -> np.ndarray:
    """Make sure that vectors can be compared by their inner product.

    Args:
        vectors: Shape (n, D), float.
        dims: The D expected.
        what: What they are, for the message.

    Returns:
        Shape (n, D), float32, contiguous, scaled to unit length exactly.

    Raises:
        DataError: If the shape is another, or a vector is not finite or its
            length is not 1 within 0.01.

    Example:
        >>> check_unit_vectors([[0.6, 0.8]], 2, 'queries').dtype
        dtype('float32')
        >>> check_unit_vectors([[3.0, 4.0]], 2, 'queries')
        Traceback (most recent call last):
        mmclsa.errors.DataError: queries must be of unit length, but row 0 has the length 5
    """
    array = np.ascontiguousarray(vectors, dtype=np.float32)
    if array.ndim != 2 or array.shape[1] != dims:
        raise DataError(f'{what} must have the shape (n, {dims}), not {array.shape}')
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    wrong = np.flatnonzero(~(np.abs(lengths[:, 0] - 1) <= _TOLERANCE))
    if len(wrong):
        row = wrong[0]
        raise DataError(
            f'{what} must be of unit length, but row {row} has the length {lengths[row, 0]:.4g}'
        )
    return array / lengths
