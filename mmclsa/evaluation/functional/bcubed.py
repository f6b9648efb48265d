"""How well a grouping agrees with who people are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ['BCubed', 'b_cubed']


@dataclass(frozen=True)
class BCubed:
    """B-cubed figures of a grouping.

    Attributes:
        precision: Share of one's group who are the same person, in [0, 1].
        recall: Share of one's own who are in one's group, in [0, 1].
        f_score: Harmonic mean of both.
    """

    precision: float
    recall: float
    f_score: float


def b_cubed(groups: np.ndarray, people: np.ndarray) -> BCubed:
    """Compare groups with people.

    From Bagga and Baldwin, "Entity-Based Cross-Document Coreferencing Using the
    Vector Space Model", ACL 1998.

    Convention:
        Precision and recall are averaged over the elements, each of which is in its own
        group. Of nobody they are 1. Groups a a a b of people 5 5 6 6: (2/3 + 2/3 + 1/3
        + 1) / 4 = 0.67 precision, (1 + 1 + 1/2 + 1/2) / 4 = 0.75 recall.

    Args:
        groups: Group of each element, shape (n,), any integers.
        people: Person of each, shape (n,), any integers.

    Returns:
        The figures.

    Example:
        >>> b_cubed(np.array([0, 0, 0, 1]), np.array([5, 5, 6, 6]))
        BCubed(precision=0.6666666666666666, recall=0.75, f_score=0.7058823529411765)
    """
    if not len(groups):
        return BCubed(1.0, 1.0, 1.0)
    _, pairs, both = np.unique(
        np.stack([groups, people]), axis=1, return_inverse=True, return_counts=True
    )
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    _, person, numbers = np.unique(people, return_inverse=True, return_counts=True)
    together = both[pairs.reshape(-1)]
    precision = float(np.mean(together / sizes[group]))
    recall = float(np.mean(together / numbers[person]))
    return BCubed(precision, recall, 2 * precision * recall / (precision + recall))
