"""The ranked result of one query: the only one there is; evaluation makes it, others draw it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ['Ranking']


@dataclass(frozen=True, eq=False)
class Ranking:
    """The detections of a query's gallery, best first.

    Attributes:
        query: Position of the query in the protocol.
        rows: Row of each detection in the predictions, shape (n,), int64. A
            detection comes twice where its image is searched twice.
        similarities: Shape (n,), as they were ranked: after CBGM, expansion
            and re-ranking where these are on.
        right: Whether each detection is the person, shape (n,), bool. In an
            image only the most similar detection on the person is right.
        num_truths: How many gallery entries show the person.
    """

    query: int
    rows: np.ndarray
    similarities: np.ndarray
    right: np.ndarray
    num_truths: int

    def __len__(self) -> int:
        """Count the detections."""
        return len(self.rows)

    @property
    def first_right(self) -> int:
        """Place of the first right detection, from 1; 0 if none is right."""
        return int(self.right.argmax()) + 1 if self.right.any() else 0

    @property
    def num_found(self) -> int:
        """How many different detections are right."""
        return len(np.unique(self.rows[self.right]))
