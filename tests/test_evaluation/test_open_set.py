"""Open-set rates, reliability, groups and feedback, against literal references."""

from __future__ import annotations

import numpy as np
import pytest

from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional import (
    b_cubed,
    group_people,
    measure_reliability,
    normalise_scores,
    open_set_points,
    refine_query,
    seen_together,
)
from mmclsa.structures import PAIR_BINS


class TestOpenSet:
    @pytest.mark.parametrize('decimals', [1, 6])
    def test_equals_trying_all_thresholds(self, decimals):
        rng = np.random.default_rng(decimals)
        right, wrong = rng.normal(1, 1, (2, 40)).round(decimals)
        absent = rng.normal(0, 1, 30).round(decimals)
        for rate in (0.0, 0.01, 0.1, 0.3, 0.5):
            (point,) = open_set_points(right, wrong, absent, (rate,))
            fpirs = {t: np.mean([score > t for score in absent]) for t in absent}
            lowest = min(t for t, fpir in fpirs.items() if fpir <= rate + 1e-12)
            found = [r > w and r > lowest for r, w in zip(right, wrong)]
            assert point.threshold == lowest
            assert point.fpir == fpirs[lowest] <= rate + 1e-12
            assert point.tpir == np.mean(found)

    def test_ties_count_against_the_search(self):
        (point,) = open_set_points(np.array([1.0, 0.5]), np.array([1.0, 0.0]), np.array([0.5]))[:1]
        assert point.tpir == 0

    def test_rate_of_a_product_that_is_not_exact(self):
        absent = np.arange(30) / 30
        (point,) = open_set_points(np.ones(1) * 2, np.zeros(1), absent, (0.1,))
        assert point.fpir == pytest.approx(0.1)

    def test_no_queries(self):
        with pytest.raises(ConfigError, match='not 0 and 3'):
            open_set_points(np.zeros(0), np.zeros(0), np.zeros(3))


class TestReliability:
    def test_equals_loops(self):
        rng = np.random.default_rng(0)
        predicted, truth = rng.random(200).round(2), rng.random(200) < 0.2
        weight = [0.5 / truth.sum() if one else 0.5 / (~truth).sum() for one in truth]
        ece = brier = log_loss = 0.0
        for place in range(10):
            inside = [n for n in range(200) if min(int(predicted[n] * 10), 9) == place]
            total = sum(weight[n] for n in inside)
            if total:
                mean = sum(weight[n] * predicted[n] for n in inside) / total
                share = sum(weight[n] * truth[n] for n in inside) / total
                ece += total * abs(mean - share)
        for n in range(200):
            brier += weight[n] * (predicted[n] - truth[n]) ** 2
            given = min(max(predicted[n], 1e-6), 1 - 1e-6)
            log_loss -= weight[n] * np.log(given if truth[n] else 1 - given)
        measured = measure_reliability(predicted, truth)
        assert measured.ece == pytest.approx(ece)
        assert measured.brier == pytest.approx(brier)
        assert measured.log_loss == pytest.approx(log_loss)

    def test_honest_probabilities_have_no_error(self):
        predicted = np.repeat([0.25, 0.75], 400)
        truth = np.concatenate([np.arange(400) < 100, np.arange(400) < 300])
        assert measure_reliability(predicted, truth).ece == pytest.approx(0)

    def test_one_kind_alone(self):
        with pytest.raises(ConfigError, match='pairs of two'):
            measure_reliability(np.ones(3), np.ones(3, bool))


class TestBCubed:
    def test_equals_loops(self):
        rng = np.random.default_rng(1)
        for _ in range(20):
            groups, people = rng.integers(0, 5, (2, 30))
            precision = recall = 0.0
            for i in range(30):
                group = [j for j in range(30) if groups[j] == groups[i]]
                person = [j for j in range(30) if people[j] == people[i]]
                both = [j for j in group if j in person]
                precision += len(both) / len(group) / 30
                recall += len(both) / len(person) / 30
            found = b_cubed(groups, people)
            assert found.precision == pytest.approx(precision)
            assert found.recall == pytest.approx(recall)
            assert found.f_score == pytest.approx(2 * precision * recall / (precision + recall))

    def test_ends(self):
        people = np.array([3, 3, 8, 9])
        assert b_cubed(people, people).f_score == 1
        assert b_cubed(np.arange(4), people).precision == 1
        assert b_cubed(np.zeros(4, int), people).recall == 1
        assert b_cubed(np.zeros(0, int), np.zeros(0, int)).f_score == 1


def literal_groups(similarities, apart, threshold):
    """Average linkage from its definition, pair by pair."""
    groups = [{n} for n in range(len(similarities))]
    while True:
        best, pair = -np.inf, None
        for i, one in enumerate(groups):
            for j in range(i + 1, len(groups)):
                links = [(a, b) for a in one for b in groups[j]]
                mean = np.mean([similarities[link] for link in links])
                if not any(apart[link] for link in links) and mean > best:
                    best, pair = mean, (i, j)
        if pair is None or best < threshold:
            return {frozenset(group) for group in groups}
        groups[pair[0]] |= groups.pop(pair[1])


