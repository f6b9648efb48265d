"""Paired tests: against slow literal ones, and on data whose answer is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmclsa.evaluation.functional.paired import compare_pairs, holm, sign_flip_p


def literal_sign_flip(values):
    """Every pattern of signs, one after the other."""
    observed, as_far, patterns = abs(sum(values)), 0, 0
    for signs in itertools.product((1, -1), repeat=len(values)):
        patterns += 1
        total = abs(sum(sign * value for sign, value in zip(signs, values)))
        as_far += total >= observed - 1e-9 * sum(abs(v) for v in values)
    return as_far / patterns


def literal_holm(p_values):
    corrected = []
    for value in p_values:
        smaller = [other for other in p_values if other <= value]
        # The largest of all steps up to this one, each times how many are left.
        steps = [other * (len(p_values) - sum(o < other for o in p_values)) for other in smaller]
        corrected.append(min(1.0, max(steps)))
    return corrected


@given(st.lists(st.floats(-1, 1).map(lambda v: round(v, 3)), min_size=1, max_size=9))
@settings(max_examples=60, deadline=None)
def test_sign_flip_is_exact_for_few(values):
    assert sign_flip_p(np.array(values)) == pytest.approx(literal_sign_flip(values))


def test_sampled_sign_flip_is_near_the_exact_one():
    values = np.random.default_rng(0).normal(0.4, 1, 13)
    exact = literal_sign_flip(values.tolist())
    sampled = sign_flip_p(values, flips=4000, seed=1)
    assert sampled == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000))
    assert sampled >= 1 / 4001
    assert sign_flip_p(values, flips=4000, seed=1) == sampled
    assert sign_flip_p(-values, flips=4000, seed=1) == sampled


def test_sign_flip_without_values():
    assert sign_flip_p(np.zeros(0)) == 1
    assert sign_flip_p(np.zeros(5)) == 1
    assert sign_flip_p(np.zeros(50)) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm(p_values):
    assert holm(p_values).tolist() == pytest.approx(literal_holm(p_values))
    assert (holm(p_values) >= np.array(p_values)).all()


def false_alarms(seed_spread, person_spread, p_of, trials=300):
    """Share of p < 0.05 where no setting is better than another."""
    rng, alarms = np.random.default_rng(3), 0
    people = np.repeat(np.arange(12), 3)
    for _ in range(trials):
        base = rng.uniform(0, 1, (3, 36))
        change = seed_spread * rng.normal(size=(3, 1)) + 0.02 * rng.normal(size=(3, 36))
        change = change + person_spread * rng.normal(size=12)[people]
        alarms += p_of(compare_pairs(base + change, base, people, flips=299)) < 0.05
    return alarms / trials


def test_false_alarms_are_as_rare_as_promised():
    """Also where three queries of a person share their luck, or a training has its own."""
    assert false_alarms(0.0, 0.1, lambda found: found.p_queries) < 0.09
    assert false_alarms(0.0, 0.1, lambda found: found.p_both) < 0.09
    assert false_alarms(0.1, 0.0, lambda found: found.p_both) < 0.09
    # What p_queries does not ask: whether another training would do so too.
    assert false_alarms(0.1, 0.0, lambda found: found.p_queries) > 0.5


def test_a_true_difference_is_seen():
    rng = np.random.default_rng(0)
    base = rng.uniform(0, 1, (3, 60))
    better = base + 0.1 + 0.02 * rng.normal(size=(3, 60))
    found = compare_pairs(better, base, np.arange(60) // 2)
    assert found.mean == pytest.approx(0.1, abs=0.01)
    assert found.p_queries < 0.001
    assert found.p_both < 0.02
    worse = compare_pairs(base, better, np.arange(60) // 2)
    assert worse.mean == -found.mean
    assert (worse.p_queries, worse.p_both) == (found.p_queries, found.p_both)


def test_without_spread_over_people_it_is_the_t_test_over_seeds():
    per_seed = np.array([0.10, 0.14, 0.09, 0.12])
    base = np.random.default_rng(0).uniform(0, 1, (4, 6))
    found = compare_pairs(base + per_seed[:, None], base, np.arange(6))
    assert found.p_both == pytest.approx(stats.ttest_1samp(per_seed, 0).pvalue)
    np.testing.assert_allclose(found.per_seed, per_seed)


def test_without_spread_over_seeds_it_is_the_t_test_over_people():
    per_query = np.array([0.1, 0.3, -0.1, 0.2, 0.25])
    base = np.random.default_rng(0).uniform(0, 1, (7, 5))
    found = compare_pairs(base + per_query, base, np.arange(5))
    t, freedom = stats.ttest_1samp(per_query, 0).statistic, min(7, 5) - 1
    assert found.p_both == pytest.approx(2 * stats.t.sf(abs(t), freedom))


def test_queries_of_one_person_are_one_observation():
    """Asking for the same people twice makes nothing surer."""
    rng = np.random.default_rng(0)
    base, ours = rng.uniform(0, 1, (2, 3, 8))
    people = np.arange(8)
    once = compare_pairs(ours, base, people)
    twice = compare_pairs(np.tile(ours, 2), np.tile(base, 2), np.tile(people, 2))
    assert twice.p_queries == once.p_queries
    assert twice.p_both == pytest.approx(once.p_both)
    assert twice.mean == pytest.approx(once.mean)
    assert (once.queries, twice.queries) == (8, 16)


def test_queries_that_do_not_count_are_left_out():
    rng = np.random.default_rng(0)
    base, ours = rng.uniform(0, 1, (2, 2, 6))
    ours[1, 2] = base[0, 4] = np.nan
    kept = [0, 1, 3, 5]
    found = compare_pairs(ours, base, np.arange(6))
    assert found == compare_pairs(ours[:, kept], base[:, kept], np.array(kept))
    none = compare_pairs(ours * np.nan, base, np.arange(6))
    assert (none.queries, none.mean, none.p_queries, none.p_both) == (0, 0.0, 1.0, 1.0)


def test_one_seed_tells_nothing_about_trainings():
    base = np.zeros((1, 30))
    found = compare_pairs(base + 0.1, base, np.arange(30))
    assert (found.p_both, found.error) == (1, np.inf)


def test_shapes_must_fit():
    with pytest.raises(ValueError, match=r'\(S, Q\)'):
        compare_pairs(np.zeros((2, 3)), np.zeros((2, 3)), np.arange(4))
    with pytest.raises(ValueError, match=r'tested \(3,\)'):
        compare_pairs(np.zeros((2, 3)), np.zeros((2, 3)), np.arange(3), np.ones(3, bool))


def test_crossed_seeds_give_what_they_gave_before_folds_were_known():
    """Figures of the function of commit cee8e2e."""
    ours, base = np.random.default_rng(7).uniform(0, 1, (2, 3, 40))
    found = compare_pairs(ours + 0.05, base, np.arange(40) // 3)
    assert found.mean == pytest.approx(0.029689076234973515, abs=1e-12)
    per_seed = (-0.014101422970102011, 0.09655303183867579, 0.006615619836346759)
    assert found.per_seed == pytest.approx(per_seed, abs=1e-12)
    assert (found.queries, found.p_queries) == (40, 0.3378)
    assert found.p_both == pytest.approx(0.47420984213000655, abs=1e-12)
    few = compare_pairs(ours[:, :12], base[:, :12], np.arange(12) // 2)
    assert (few.queries, few.p_queries) == (12, 0.78125)
    assert few.p_both == pytest.approx(0.8185490919970242, abs=1e-12)


def literal_comparison(ours, base, people, tested):
    """Cell by cell: mean, mean of each seed, standard error, p of both."""
    seeds, queries = ours.shape
    kept = []
    for q in range(queries):
        cells = [s for s in range(seeds) if tested[s, q]]
        if cells and all(np.isfinite(ours[s, q] - base[s, q]) for s in cells):
            kept.append(q)
    cells = [(s, q) for s in range(seeds) for q in kept if tested[s, q]]
    values = {(s, q): ours[s, q] - base[s, q] for s, q in cells}
    mean = sum(values.values()) / len(cells)
    per_seed = []
    for s in range(seeds):
        of_seed = [value for (seed, _), value in values.items() if seed == s]
        per_seed.append(sum(of_seed) / len(of_seed) if of_seed else np.nan)

    def variance(group, corrected=True):
        sums = {}
        for (s, q), value in values.items():
            key = group(s, people[q])
            sums[key] = sums.get(key, 0) + (value - mean) / len(cells)
        factor = len(sums) / (len(sums) - 1) if corrected else 1
        return factor * sum(total**2 for total in sums.values())

    of_seeds, of_people = variance(lambda s, p: s), variance(lambda s, p: p)
    total = of_seeds + of_people - variance(lambda s, p: (s, p), corrected=False)
    seeds_of = {}
    for s, q in cells:
        seeds_of.setdefault(people[q], set()).add(s)
    if all(len(found) == 1 for found in seeds_of.values()):
        total = of_seeds
    else:
        total = max(total, of_seeds, of_people)
    freedom = min(len({s for s, _ in cells}), len(seeds_of)) - 1
    return mean, per_seed, total**0.5, 2 * stats.t.sf(abs(mean) / total**0.5, freedom)


def folds(sizes, queries=2):
    """Nested seeds: people (Q,) and which seed tested which query (S, Q)."""
    owners = np.repeat(np.arange(len(sizes)), sizes)
    people = np.repeat(np.arange(sum(sizes)), queries)
    return people, owners[people] == np.arange(len(sizes))[:, None]


@pytest.mark.parametrize('design', ['crossed', 'nested', 'two seeds a fold', 'anyhow'])
def test_every_design_against_a_literal_one(design):
    rng = np.random.default_rng(5)
    for _ in range(10):
        people, tested = folds((4, 7, 3, 5), queries=3)
        if design == 'crossed':
            tested = np.ones_like(tested)
        elif design == 'two seeds a fold':
            tested = np.repeat(tested[:2], 2, 0)
        elif design == 'anyhow':
            tested = rng.uniform(size=tested.shape) < 0.6
        ours, base = rng.uniform(0, 1, (2, *tested.shape))
        ours[0, 1] = base[2, 40] = np.nan
        mean, per_seed, error, p_both = literal_comparison(ours, base, people, tested)
        unseen = np.where(tested, ours, np.nan), np.where(tested, base, np.nan)
        for values in ((ours, base), unseen):
            found = compare_pairs(*values, people, tested)
            assert found.mean == pytest.approx(mean)
            np.testing.assert_allclose(found.per_seed, per_seed)
            assert found.error == pytest.approx(error)
            assert found.p_both == pytest.approx(p_both)


def test_people_of_folds_flip_their_signs_apart():
    people, tested = folds((2, 3), queries=1)
    change = np.array([0.3, -0.1, 0.2, 0.25, 0.4])
    base = np.full((2, 5), 0.5)
    found = compare_pairs(base + change, base, people, tested)
    assert found.p_queries == pytest.approx(literal_sign_flip(change.tolist()))
    assert found.mean == pytest.approx(change.mean()), 'a mean over queries, not over folds'
    assert found.per_seed == pytest.approx((0.1, 0.85 / 3))


def nested_alarms(seed_spread, person_spread, p_of, trials=400):
    """Share of p < 0.05 where no setting is better, with folds as large as those of the bed."""
    rng, alarms = np.random.default_rng(4), 0
    people, tested = folds((42, 31, 25, 17, 30), queries=3)
    for _ in range(trials):
        base = rng.uniform(0, 1, tested.shape)
        change = seed_spread * rng.normal(size=(5, 1)) + 0.05 * rng.normal(size=tested.shape)
        change = change + person_spread * rng.normal(size=145)[people]
        alarms += p_of(compare_pairs(base + change, base, people, tested, flips=199)) < 0.05
    return alarms / trials


def test_false_alarms_of_folds_are_as_rare_as_promised_and_no_rarer():
    for seed_spread, person_spread in ((0.0, 0.0), (0.0, 0.1), (0.1, 0.0), (0.05, 0.1)):
        alarms = nested_alarms(seed_spread, person_spread, lambda found: found.p_both)
        assert 0.02 <= alarms <= 0.08, (seed_spread, person_spread)
    assert 0.02 <= nested_alarms(0.0, 0.1, lambda found: found.p_queries) <= 0.08
    assert nested_alarms(0.1, 0.0, lambda found: found.p_queries) > 0.5


def test_a_seed_without_queries():
    people, tested = folds((3, 3, 2))
    ours, base = np.random.default_rng(0).uniform(0, 1, (2, *tested.shape))
    ours[2] = np.nan
    found, two = (compare_pairs(ours, base, people, tested), folds((3, 3)))
    assert found.queries == 12
    assert np.isnan(found.per_seed[2])
    kept = compare_pairs(ours[:2, :12], base[:2, :12], *two)
    assert (found.mean, found.error, found.p_both) == (kept.mean, kept.error, kept.p_both)
