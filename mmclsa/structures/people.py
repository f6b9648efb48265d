"""The people that were found in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ['FoundPeople']


@dataclass(frozen=True, eq=False)
class FoundPeople:
    """The people of one picture.

    Attributes:
        boxes: Shape (n, 4), float32, x1 y1 x2 y2 in the picture's pixels.
        scores: Shape (n,), float32, in 0..1.
        embeddings: Shape (n, D), float32, unit vectors.
    """

    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
