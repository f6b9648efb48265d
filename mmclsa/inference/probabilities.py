"""How probable it is that a hit is the right person, by what an index has learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np

from mmclsa.evaluation.functional.calibration import Calibration, fit_calibration
from mmclsa.evaluation.functional.people_groups import seen_together
from mmclsa.evaluation.functional.score_normalisation import MIN_COHORT, normalise_scores
from mmclsa.gallery import Hit
from mmclsa.gallery.index_reader import IndexReader
from mmclsa.inference.sightings import boxes_by_picture, sightings_of
from mmclsa.structures import PairCounts

__all__ = ['IndexCalibration', 'calibration_of', 'with_probabilities']

# Rows of an index that stand for all.
_BLOCKS, _BLOCK = 16, 16
_COHORT = _BLOCKS * _BLOCK


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
            index of sightings are to each other; those that are seen at once
            tell how much more.

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
    """Give how similar people of an index are who are others; kept as calibrations are."""
    known = _COHORTS.get(index)
    if known is None or known[0] != index.generation:
        known = index.generation, _similarities_of_others(index)
        _COHORTS[index] = known
    return known[1]


def _similarities_of_others(index: IndexReader) -> np.ndarray:
    """Compare rows that are seen at once; where few are, all of other tracks."""
    rows = index.rows()
    # Neighbours were added together, and are often seen at once.
    blocks = np.array_split(rows, max(1, min(_BLOCKS, len(rows) // _BLOCK)))
    rows = np.concatenate([block[:_BLOCK] for block in blocks]) if len(rows) > _COHORT else rows
    if not len(rows):
        return np.zeros(0)
    records = index.records(rows)
    alone = [np.array([number]) for number in range(len(rows))]
    apart = seen_together(*boxes_by_picture(index, rows, records, alone))
    others = np.triu(np.ones(apart.shape, bool), 1)
    for members in sightings_of(records):
        others[np.ix_(members, members)] = False
    vectors = index.embeddings(rows)
    similarities = vectors @ vectors.T
    known = similarities[np.triu(apart, 1)]
    return known if len(known) >= MIN_COHORT else similarities[others]
