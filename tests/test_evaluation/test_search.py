"""Search against the literal loop, and what must not change it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmclsa.errors import UserError
from mmclsa.evaluation.functional import (
    SearchFlags,
    average_precision,
    evaluate_search,
    evaluate_searches,
    match_threshold,
)
from mmclsa.evaluation.functional.flags import CHOICES
from mmclsa.structures import Predictions, Query, SearchProtocol
from tests.test_evaluation.cases import continuous, make_case
from tests.test_evaluation.reference import box_iou, reference_ap, reference_search

SEEDS = st.integers(0, 2**20)
FEW = settings(max_examples=40, deadline=None)


def take(predictions, rows):
    return replace(
        predictions,
        images=predictions.images[rows],
        boxes=predictions.boxes[rows],
        scores=predictions.scores[rows],
        embeddings=predictions.embeddings[rows],
    )


def same(one, other):
    np.testing.assert_array_equal(one.average_precisions, other.average_precisions)
    np.testing.assert_array_equal(one.ranks, other.ranks)


FLAGS = st.builds(
    SearchFlags,
    det_thresh=st.sampled_from([0.2, 0.5, 0.7]),
    **{
        name: st.sampled_from(CHOICES[name])
        for name in (
            'iou_rule', 'duplicates', 'camera', 'query_feature', 'missing_query', 'similarity',
        )
    },
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(seed=SEEDS, listed=st.booleans(), flags=FLAGS)
def test_equals_the_literal_loop(seed, listed, flags):
    _, protocol, predictions = make_case(seed, listed=listed)
    if flags.similarity != 'dot':
        predictions = continuous(seed, predictions)  # Normalised, whole numbers tie no more.
    result = evaluate_search(protocol, predictions, flags)
    precisions, ranks, counted = reference_search(protocol, predictions, flags)
    np.testing.assert_allclose(result.average_precisions, precisions, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(result.ranks, ranks)
    kept = precisions[counted]
    mean = kept.mean() if len(kept) else 0.0
    assert result.mean_average_precision == pytest.approx(mean, abs=1e-12)


@FEW
@given(seed=SEEDS, listed=st.booleans(), chunk=st.integers(1, 4000), cbgm=st.booleans())
def test_chunks_of_queries_do_not_matter(seed, listed, chunk, cbgm):
    _, protocol, predictions = make_case(seed, listed=listed)
    flags = SearchFlags(cbgm=cbgm)
    whole = evaluate_search(protocol, predictions, flags)
    same(evaluate_search(protocol, predictions, flags, chunk_bytes=chunk), whole)


@FEW
@given(seed=SEEDS)
def test_order_of_images_in_the_predictions_does_not_matter(seed):
    _, protocol, predictions = make_case(seed)
    rng = np.random.default_rng(seed)
    names = rng.permutation(protocol.images)
    rows = np.concatenate([np.flatnonzero(predictions.images == n) for n in names])
    same(evaluate_search(protocol, take(predictions, rows)), evaluate_search(protocol, predictions))


@FEW
@given(seed=SEEDS, listed=st.booleans())
def test_order_of_detections_does_not_move_ap_without_ties(seed, listed):
    _, protocol, predictions = make_case(seed, listed=listed)
    rng = np.random.default_rng(seed)
    predictions = continuous(seed, predictions)
    rows = rng.permutation(len(predictions.scores))
    one = evaluate_search(protocol, predictions)
    other = evaluate_search(protocol, take(predictions, rows))
    np.testing.assert_allclose(one.average_precisions, other.average_precisions, atol=1e-12)
    np.testing.assert_array_equal(one.ranks, other.ranks)


@FEW
@given(seed=SEEDS, cbgm=st.booleans(), rerank=st.booleans())
def test_order_of_the_gallery_does_not_matter_without_ties(seed, cbgm, rerank):
    _, protocol, predictions = make_case(seed)
    predictions = continuous(seed, predictions)
    rng = np.random.default_rng(seed)
    galleries = [rng.permutation(protocol.gallery(query)) for query in range(len(protocol))]
    moved = replace(protocol, gallery_images=np.concatenate(galleries), _index={})
    flags = SearchFlags(cbgm=cbgm, rerank=rerank, rerank_k1=3)
    one, other = (evaluate_search(task, predictions, flags) for task in (protocol, moved))
    np.testing.assert_allclose(one.average_precisions, other.average_precisions, atol=1e-12)
    np.testing.assert_array_equal(one.ranks, other.ranks)


@FEW
@given(seed=SEEDS, listed=st.booleans())
def test_tasks_share_nothing_but_time(seed, listed):
    """Evaluated together, tasks have the figures that they have alone."""
    _, protocol, predictions = make_case(seed, listed=listed)
    everything = replace(protocol, gallery_offsets=None, gallery_images=None, _index={})
    tasks = [protocol, everything, protocol.with_camera_rule('cross')]
    for task, result in zip(tasks, evaluate_searches(tasks, predictions)):
        same(result, evaluate_search(task, predictions))


@FEW
@given(seed=SEEDS, listed=st.booleans())
def test_a_distractor_never_raises_ap(seed, listed):
    """A detection in an image without the person can only push matches down."""
    scenes, protocol, predictions = make_case(seed, listed=listed)
    before = evaluate_search(protocol, predictions)
    rng = np.random.default_rng(seed)
    place = int(rng.integers(len(scenes)))
    more = Predictions(
        images=np.append(predictions.images, scenes[place].image),
        boxes=np.concatenate([predictions.boxes, [[0.0, 0, 1, 1]]]),
        scores=np.append(predictions.scores, 0.9),
        embeddings=np.concatenate([predictions.embeddings, rng.integers(-2, 3, (1, 3))]),
        query_images=predictions.query_images,
        query_boxes=predictions.query_boxes,
        query_embeddings=predictions.query_embeddings,
    )
    after = evaluate_search(protocol, more)
    assert (after.average_precisions <= before.average_precisions + 1e-12).all()


@FEW
@given(seed=SEEDS)
def test_losing_a_hit_never_raises_ap(seed):
    """With at most one detection an image nothing can take the place of a lost match."""
    _, protocol, predictions = make_case(seed)
    _, first = np.unique(predictions.images, return_index=True)
    predictions = take(predictions, first)
    before = evaluate_search(protocol, predictions).average_precisions
    for query in range(len(protocol)):
        for number, box in zip(*protocol.truth(query)):
            lost = np.flatnonzero(predictions.images == protocol.images[number])
            if box_iou(predictions.boxes[lost[0]], box) >= match_threshold(box) if len(lost) else 0:
                rest = np.delete(np.arange(len(predictions.scores)), lost)
                after = evaluate_search(protocol, take(predictions, rest)).average_precisions
                assert after[query] <= before[query] + 1e-12


@FEW
@given(seed=SEEDS)
def test_detections_below_the_threshold_do_not_exist(seed):
    _, protocol, predictions = make_case(seed)
    kept = np.flatnonzero(predictions.scores >= 0.7)
    same(
        evaluate_search(protocol, predictions, SearchFlags(det_thresh=0.7)),
        evaluate_search(protocol, take(predictions, kept), SearchFlags(det_thresh=0.0)),
    )


@FEW
@given(
    labels=st.lists(st.booleans(), min_size=1, max_size=30),
    levels=st.integers(1, 6),
    missed=st.integers(0, 3),
    seed=SEEDS,
)
def test_average_precision_equals_the_walk(labels, levels, missed, seed):
    scores = np.random.default_rng(seed).integers(0, levels, len(labels)) / 4
    truths = sum(labels) + missed
    got = average_precision(np.array(labels), scores, truths)
    assert got == pytest.approx(reference_ap(labels, scores.tolist(), truths), abs=1e-12)


BOX = np.array([0.0, 0.0, 40.0, 80.0])


def simple(galleries, truths, images=('q', 'a', 'b')):
    return SearchProtocol.build('hand', images, [Query('q', BOX, 0)], truths, galleries)


def found(*rows):
    """Detections (image, similarity) on the person, or beside with ``None`` as box."""
    return Predictions(
        images=np.array([row[0] for row in rows], dtype='U1'),
        boxes=np.array([BOX + (0 if row[2] else 500) for row in rows]).reshape(-1, 4),
        scores=np.ones(len(rows)),
        embeddings=np.array([[row[1]] for row in rows], dtype=np.float64).reshape(-1, 1),
        query_images=np.array(['q']),
        query_boxes=BOX[None],
        query_embeddings=np.ones((1, 1)),
    )


def test_a_repeated_gallery_image_is_searched_once_and_counted_twice():
    task = simple([['a', 'a', 'b']], [[('a', BOX), ('a', BOX)]])
    result = evaluate_search(task, found(('a', 0.9, True), ('b', 0.1, False)))
    assert result.average_precisions.tolist() == [0.5]
    assert result.ranks.tolist() == [1]


def test_only_the_most_similar_detection_on_the_person_is_right():
    task = simple([['a', 'b']], [[('a', BOX), ('b', BOX)]])
    predictions = found(('a', 0.9, True), ('a', 0.8, True), ('b', 0.7, True))
    # Places: right, wrong (a second box on the same person), right.
    assert evaluate_search(task, predictions).average_precisions.tolist() == [(1 + 2 / 3) / 2]


def test_nothing_detected_and_nobody_to_find_give_zero():
    task = simple([['a', 'b']], [[('a', BOX)]])
    result = evaluate_search(task, found())
    assert result.average_precisions.tolist() == [0.0]
    assert result.ranks.tolist() == [0]
    nobody = simple([['a', 'b']], [[]])
    result = evaluate_search(nobody, found(('a', 0.9, True)))
    assert (result.mean_average_precision, result.top(10)) == (0.0, 0.0)


def test_ties_keep_the_order_of_the_gallery():
    task = simple([['b', 'a']], [[('a', BOX)]])
    predictions = found(('a', 0.5, True), ('b', 0.5, False))
    result = evaluate_search(task, predictions)
    assert result.ranks.tolist() == [2]
    assert result.average_precisions.tolist() == [0.5]


def test_images_outside_the_protocol_are_left_out():
    task = simple([['a']], [[('a', BOX)]])
    predictions = found(('x', 0.9, True), ('b', 0.9, True), ('a', 0.1, True))
    assert evaluate_search(task, predictions).average_precisions.tolist() == [1.0]


def test_threshold_falls_for_small_people():
    assert match_threshold(np.array([0.0, 0, 100, 200])) == 0.5
    assert match_threshold(np.array([0.0, 0, 10, 30])) == pytest.approx(300 / (20 * 40))
    assert match_threshold(np.array([0.0, 0, 100, 200]), 0.4) == 0.4


def test_a_task_of_another_data_set_is_refused():
    task = simple([['a']], [[('a', BOX)]])
    predictions = found(('a', 0.9, True))
    with pytest.raises(UserError, match='query 0 of protocol hand lies in image q'):
        evaluate_search(task, replace(predictions, query_images=np.array(['z'])))
    none = replace(
        predictions,
        query_images=np.zeros(0, 'U1'),
        query_boxes=np.zeros((0, 4)),
        query_embeddings=np.zeros((0, 1)),
    )
    with pytest.raises(UserError, match='query 0 of protocol hand has no embedding'):
        evaluate_search(task, none)
    zeros = replace(predictions, query_embeddings=np.zeros((1, 1)))
    with pytest.raises(UserError, match='query 0 in image q must have an embedding'):
        evaluate_search(task, zeros)
