"""Similarities of pairs, by the cheaper of two ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mmclsa.evaluation.functional.candidates import Candidates
from mmclsa.evaluation.functional.gallery import Gallery
from mmclsa.evaluation.functional.geometry import expand_ranges
from mmclsa.structures import SearchProtocol

__all__ = ['Product', 'ProductMaker', 'Similarities', 'computed_ahead', 'numpy_product']

#: From features (R, D) to similarities (R, N) with a fixed gallery.
Product = Callable[[np.ndarray], np.ndarray]
#: From the gallery's embeddings (N, D) to a product with them.
ProductMaker = Callable[[np.ndarray], Product]

# Below this share of the gallery a query's own detections are cheaper than all of them.
DENSE_SHARE = 0.05


def numpy_product(gallery: np.ndarray) -> Product:
    """Make the product with a gallery (N, D) on the CPU.

    Example:
        >>> numpy_product(np.eye(2))(np.array([[1.0, 2.0]])).tolist()
        [[1.0, 2.0]]
    """
    return lambda features: features @ gallery.T


def computed_ahead(product: Product, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Compute the product of each block of features while the one before is looked at.

    Args:
        product: Matrix product with a gallery.
        blocks: Features, shape (R, D) each.

    Yields:
        Similarities, shape (R, N), of each block; two are in memory at a time.

    Example:
        >>> blocks = [np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])]
        >>> [block.tolist() for block in computed_ahead(numpy_product(np.eye(2)), blocks)]
        [[[1.0, 2.0]], [[3.0, 4.0]]]
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        before = None
        for block in blocks:
            ahead = pool.submit(product, block)
            if before is not None:
                yield before.result()
            before = ahead
        if before is not None:
            yield before.result()


def is_dense(protocol: SearchProtocol) -> bool:
    """Tell whether a query is compared with a good part of all detections."""
    if protocol.gallery_images is None:
        return True
    everything = max(len(protocol), 1) * max(len(protocol.images), 1)
    return len(protocol.gallery_images) > DENSE_SHARE * everything


class Similarities:
    """Similarities of some queries with the gallery, computed once if dense.

    Args:
        features: Of the chunk's queries, shape (C, D).
        gallery: What is searched.
        product: Matrix product with the gallery's embeddings.
    """

    def __init__(self, features: np.ndarray, gallery: Gallery, product: Product) -> None:
        self.features = features
        self.gallery = gallery
        self.product = product
        self._matrix: np.ndarray | None = None

    def of(self, candidates: Candidates, rows: np.ndarray, dense: bool) -> np.ndarray:
        """Compute the similarity of each pair.

        Args:
            candidates: The pairs.
            rows: Which of ``features`` belongs to each row of the candidates.
            dense: Compare the queries with every detection, and choose.

        Returns:
            Shape (P,), an array of its own.
        """
        if not dense:
            return self._by_image(candidates, rows)
        if self._matrix is None:
            self._matrix = self.product(self.features)
        similarities = np.empty(len(candidates.members), dtype=self._matrix.dtype)
        for row, source in enumerate(rows):
            part = candidates.row(row)
            np.take(self._matrix[source], candidates.members[part], out=similarities[part])
        return similarities

    def _by_image(self, candidates: Candidates, rows: np.ndarray) -> np.ndarray:
        """Multiply each image's detections with the queries that search it."""
        order = np.argsort(candidates.entry_images, kind='stable')
        images = candidates.entry_images[order]
        features = self.features[rows]
        sources = candidates.entry_rows[order]
        lengths = self.gallery.lengths[images]
        flat = np.empty(len(candidates.members), dtype=features.dtype)
        cuts = np.flatnonzero(np.diff(images, prepend=-1, append=-1))
        position = 0
        for start, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist()):
            image = images[start]
            first, count = self.gallery.starts[image], self.gallery.lengths[image]
            if count:
                block = (
                    features[sources[start:stop]] @ self.gallery.embeddings[first : first + count].T
                )
                flat[position : position + block.size] = block.ravel()
                position += block.size
        similarities = np.empty_like(flat)
        similarities[expand_ranges(candidates.entry_starts[order], lengths)] = flat
        return similarities
