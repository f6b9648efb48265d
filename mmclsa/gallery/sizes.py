"""How many bytes each part of an index takes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['IndexSizes']


@dataclass(frozen=True)
class IndexSizes:
    """Bytes of the parts of an index, as committed.

    Attributes:
        vectors: The file of embeddings; 0 with Milvus, which has them elsewhere.
        structure: What makes searching fast.
        crops: The JPEG files of people.
        behind: The frames behind sightings, compressed.
        records: The rest of the database: a row a person, names, units of
            work, and what SQLite needs for all.
        num_crops: How many crops there are.
        num_behind: How many sightings have frames behind them.
    """

    vectors: int
    structure: int
    crops: int
    behind: int
    records: int
    num_crops: int
    num_behind: int

    @property
    def total(self) -> int:
        """All of it.

        Example:
            >>> IndexSizes(4096, 0, 900, 50, 8192, 1, 1).total
            13238
        """
        return self.vectors + self.structure + self.crops + self.behind + self.records
