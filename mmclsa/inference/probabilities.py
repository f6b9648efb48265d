"""How probable it is that a hit is the right person, by what an index has learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np

from mmclsa.evaluation.functional.calibration import Calibration, fit_calibration
from mmclsa.evaluation.functional.score_normalisation import MIN_COHORT, normalise_scores
from mmclsa.gallery import Hit
from mmclsa.gallery.index_reader import IndexReader
from mmclsa.structures import PairCounts

__all__ = ['IndexCalibration', 'calibration_of', 'with_probabilities']

_COHORT = 1000  # rows of an index that stand for all


@dataclass(frozen=True, eq=False)
class IndexCalibration:
    """What an index knows of its similarities.

    Attributes:
        counts: Its pairs.
        calibration: What they teach; None if there are too few.
    """

    counts: PairCounts
    calibration: Calibration | None


_KNOWN: WeakKeyDictionary[IndexReader, tuple[str, IndexCalibration]] = WeakKeyDictionary()


def calibration_of(index: IndexReader) -> IndexCalibration:
    """Give what an index has learnt; kept until it holds other rows.

    Args:
        index: An open index.

    Returns:
        Its pairs and their calibration.
    """
    known = _KNOWN.get(index)
    if known is None or known[0] != index.generation:
        counts = index.pair_counts()
        known = index.generation, IndexCalibration(counts, fit_calibration(counts))
        _KNOWN[index] = known
    return known[1]


def with_probabilities(
    index: IndexReader, feature: np.ndarray, hits: Sequence[Hit], single_look: bool
) -> list[Hit]:
    """Say of hits how probable each is the right person.

    Args:
        index: The index that they are of.
        feature: Of the query, shape (D,), a unit vector.
        hits: What was found for it.
        single_look: Whether it describes one look, as a query picture does. A
            mean of several is more similar to everybody; how much more, up to
            1000 rows of the index tell.

    Returns:
        The hits with their probabilities; None where the index has too few
        pairs, or too few people for a query of several looks.
    """
    learnt = calibration_of(index)
    if learnt.calibration is None or not hits:
        return list(hits)
    similarities = np.array([hit.similarity for hit in hits])
    if not single_look:
        if len(index) < MIN_COHORT:
            return list(hits)
        similarities = normalise_scores(
            similarities, _cohort(index, feature), learnt.counts.different
        )
    probabilities = learnt.calibration.probability(similarities)
    return [replace(hit, probability=float(p)) for hit, p in zip(hits, probabilities)]


def _cohort(index: IndexReader, feature: np.ndarray) -> np.ndarray:
    """Compare a query with rows evenly spread over an index."""
    rows = index.rows()
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _COHORT)).round().astype(np.int64)
    return index.embeddings(rows[chosen]) @ feature
