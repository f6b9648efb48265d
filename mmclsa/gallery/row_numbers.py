"""Row numbers, of which deletions leave gaps, and the places of embeddings, which have none."""

from __future__ import annotations

import numpy as np

from mmclsa.errors import DataError

__all__ = ['NoSuchRowError', 'RowNumbers']


class NoSuchRowError(DataError):
    """There is no such row, or it has been deleted."""


class RowNumbers:
    """Which row numbers there are, in order.

    Args:
        count: How many of them are committed.
        next_row: The number that follows; from there on there are no gaps.
        rows: Shape (count,), int64, ascending; None if nobody was deleted.

    Example:
        >>> numbers = RowNumbers(2, 9, np.array([3, 8]))
        >>> numbers.at(np.array([0, 1, 2])).tolist()
        [3, 8, 9]
        >>> numbers.places(np.array([8, 10, 4])).tolist()
        [1, 3, -1]
    """

    def __init__(self, count: int, next_row: int, rows: np.ndarray | None = None) -> None:
        self.count = count
        self.next_row = next_row
        self._rows = rows

    def at(self, places: np.ndarray) -> np.ndarray:
        """Give the row numbers of places.

        Args:
            places: Any shape, int64; -1 stays -1.

        Returns:
            The same shape, int64.
        """
        if self._rows is None:
            return places
        result = np.where(places < 0, -1, places - self.count + self.next_row)
        committed = (places >= 0) & (places < self.count)
        result[committed] = self._rows[places[committed]]
        return result

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Give the places of row numbers.

        Args:
            rows: Shape (n,), int64.

        Returns:
            Shape (n,), int64; -1 for somebody who was deleted.
        """
        if self._rows is None:
            return rows
        found = np.searchsorted(self._rows, rows)
        there = found < self.count
        there[there] = self._rows[found[there]] == rows[there]
        later = rows >= self.next_row
        return np.where(later, rows - self.next_row + self.count, np.where(there, found, -1))

    def grown(self, more: int) -> RowNumbers:
        """Give the row numbers when so many more are committed.

        Args:
            more: How many.

        Returns:
            The row numbers.
        """
        rows = self._rows
        if rows is not None:
            rows = np.concatenate([rows, np.arange(self.next_row, self.next_row + more)])
        return RowNumbers(self.count + more, self.next_row + more, rows)
