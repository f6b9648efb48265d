"""How honest the probabilities of a footage are, by who its people are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclsa.evaluation.functional.bcubed import BCubed, b_cubed
from mmclsa.evaluation.functional.calibration import Calibration
from mmclsa.evaluation.functional.open_set import OpenSetPoint, open_set_points
from mmclsa.evaluation.functional.pairs import count_pairs
from mmclsa.evaluation.functional.people_groups import group_people
from mmclsa.evaluation.functional.score_normalisation import normalise_scores
from mmclsa.evaluation.looks import LookPairs, Looks, compare_looks, open_set_scores
from mmclsa.structures import PairCounts

__all__ = [
    'Grouping',
    'PairKind',
    'Stranger',
    'counts_of',
    'group_sightings',
    'open_set',
    'pair_kinds',
    'strangers',
]


@dataclass(frozen=True, eq=False)
class PairKind:
    """Pairs of one kind, and what their probabilities are learnt from.

    Attributes:
        name: What they are.
        similarities: Shape (n,).
        same: Whether of one person, shape (n,), bool.
        counts: What is learnt from.
    """

    name: str
    similarities: np.ndarray
    same: np.ndarray
    counts: PairCounts


@dataclass(frozen=True)
class Grouping:
    """Sightings grouped at one threshold.

    Attributes:
        probability: The threshold.
        num_groups: How many groups there are.
        figures: How they agree with the people.
    """

    probability: float
    num_groups: int
    figures: BCubed


@dataclass(frozen=True)
class Stranger:
    """What looks at people of other footage seem to be.

    Attributes:
        probability: A threshold.
        share: Of such looks, those whose best hit has this probability or more.
    """

    probability: float
    share: float


def counts_of(looks: Looks, **options: Any) -> PairCounts:
    """Count the pairs that footage knows by itself, as building an index does.

    Args:
        looks: Of one footage.
        options: Of :func:`~mmclsa.evaluation.functional.count_pairs`.
    """
    columns = looks.frames, looks.tracks, looks.embeddings, looks.times
    return count_pairs(*columns, **options)


def pair_kinds(looks: Looks) -> list[PairKind]:
    """Give the kinds of pairs that a search meets.

    Args:
        looks: Of one footage.

    Returns:
        A look beside a sighting, as it is, as if learnt from pairs of single
        looks, and normalised by its similarity to all; two sightings, as they
        are, and normalised by those who are seen together, or by all, as is
        done where few are.
    """
    pairs, counts = compare_looks(looks), counts_of(looks)
    asked = pairs.searched
    one, same = pairs.similarities[asked], pairs.same[asked]
    alike, people, apart = _sighting_pairs(looks)
    return [
        PairKind('look and sighting', one, same, counts),
        PairKind(
            'look and sighting, learnt from single looks', one, same, counts_of(looks, fused=False)
        ),
        PairKind(
            'look and sighting, normalised by the look', _by_row(pairs, counts)[asked], same, counts
        ),
        PairKind('two sightings', alike, people, counts),
        *(
            PairKind(
                f'two sightings, normalised by {name}',
                normalise_scores(alike, cohort, counts.different),
                people,
                counts,
            )
            for name, cohort in (('those seen at once', alike[apart]), ('all', alike))
        ),
    ]


def _by_row(pairs: LookPairs, counts: PairCounts) -> np.ndarray:
    """Normalise each look by the sightings that it is searched in."""
    rows = [
        normalise_scores(row, row[kept], counts.different)
        for row, kept in zip(pairs.similarities, pairs.searched)
    ]
    return np.array(rows)


def _sighting_pairs(looks: Looks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give similarity, sameness, and whether seen together, of each pair of sightings."""
    sightings = looks.sightings()
    upper = np.triu_indices(len(sightings.tracks), 1)
    alike = sightings.embeddings @ sightings.embeddings.T
    same = sightings.people[:, None] == sightings.people
    return alike[upper], same[upper], looks.apart()[upper]


def open_set(
    looks: Looks, normalised: bool, rates: tuple[float, ...] = (0.01, 0.1)
) -> list[OpenSetPoint]:
    """Search every look with its person there, and without.

    Args:
        looks: Of one footage.
        normalised: Normalise each look's similarities by all of them.
        rates: False-positive identification rates.

    Returns:
        A point for each rate.
    """
    pairs = compare_looks(looks)
    scores = _by_row(pairs, counts_of(looks)) if normalised else pairs.similarities
    return open_set_points(*open_set_scores(pairs, scores), rates)


def strangers(
    looks: Looks,
    others: Looks,
    calibration: Calibration,
    normalised: bool,
    probabilities: Sequence[float],
) -> list[Stranger]:
    """Search looks at people of other footage, who are strangers here.

    Args:
        looks: Of the footage that is searched.
        others: Who are searched for.
        calibration: Of the footage that is searched.
        normalised: Normalise each look's similarities by all of them.
        probabilities: Thresholds.

    Returns:
        How many of them seem to be found at each threshold.
    """
    scores = others.embeddings @ looks.sightings().embeddings.T
    if normalised:
        different = counts_of(looks).different
        scores = np.array([normalise_scores(row, row, different) for row in scores])
    best = calibration.probability(scores.max(axis=1))
    return [Stranger(limit, float(np.mean(best >= limit))) for limit in probabilities]


def group_sightings(
    looks: Looks, calibration: Calibration, probabilities: Sequence[float], cannot: bool = True
) -> list[Grouping]:
    """Group the sightings into people, as ``people_of_index`` does.

    Args:
        looks: Of one footage.
        calibration: Of the footage.
        probabilities: Thresholds.
        cannot: Never join two who are seen together.

    Returns:
        What comes of each threshold.
    """
    sightings, apart = looks.sightings(), looks.apart()
    alike = sightings.embeddings @ sightings.embeddings.T
    scores = normalise_scores(alike, alike[apart], counts_of(looks).different)
    found = []
    for probability in probabilities:
        groups = group_people(
            scores, apart if cannot else None, calibration.similarity(probability)
        )
        figures = b_cubed(groups, sightings.people)
        found.append(Grouping(probability, int(groups.max()) + 1, figures))
    return found
