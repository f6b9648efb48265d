"""Rankings of single queries: in the metric's order, whatever its flags."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmclsa.errors import UserError
from mmclsa.evaluation.functional import (
    SearchFlags,
    evaluate_search,
    flags_of_metric,
    rank_queries,
    select_queries,
)
from tests.test_evaluation.cases import make_case, tiny_case


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**20), listed=st.booleans())
def test_right_hits_are_those_of_the_metric(seed, listed):
    """Rank and, from the flags alone, average precision; with ties and repeated images."""
    _, protocol, predictions = make_case(seed, listed=listed)
    result = evaluate_search(protocol, predictions)
    for query in range(len(protocol)):
        hits = rank_queries(protocol, predictions, [query])[0]
        first = int(hits.right.argmax()) + 1 if hits.right.any() else 0
        assert first == result.ranks[query]
        assert (np.diff(hits.similarities) <= 0).all()
        assert hits.num_truths == len(protocol.truth(query)[0])
        if len(np.unique(hits.similarities)) == len(hits.similarities) and hits.num_truths:
            places = np.flatnonzero(hits.right)
            precision = np.arange(1, len(places) + 1) / (places + 1)
            expected = precision.sum() / hits.num_truths
            assert result.average_precisions[query] == pytest.approx(expected, abs=1e-12)


def test_the_most_similar_detection_on_the_person_is_right():
    task, found = tiny_case()
    (hits,) = rank_queries(task, found, [0])
    assert hits.rows.tolist() == [1, 0, 2]
    assert hits.right.tolist() == [True, False, False]


def test_detections_below_the_threshold_are_not_searched():
    task, found = tiny_case()
    strict, stricter = (
        rank_queries(task, found, [0], SearchFlags(det_thresh=value))[0] for value in (0.85, 0.95)
    )
    assert strict.rows.tolist() == [0]
    assert strict.right.tolist() == [True]
    assert len(stricter) == 0
    assert stricter.num_truths == 1


def test_longer_embeddings_come_first_only_by_dot_product():
    """Preset gfn compares cosines: pictures used to show another order than the metric's."""
    task, found = tiny_case()
    found = replace(
        found,
        embeddings=np.array([[1.0, 0.0], [0.0, 1.0], [4.0, 4.0]]),
        query_embeddings=np.array([[1.0, 0.0]]),
    )
    for name, first in (('seqnet', 2), ('gfn', 0)):
        (flags,) = flags_of_metric(dict(type='PersonSearchMetric', preset=name))
        (ranking,) = rank_queries(task, found, [0], flags)
        assert ranking.rows[0] == first
        assert ranking.first_right == evaluate_search(task, found, flags).ranks[0]


FLAGS = {
    'cosine': dict(similarity='cosine'),
    'score_weighted': dict(similarity='score_weighted'),
    'double': dict(duplicates='double'),
    'dedup': dict(duplicates='dedup'),
    'matched_det': dict(query_feature='matched_det'),
    'cbgm': dict(cbgm=True, k1=5, k2=2),
    'expand': dict(expand=2),
    'rerank': dict(rerank=True, rerank_k1=4, rerank_k2=2),
    'fixed': dict(iou_rule='fixed', max_iou_thresh=0.4),
}


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**20), name=st.sampled_from(sorted(FLAGS)), listed=st.booleans())
def test_places_are_those_of_the_metric_whatever_the_flags(seed, name, listed):
    _, protocol, predictions = make_case(seed, listed=listed)
    flags = SearchFlags(**FLAGS[name])
    result = evaluate_search(protocol, predictions, flags)
    order = np.random.default_rng(seed).permutation(len(protocol)).tolist()
    rankings = rank_queries(protocol, predictions, order, flags)
    assert [ranking.query for ranking in rankings] == order
    for ranking in rankings:
        assert ranking.first_right == result.ranks[ranking.query]
        hits = result.hits.queries == ranking.query
        assert ranking.num_found == hits.sum()
        assert sorted(ranking.similarities[ranking.right].tolist()) == sorted(
            np.repeat(result.hits.similarities[hits], result.hits.weights[hits]).tolist()
        )


def test_flags_of_a_metric_in_a_config():
    metric = dict(type='PersonSearchMetric', det_thresh=[0.5, 0.2], height_edges=(50.0,), cbgm=True)
    flags = flags_of_metric(metric)
    assert [f.det_thresh for f in flags] == [0.5, 0.2]
    assert all(f.cbgm for f in flags)
    metric = dict(type='PersonSearchMetric', preset='alignps', dataset='prw')
    assert flags_of_metric(metric)[0].det_thresh == 0.15


def test_choice_of_queries():
    precisions = np.array([0.5, np.nan, 0.1, 0.9])
    assert select_queries(precisions, 4, 'worst').tolist() == [2, 0, 3, 1]
    assert select_queries(precisions, 4, 'best').tolist() == [3, 0, 2, 1]
    assert select_queries(precisions, 2, 'first').tolist() == [0, 1]
    some = select_queries(precisions, 3, 'random', seed=5)
    assert len(set(some.tolist())) == 3
    assert some.tolist() == select_queries(precisions, 3, 'random', seed=5).tolist()
    with pytest.raises(UserError, match=r"which must be one of .*, but is 'nicest'"):
        select_queries(precisions, 3, 'nicest')
    with pytest.raises(UserError, match='num must be at least 1, but is 0'):
        select_queries(precisions, 0)
