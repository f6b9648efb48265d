"""Agreement of levels: against slow literal references."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmclsa.evaluation.functional import (
    SearchFlags,
    compare_rankings,
    evaluate_search,
    gallery_people,
    js_divergences,
    kl_divergences,
    level_gain,
    rank_correlations,
    split_levels,
    top_overlaps,
)
from tests.test_evaluation.cases import continuous, make_case, make_predictions

SEEDS = st.integers(0, 2**20)


def literal_softmax(logits):
    most = max(logits)
    parts = [math.exp(value - most) for value in logits]
    return [part / sum(parts) for part in parts]


def literal_kl(p, q):
    return sum(a * math.log2(a / b) for a, b in zip(p, q) if a > 0)


def literal_js(p, q):
    middle = [(a + b) / 2 for a, b in zip(p, q)]
    return (literal_kl(p, middle) + literal_kl(q, middle)) / 2


def literal_spearman(one, other):
    """Pearson's correlation of ranks; equal values share the mean of theirs."""

    def ranks(values):
        return [sum(o < v for o in values) + (sum(o == v for o in values) + 1) / 2 for v in values]

    a, b = ranks(one), ranks(other)
    mean = (len(a) + 1) / 2
    product = sum((x - mean) * (y - mean) for x, y in zip(a, b))
    lengths = [math.sqrt(sum((x - mean) ** 2 for x in values)) for values in (a, b)]
    return product / (lengths[0] * lengths[1]) if all(lengths) else math.nan


def literal_overlap(one, other, k):
    best = [
        {place for _, place in sorted((-value, place) for place, value in enumerate(values))[:k]}
        for values in (one, other)
    ]
    return len(best[0] & best[1]) / min(k, len(one)) if len(one) else math.nan


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@given(seed=SEEDS, scale=st.sampled_from([0.1, 3.0, 30.0]))
@settings(max_examples=40, deadline=None)
def test_divergences(seed, scale):
    a, b = scale * normal(seed, 2, 4, 6)
    pairs = [(literal_softmax(x), literal_softmax(y)) for x, y in zip(a.tolist(), b.tolist())]
    assert kl_divergences(a, b).tolist() == pytest.approx([literal_kl(*pair) for pair in pairs])
    assert js_divergences(a, b).tolist() == pytest.approx([literal_js(*pair) for pair in pairs])


def test_divergences_do_not_depend_on_what_does_not_matter():
    a, b = normal(0, 2, 5, 7)
    order = np.random.default_rng(1).permutation(7)
    for divergence in (js_divergences, kl_divergences):
        expected = divergence(a, b)
        assert divergence(a + 3, b - 70) == pytest.approx(expected), 'logits have no origin'
        assert divergence(a[:, order], b[:, order]) == pytest.approx(expected)
        assert divergence(a, a) == pytest.approx(np.zeros(5), abs=1e-12)
        assert (expected > 0).all()
        assert divergence(a.astype(np.float16), b).dtype == np.float64
    assert js_divergences(a, b) == pytest.approx(js_divergences(b, a))
    assert kl_divergences(a, b) != pytest.approx(kl_divergences(b, a))


def test_divergences_of_certain_predictions_are_finite():
    a, b = np.array([[1e4, 0.0, 0.0]]), np.array([[0.0, 1e4, 0.0]])
    assert js_divergences(a, b).tolist() == [1.0]
    assert kl_divergences(a, b)[0] == pytest.approx(1e4 / math.log(2))
    assert js_divergences(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)


