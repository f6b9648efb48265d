"""What a build needs of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

__all__ = ['Embedder', 'FoundPeople']


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


class Embedder(Protocol):
    """Finds and describes people; ``PersonSearchInferencer`` is one."""

    def prepare(self, picture: np.ndarray) -> dict[str, Any]:
        """Make a picture (H, W, 3), uint8, BGR, ready for the network; called in threads.

        Returns:
            A dict with at least ``inputs``, an array or tensor. Only pictures
            whose ``inputs`` have one shape enter the network together.
        """

    def find_people(self, batch: Sequence[dict[str, Any]]) -> list[FoundPeople]:
        """Detect and describe the people of prepared pictures."""