def made_up_looks(seed: int, count: int = 24) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(6, 5))[rng.integers(0, 6, count)] + 0.7 * rng.normal(size=(count, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    apart = np.triu(rng.random((count, count)) < 0.15, 1)
    return vectors @ vectors.T, apart | apart.T


def as_sets(groups: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(groups == g).tolist()) for g in np.unique(groups)}


class TestGroups:
    @pytest.mark.parametrize('seed', range(6))
    def test_equals_the_definition(self, seed):
        similarities, apart = made_up_looks(seed)
        for threshold in (-2.0, 0.0, 0.4, 0.8):
            found = group_people(similarities, apart, threshold)
            assert as_sets(found) == literal_groups(similarities, apart, threshold)
            assert not apart[found[:, None] == found].any()

    def test_order_does_not_matter(self):
        similarities, apart = made_up_looks(9, 60)
        found = group_people(similarities, apart, 0.3)
        order = np.random.default_rng(0).permutation(60)
        again = group_people(similarities[np.ix_(order, order)], apart[np.ix_(order, order)], 0.3)
        assert {frozenset(order[list(group)].tolist()) for group in as_sets(again)} == as_sets(
            found
        )
        assert 1 < len(as_sets(found)) < 60

    def test_numbers_are_in_order_of_appearance(self):
        found = group_people(*made_up_looks(2), threshold=0.3)
        firsts = [int(np.flatnonzero(found == g)[0]) for g in range(found.max() + 1)]
        assert firsts == sorted(firsts)

    def test_the_most_alike_are_two_if_seen_at_once(self):
        similarities = np.array([[1, 0.99, 0.9], [0.99, 1, 0.8], [0.9, 0.8, 1]])
        apart = seen_together([np.array([1, 2]), np.array([2, 3]), np.array([4])])
        assert group_people(similarities, apart, 0.5).tolist() == [0, 1, 0]

    def test_few(self):
        assert group_people(np.zeros((0, 0))).tolist() == []
        assert group_people(np.ones((1, 1))).tolist() == [0]
        assert seen_together([]).shape == (0, 0)

    def test_input_is_left_as_it_was(self):
        similarities, apart = made_up_looks(3)
        before = similarities.copy()
        group_people(similarities, apart, 0.2)
        assert np.array_equal(similarities, before)

    def test_thousands_take_seconds(self):
        similarities, _ = made_up_looks(4, 1500)
        assert len(as_sets(group_people(similarities, None, 0.6))) < 1500


def test_seen_together_equals_loops():
    rng = np.random.default_rng(0)
    places = [rng.choice(40, rng.integers(1, 6), replace=False) for _ in range(25)]
    apart = seen_together(places)
    for i in range(25):
        for j in range(25):
            assert apart[i, j] == (i != j and bool(set(places[i]) & set(places[j])))


def test_two_boxes_on_one_person_may_be_one():
    """Boxes that overlap by more than 0.6 in every picture that both are in."""
    far, here, near = [50, 0, 60, 20], [0, 0, 10, 20], [1, 0, 11, 20]
    places = [np.array([1, 2]), np.array([2, 1]), np.array([1]), np.array([1, 3])]
    boxes = [np.array(each, float) for each in ([here, here], [near, near], [far], [near, here])]
    apart = seen_together(places, boxes)
    assert np.argwhere(np.triu(apart)).tolist() == [[0, 2], [1, 2], [2, 3]]
    assert np.array_equal(apart, apart.T)
    boxes[1][0] = far  # in picture 2 the two are apart
    assert seen_together(places, boxes)[0, 1]
    assert seen_together(places)[0, 1]


class TestNormalising:
    def test_laid_over_each_other(self):
        """Scores of others, once on another scale, are where the counted pairs are."""
        rng = np.random.default_rng(0)
        counted = rng.normal(0.4, 0.1, 50_000)
        different = np.histogram(counted, PAIR_BINS, (-1, 1))[0]
        cohort = 0.8 + 0.3 * (rng.normal(0.4, 0.1, 2000) - 0.4)
        found = normalise_scores(np.array([0.8, 0.8 + 0.03, 0.8 - 0.06]), cohort, different)
        assert np.abs(found - [0.4, 0.5, 0.2]).max() < 0.02

    def test_a_few_of_the_right_person_change_little(self):
        rng = np.random.default_rng(1)
        different = np.histogram(rng.normal(0.4, 0.1, 50_000), PAIR_BINS, (-1, 1))[0]
        cohort = rng.normal(0.4, 0.1, 500)
        with_his = np.concatenate([cohort, np.full(50, 0.95)])
        values = np.linspace(0, 1, 11)
        change = normalise_scores(values, with_his, different) - normalise_scores(
            values, cohort, different
        )
        assert np.abs(change).max() < 0.1

    def test_cohort_without_spread_is_shifted(self):
        different = np.ones(PAIR_BINS)
        found = normalise_scores(np.array([0.5, 0.6]), np.full(9, 0.5), different)
        assert found == pytest.approx([0.0, 0.1])


class TestFeedback:
    def test_confirmed_weigh_as_the_query(self):
        looks = np.eye(4)[:3]
        expected = looks.mean(axis=0) / np.linalg.norm(looks.mean(axis=0))
        none = np.zeros((0, 4))
        assert np.allclose(refine_query(looks[0], looks[1:], none), expected)
        assert np.allclose(refine_query(looks[0], looks[:0], none), looks[0])

    def test_rejected_become_less_alike(self):
        rng = np.random.default_rng(0)
        query, other = rng.normal(size=(2, 8))
        query, other = query / np.linalg.norm(query), other / np.linalg.norm(other)
        moved = refine_query(query, np.zeros((0, 8)), other[None])
        assert moved @ other < query @ other
        assert np.linalg.norm(moved) == pytest.approx(1)

    def test_nothing_is_left(self):
        query = np.array([1.0, 0.0])
        assert refine_query(query, np.zeros((0, 2)), query[None], 1.0).tolist() == [1, 0]
