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

_COHORT = 256  # rows of an index that stand for all


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
_COHORTS: WeakKeyDictionary[IndexReader, tuple[str, np.ndarray]] = WeakKeyDictionary()


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


def with_probabilities(index: IndexReader, hits: Sequence[Hit], single_look: bool) -> list[Hit]:
    """Say of hits how probable each is the right person.

    Args:
        index: The index that they are of.
        hits: What was found for a query.
        single_look: Whether the query is one look, as a query picture is. A
            mean of several is more similar to everybody, as the rows of an
            index of sightings are to each other; these tell how much more.

    Returns:
        The hits with their probabilities; None where the index has too few
        pairs, or too few rows for a query of several looks.
    """
    learnt = calibration_of(index)
    if learnt.calibration is None or not hits:
        return list(hits)
    similarities = np.array([hit.similarity for hit in hits])
    if not single_look:
        cohort = _cohort(index)
        if len(cohort) < MIN_COHORT:
            return list(hits)
        similarities = normalise_scores(similarities, cohort, learnt.counts.different)
    probabilities = learnt.calibration.probability(similarities)
    return [replace(hit, probability=float(p)) for hit, p in zip(hits, probabilities)]


def _cohort(index: IndexReader) -> np.ndarray:
    """Compare rows of other tracks, evenly spread over an index, with each other."""
    known = _COHORTS.get(index)
    if known is None or known[0] != index.generation:
        known = index.generation, _similarities_of_others(index)
        _COHORTS[index] = known
    return known[1]


def _similarities_of_others(index: IndexReader) -> np.ndarray:
    rows = index.rows()
    if len(rows) < 2:
        return np.zeros(0)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), _COHORT)).round().astype(np.int64)]
    vectors = index.embeddings(rows)
    tracks: dict[tuple[str, int], int] = {}
    owners = [
        tracks.setdefault((record.source, record.track_id), len(tracks))
        if record.track_id >= 0
        else -1 - place
        for place, record in enumerate(index.records(rows))
    ]
    others = np.triu(np.array(owners)[:, None] != np.array(owners), 1)
    return (vectors @ vectors.T)[others]
