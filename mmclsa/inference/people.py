"""Who is in an index: its sightings, grouped into people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional.calibration import describe_lack
from mmclsa.evaluation.functional.gallery import normalised
from mmclsa.evaluation.functional.people_groups import group_people, seen_together
from mmclsa.evaluation.functional.score_normalisation import MIN_COHORT, normalise_scores
from mmclsa.gallery import GalleryRecord, SearchFilter
from mmclsa.gallery.index_reader import IndexReader
from mmclsa.inference.probabilities import calibration_of
from mmclsa.inference.sightings import boxes_by_picture, sightings_of
from mmclsa.structures import PairCounts
from mmclsa.utils.times import is_date

__all__ = ['MAX_SIGHTINGS', 'PersonGroup', 'people_of_index']

#: More would need more memory than a desktop has to spare: a few matrices of their pairs.
MAX_SIGHTINGS = 6000
_PROBABILITY = 0.8  # ours


@dataclass(frozen=True, eq=False)
class PersonGroup:
    """Sightings that seem to be of one person.

    Attributes:
        rows: Rows of the index, in the order in which they were seen.
        records: Their records.
        best: The row with the largest box, to be shown.
        num_sightings: How many sightings the rows are.
    """

    rows: Sequence[int]
    records: Sequence[GalleryRecord]
    best: int
    num_sightings: int

    @property
    def cameras(self) -> list[str]:
        """Names of the cameras that saw the person, sorted; the unknown one is empty."""
        return sorted({record.camera for record in self.records})

    @property
    def time_from(self) -> float:
        """When the person was first seen, the first date if there is any; NaN if unknown."""
        return min(_of_one_clock(record.time_from for record in self.records), default=math.nan)

    @property
    def time_to(self) -> float:
        """When the person was last seen; NaN if unknown."""
        return max(_of_one_clock(record.time_to for record in self.records), default=math.nan)


def people_of_index(
    index: IndexReader,
    where: SearchFilter | None = None,
    min_probability: float | None = None,
    min_similarity: float | None = None,
) -> list[PersonGroup]:
    """Group the sightings of an index into people.

    Two groups become one while the mean similarity of their sightings is
    enough (average linkage). Those who are seen in one picture are never one.

    Args:
        index: The index.
        where: Which records are looked at.
        min_probability: How probable it must be that two groups are of one
            person, in [0, 1], by what the index has learnt; 0.8 if neither
            limit is given.
        min_similarity: Or how similar they must be (cosine), for an index
            that has learnt nothing.

    Returns:
        The people, those with most sightings first.

    Raises:
        ConfigError: If both limits are given or are out of their range, the
            index knows no probabilities, or there are more than 6000
            sightings.
    """
    if min_probability is not None and min_similarity is not None:
        raise ConfigError('either min_probability or min_similarity may be given, not both')
    _check_count(index.count_sightings(where or SearchFilter()))
    rows = index.rows() if where is None or where.passes_all else index.find(where)
    records = index.records(rows) if len(rows) else []
    sightings = sightings_of(records)
    _check_count(len(sightings))  # with those not yet committed
    if not sightings:
        return []
    vectors = index.embeddings(rows)
    means = normalised(np.stack([vectors[members].mean(axis=0) for members in sightings]))
    similarities = means @ means.T
    apart = seen_together(*boxes_by_picture(index, rows, records, sightings))
    if min_similarity is not None:
        threshold = _in_range('min_similarity', min_similarity, -1)
    else:
        wanted = _PROBABILITY if min_probability is None else min_probability
        wanted = _in_range('min_probability', wanted, 0)
        similarities, threshold = _as_pairs(index, similarities, apart, wanted)
    groups = group_people(similarities, apart, threshold)
    people = [
        _person(rows, records, [sightings[n] for n in np.flatnonzero(groups == number)])
        for number in range(groups.max() + 1)
    ]
    return sorted(people, key=lambda person: (-person.num_sightings, person.rows[0]))


def _check_count(sightings: int) -> None:
    if sightings > MAX_SIGHTINGS:
        raise ConfigError(
            f'{sightings} sightings are too many to be grouped, at most {MAX_SIGHTINGS} are: '
            'choose cameras, or a shorter time'
        )


def _as_pairs(
    index: IndexReader, similarities: np.ndarray, apart: np.ndarray, probability: float
) -> tuple[np.ndarray, float]:
    """Put similarities of sightings on the scale of counted pairs, and give the threshold."""
    learnt = calibration_of(index)
    if learnt.calibration is None:
        raise ConfigError(
            f'the index {index.path} knows no probabilities ({describe_lack(learnt.counts)}): '
            'give min_similarity (--min-similarity)'
        )
    threshold = learnt.calibration.similarity(probability)
    return _normalised_pairs(index, similarities, apart, learnt.counts), threshold


def _normalised_pairs(
    index: IndexReader, similarities: np.ndarray, apart: np.ndarray, counts: PairCounts
) -> np.ndarray:
    upper = np.triu(np.ones(len(similarities), bool), 1)
    # Those who are seen together are two for sure; where few are, most others are too.
    for cohort in (similarities[upper & apart], similarities[upper]):
        if len(cohort) >= MIN_COHORT:
            return normalise_scores(similarities, cohort, counts.different)
    raise ConfigError(
        f'the index {index.path} has too few sightings ({len(similarities)}) to tell how similar '
        'they are by chance: give min_similarity (--min-similarity)'
    )


def _person(
    rows: np.ndarray, records: Sequence[GalleryRecord], sightings: Sequence[np.ndarray]
) -> PersonGroup:
    members = sorted(np.concatenate(sightings).tolist(), key=lambda n: _when(records[n], n))
    best = max(members, key=lambda n: (_area(records[n]), -n))
    return PersonGroup(
        [int(rows[n]) for n in members],
        [records[n] for n in members],
        int(rows[best]),
        len(sightings),
    )


def _when(record: GalleryRecord, number: int) -> tuple[float, str, int, int]:
    time = record.time_from
    known = time if math.isfinite(time) else -math.inf
    return known, record.source, record.first_frame, number


def _area(record: GalleryRecord) -> float:
    x1, y1, x2, y2 = record.box
    return (x2 - x1) * (y2 - y1)


def _of_one_clock(times: Iterable[float]) -> list[float]:
    """Leave out what is not known; and beside dates, times since the start of a video."""
    known = [time for time in times if math.isfinite(time)]
    return [time for time in known if is_date(time)] or known


def _in_range(name: str, value: float, least: float) -> float:
    if not least <= value <= 1:
        raise ConfigError(f'{name} must lie in {least:g}..1, but is {value}')
    return value
