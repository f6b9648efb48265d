"""What annotated footage says of its probabilities, on made-up looks."""

from __future__ import annotations

import numpy as np
import pytest

from mmclsa.evaluation.calibration_study import (
    counts_of,
    group_sightings,
    open_set,
    pair_kinds,
    strangers,
)
from mmclsa.evaluation.functional import fit_calibration, measure_reliability, refine_query
from mmclsa.evaluation.looks import Looks, compare_looks, feedback_precision, open_set_scores
from mmclsa.visualization import draw_reliability


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def make_looks(
    seed: int = 0, people: int = 8, come_back: bool = True, noise: float = 1.2, common: float = 0.0
) -> Looks:
    """People of two tracks of twelve frames each, or of one; a quarter of all at a time."""
    rng = np.random.default_rng(seed)
    faces = unit(common * unit(rng.normal(size=16)) + unit(rng.normal(size=(people, 16))))
    parts = []
    tracks = people * (1 + come_back)
    for track in range(tracks):
        frames = np.arange(12) + 15 * (4 * track // tracks)
        who = np.full(12, track % people)
        looks = unit(faces[who] + noise * rng.normal(size=(12, 16)) / 4)
        parts.append((frames, frames / 2, who, np.full(12, track), looks))
    return Looks(*(np.concatenate(values) for values in zip(*parts)))


class TestCompare:
    def test_who_comes_back_is_searched_in_other_tracks(self):
        looks = make_looks()
        pairs, sightings = compare_looks(looks), looks.sightings()
        for row in (0, 17, 100):
            for column, track in enumerate(sightings.tracks):
                members = looks.tracks == track
                mean = unit(looks.embeddings[members].mean(axis=0))
                assert pairs.similarities[row, column] == pytest.approx(
                    float(looks.embeddings[row] @ mean), abs=1e-5
                )
                assert pairs.searched[row, column] == (looks.tracks[row] != track)
                person = looks.people[members][0]
                assert pairs.same[row, column] == (person == looks.people[row])

    def test_who_does_not_is_searched_in_what_is_far_away(self):
        looks = make_looks(come_back=False)
        pairs = compare_looks(looks)
        row = 14  # the third frame of track 1; a third of 5.5 s is 1.8 s
        far = (looks.tracks == 1) & (np.abs(looks.times - looks.times[row]) >= 5.5 / 3)
        mean = unit(looks.embeddings[far].mean(axis=0))
        expected = float(looks.embeddings[row] @ mean)
        assert pairs.similarities[row, 1] == pytest.approx(expected, abs=1e-5)
        assert pairs.searched.all()

    def test_absent_people_are_taken_away(self):
        looks = make_looks()
        pairs = compare_looks(looks)
        right, wrong, absent = open_set_scores(pairs, pairs.similarities)
        assert len(right) == len(wrong) == len(absent) == len(looks.frames)
        own = looks.people[5] == looks.sightings().people
        assert absent[5] == pairs.similarities[5][~own].max()
        assert right[5] == pairs.similarities[5][own & pairs.searched[5]].max()


class TestStudy:
    def test_normalised_pairs_are_more_honest_than_raw_ones(self):
        """Two means of many looks are more alike than a look and a mean."""
        errors = {}
        for kind in pair_kinds(make_looks(people=16, noise=2.0, common=1.0)):
            calibration = fit_calibration(kind.counts)
            values = calibration.probability(kind.similarities)
            errors[kind.name] = measure_reliability(values, kind.same).brier
        for cohort in ('those seen at once', 'all'):
            assert errors[f'two sightings, normalised by {cohort}'] < errors['two sightings']
        single = errors['look and sighting, learnt from single looks']
        assert errors['look and sighting'] < single

    def test_the_better_the_looks_the_more_are_found(self):
        good, bad = (open_set(make_looks(noise=noise), False) for noise in (0.5, 3.0))
        for rate, better, worse in zip((0.01, 0.1), good, bad):
            assert max(better.fpir, worse.fpir) <= rate
            assert better.tpir > worse.tpir

    def test_strangers_are_seldom_found(self):
        looks = make_looks(noise=0.7)
        calibration = fit_calibration(counts_of(looks))
        found = strangers(looks, make_looks(1, noise=0.7), calibration, False, (0.0, 0.5, 0.9))
        shares = [one.share for one in found]
        assert shares[0] == 1
        assert shares == sorted(shares, reverse=True)
        assert shares[2] < 0.3

    def test_groups_are_people(self):
        looks = make_looks(noise=0.5)
        calibration = fit_calibration(counts_of(looks))
        (one,) = group_sightings(looks, calibration, [0.8])
        assert one.figures.f_score > 0.9
        assert one.num_groups in (7, 8, 9)

    def test_diagram(self):
        values = np.linspace(0, 1, 50)
        measured = measure_reliability(values, values > 0.4)
        drawn = draw_reliability({'isotonic': measured}, 'footage')
        assert drawn.ndim == 3
        assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 10


def ranked(looks, feature, chosen):
    return sorted(chosen, key=lambda n: -float(looks.embeddings[n] @ feature))


class TestFeedback:
    def test_equals_loops(self):
        looks = make_looks(people=4)
        precisions = []
        for query in range(len(looks.frames)):
            others = [n for n in range(len(looks.frames)) if looks.tracks[n] != looks.tracks[query]]

            first = ranked(looks, looks.embeddings[query], others)[:3]
            right = [n for n in first if looks.people[n] == looks.people[query]]
            wrong = [n for n in first if n not in right]
            moved = refine_query(
                looks.embeddings[query], looks.embeddings[right], looks.embeddings[wrong]
            )
            order = ranked(looks, moved, [n for n in others if n not in first])
            hits = [looks.people[n] == looks.people[query] for n in order]
            shares = [sum(hits[: n + 1]) / (n + 1) for n, hit in enumerate(hits) if hit]
            precisions += [np.mean(shares)] if shares else []
        assert feedback_precision(looks, 3, 0.5) == pytest.approx(np.mean(precisions))

    def test_it_helps(self):
        looks = make_looks(noise=2.0)
        assert feedback_precision(looks, 5, 0.5) > feedback_precision(looks, 5, None)