@given(seed=SEEDS, count=st.integers(2, 9), k=st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_rankings_of_one_query(seed, count, k):
    """Whole numbers, so that many are equal."""
    values = np.random.default_rng(seed).integers(0, 4, (3, count)).astype(float)
    correlations, overlaps = rank_correlations(values), top_overlaps(values, k)
    for i in range(3):
        for j in range(3):
            expected = literal_spearman(values[i].tolist(), values[j].tolist())
            assert correlations[i, j] == pytest.approx(expected, abs=1e-12, nan_ok=True)
            assert overlaps[i, j] == literal_overlap(values[i].tolist(), values[j].tolist(), k)


def test_rankings_do_not_depend_on_the_scale_of_similarities():
    values = normal(2, 2, 50)
    found = rank_correlations(values)[0, 1]
    assert found == pytest.approx(stats.spearmanr(*values).statistic)
    assert rank_correlations(np.stack([np.exp(values[0]), 3 * values[1] - 9]))[0, 1] == found
    assert rank_correlations(np.stack([values[0], -values[0]]))[0, 1] == -1


def test_galleries_in_which_nothing_can_be_ranked():
    for similarities in (np.zeros((2, 0)), np.zeros((2, 1))):
        assert np.isnan(rank_correlations(similarities)).all()
    assert np.isnan(rank_correlations(np.array([[1.0, 1.0], [1.0, 2.0]]))[0, 1])
    assert np.isnan(top_overlaps(np.zeros((2, 0)))).all()
    assert (top_overlaps(np.zeros((2, 3)), k=10) == 1).all()


def test_gain():
    rng = np.random.default_rng(3)
    precisions, whole = rng.random((3, 20)), rng.random(20)
    ranks, whole_ranks = rng.integers(0, 3, (3, 20)), rng.integers(0, 3, 20)
    found = level_gain(precisions, ranks, whole, whole_ranks)
    means = [sum(level) / 20 for level in precisions.tolist()]
    assert found.levels == pytest.approx(means)
    assert found.gain == pytest.approx(sum(whole.tolist()) / 20 - max(means))
    assert found.top1 == pytest.approx([level.tolist().count(1) / 20 for level in ranks])
    assert found.concatenation_top1 == whole_ranks.tolist().count(1) / 20
    assert found.oracle_top1 == sum(1 in query for query in ranks.T.tolist()) / 20
    assert found.oracle == pytest.approx(sum(max(query) for query in precisions.T.tolist()) / 20)
    assert level_gain(np.zeros((2, 0)), np.zeros((2, 0)), np.zeros(0), []).levels == (0, 0)


@given(seed=SEEDS, listed=st.booleans(), cross=st.booleans())
@settings(max_examples=40, deadline=None)
def test_rankings_of_a_protocol(seed, listed, cross):
    scenes, task, low = make_case(seed, listed=listed)
    other = make_predictions(seed + 5, scenes, task, per_image=9)
    rows = np.arange(len(low.images)) % max(len(other.images), 1)
    high = replace(
        low,
        embeddings=other.embeddings[rows] if len(other.images) else low.embeddings,
        query_embeddings=other.query_embeddings,
    )
    flags = SearchFlags(camera='cross' if cross else 'protocol')
    found = compare_rankings(task, [low, high], flags, k=3)
    searched = task.with_camera_rule(flags.camera)
    for query in range(len(task)):
        members = [
            row
            for image in dict.fromkeys(searched.gallery(query).tolist())
            for row in np.flatnonzero(low.images == task.images[image])
            if low.scores[row] >= 0.5
        ]
        a, b = (
            [float(level.embeddings[row] @ level.query_embeddings[query]) for row in members]
            for level in (low, high)
        )
        spearman = literal_spearman(a, b) if len(a) > 1 else math.nan
        assert found['spearman'][0, 1, query] == pytest.approx(spearman, abs=1e-6, nan_ok=True)
        for name, k in (('overlap', 3), ('same_nearest', 1)):
            expected = literal_overlap(a, b, k)
            assert found[name][1, 0, query] == pytest.approx(expected, nan_ok=True)


def test_levels_side_by_side_are_taken_apart():
    _, task, low = make_case(4, images=9, queries=6)
    low, high = continuous(4, low), continuous(5, low)
    both = replace(
        low,
        context=None,
        embeddings=np.hstack([5 * low.embeddings, high.embeddings]),
        query_embeddings=np.hstack([7 * low.query_embeddings, high.query_embeddings]),
    )
    *levels, whole = split_levels(both, 2)
    cosine = SearchFlags(similarity='cosine')
    for level, alone in zip(levels, (low, high)):
        assert np.linalg.norm(level.embeddings, axis=1) == pytest.approx(1)
        expected = evaluate_search(task, alone, cosine)
        assert evaluate_search(task, level).average_precisions.tolist() == pytest.approx(
            expected.average_precisions.tolist()
        )
    assert np.linalg.norm(whole.query_embeddings, axis=1) == pytest.approx(1)
    products = [part.embeddings @ part.query_embeddings.T for part in levels]
    assert whole.embeddings @ whole.query_embeddings.T == pytest.approx(sum(products) / 2)


def test_who_is_compared():
    _, task, found = make_case(6)
    people = gallery_people(task, found, SearchFlags(similarity='cosine', det_thresh=0.7))
    order = np.argsort([task.index(str(image)) for image in found.images], kind='stable')
    kept = [row for row in order if found.scores[row] >= 0.7]
    expected = np.concatenate([found.embeddings[kept], found.query_embeddings])
    assert people.tolist() == expected.tolist(), 'as they are, not normalised'
