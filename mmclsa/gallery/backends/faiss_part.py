"""Neighbouring vectors in FAISS, and their search with a filter."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclsa.gallery.backends.faiss_structures import StructureOptions, search_structure
from mmclsa.utils.optional import import_optional

__all__ = ['FaissPart']

# Comparing with this share of the rows, or this many, takes no longer than a
# search through the structure that has to step over all the others.
_EXACT_SHARE = 0.01
_EXACT_ROWS = 2000


class FaissPart:
    """Vectors in memory or mapped from a file, perhaps with a structure over them.

    Args:
        flat: FAISS index that compares with every vector.
        structure: What
            :func:`~mmclsa.gallery.backends.faiss_structures.open_structure`
            gave, or None.
        options: How to search the structure.
    """

    def __init__(
        self, flat: Any, structure: Any = None, options: StructureOptions | None = None
    ) -> None:
        self.flat = flat
        self._structure = structure
        self._options = options or StructureOptions()

    def __len__(self) -> int:
        return int(self.flat.ntotal)

    def search(
        self, queries: np.ndarray, topk: int, mask: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the most similar rows among those allowed.

        Args:
            queries: Shape (Q, D), float32.
            topk: How many to find.
            mask: Shape (rows,), bool; None allows all.

        Returns:
            Similarities and rows, shape (Q, topk), -1 where there are fewer.
        """
        allowed = len(self) if mask is None else int(np.count_nonzero(mask))
        if not allowed:
            shape = (len(queries), topk)
            return np.full(shape, -np.inf, np.float32), np.full(shape, -1, np.int64)
        selector = None if mask is None else _selector(mask)
        few = mask is not None and allowed <= max(_EXACT_ROWS, _EXACT_SHARE * len(self))
        if self._structure is None or few:
            return self._search_all(queries, topk, selector)
        similarities, rows = search_structure(
            self._structure, queries, topk, self._options, selector
        )
        # A structure looks at a part of the rows only. Where that part holds
        # too few that are allowed, the rest is looked at as well.
        short = (rows >= 0).sum(axis=1) < min(topk, allowed)
        if short.any():
            similarities[short], rows[short] = self._search_all(queries[short], topk, selector)
        return similarities, rows

    def _search_all(
        self, queries: np.ndarray, topk: int, selector: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        faiss = import_optional('faiss', 'gallery')
        parameters = None if selector is None else faiss.SearchParameters(sel=selector)
        return self.flat.search(queries, topk, params=parameters)


def _selector(mask: np.ndarray) -> Any:
    faiss = import_optional('faiss', 'gallery')
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder='little'))
