"""Both ways of counting against the literal loop: one product for all, and one an image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmclsa.evaluation.functional import SearchFlags, evaluate_search, similarity
from mmclsa.evaluation.functional.candidates import Candidates
from mmclsa.evaluation.functional.counting import Steps
from mmclsa.evaluation.functional.gallery import Gallery
from mmclsa.evaluation.functional.hits import find_hits
from mmclsa.evaluation.functional.search import Asked, search_in_chunks
from mmclsa.structures import Predictions, Query, SearchProtocol
from tests.test_evaluation.cases import make_case
from tests.test_evaluation.reference import reference_search

SEEDS = st.integers(0, 2**20)
FEW = settings(max_examples=60, deadline=None)
DUPLICATES = st.sampled_from(['legacy', 'dedup', 'double'])


@pytest.fixture(params=[0.0, 2.0], ids=['all', 'listed'])
def way(request, monkeypatch):
    """Take one way, whatever the size of the galleries."""
    monkeypatch.setattr(similarity, 'DENSE_SHARE', request.param)
    return request.param


@pytest.mark.parametrize('share', [0.0, 2.0])
@FEW
@given(seed=SEEDS, duplicates=DUPLICATES, chunk=st.integers(1, 4000))
def test_equals_the_literal_loop(share, seed, duplicates, chunk):
    """Whole-number embeddings, so that many detections tie, in galleries that repeat images."""
    flags = SearchFlags(duplicates=duplicates, det_thresh=0.2)
    _, protocol, predictions = make_case(seed, listed=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, 'DENSE_SHARE', share)
        result = evaluate_search(protocol, predictions, flags, chunk_bytes=chunk)
    precisions, ranks, _ = reference_search(protocol, predictions, flags)
    np.testing.assert_allclose(result.average_precisions, precisions, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(result.ranks, ranks)


@pytest.mark.parametrize('share', [0.0, 2.0])
@FEW
@given(seed=SEEDS, listed=st.booleans(), duplicates=DUPLICATES)
def test_every_hit_is_that_of_the_listed_pairs(share, seed, listed, duplicates):
    """Search with a second look lists and sorts all pairs: without one it finds the same."""
    _, protocol, predictions = make_case(seed, listed=listed)
    flags = SearchFlags(duplicates=duplicates)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, 'DENSE_SHARE', share)
        counted = evaluate_search(protocol, predictions, flags).hits
    gallery = Gallery.of(protocol, predictions, flags)
    asked = Asked.of([protocol], predictions, flags)
    ((_, candidates, values),) = search_in_chunks([protocol], predictions, asked, gallery, flags)
    assert isinstance(candidates, Candidates)
    listed_hits = find_hits(candidates, values, protocol, gallery, flags)
    for name in ('queries', 'truths', 'similarities', 'places', 'at_least', 'weights'):
        np.testing.assert_array_equal(getattr(counted, name), getattr(listed_hits, name), name)


def test_equally_similar_detections_keep_the_order_of_the_gallery(way):
    """Three images tie; the one that shows the person is listed between the others."""
    box = np.array([0.0, 0.0, 20.0, 60.0])
    task = SearchProtocol.build(
        'tiny', list('abcd'), [Query('a', box, 0)], [[('b', box)]], galleries=[['d', 'b', 'c', 'd']]
    )
    found = Predictions(
        images=np.array(list('bbcd')),
        boxes=np.stack([box + 90, box, box, box]),
        scores=np.ones(4),
        embeddings=np.ones((4, 1)),
        query_images=np.array(['a']),
        query_boxes=box[None],
        query_embeddings=np.ones((1, 1)),
    )
    # d, then b's other detection, then the right one; c and d's repetition come later.
    assert evaluate_search(task, found).ranks.tolist() == [3]
    double = evaluate_search(task, found, SearchFlags(duplicates='double'))
    assert double.ranks.tolist() == [3]
    assert double.average_precisions.tolist() == [pytest.approx(1 / 5)]


def test_a_query_that_a_task_asks_twice_counts_twice(way):
    _, protocol, predictions = make_case(5, listed=True)
    once = evaluate_search(protocol, predictions)
    assert once.average_precisions.any()
    twice = SearchProtocol.build(
        'twice',
        protocol.images,
        [
            Query(protocol.images[i], b, int(p))
            for i, b, p in zip(
                protocol.query_images.tolist() * 2,
                [*protocol.query_boxes] * 2,
                [*protocol.person_ids] * 2,
            )
        ],
        [_truth(protocol, q) for q in range(len(protocol))] * 2,
        galleries=[[protocol.images[i] for i in protocol.gallery(q)] for q in range(len(protocol))]
        * 2,
        query_ids=[*range(len(protocol))] * 2,
    )
    result = evaluate_search(twice, predictions)
    assert result.average_precisions.tolist() == once.average_precisions.tolist() * 2
    assert result.ranks.tolist() == once.ranks.tolist() * 2


def _truth(protocol, query):
    images, boxes = protocol.truth(query)
    return [(protocol.images[i], box) for i, box in zip(images, boxes)]


def test_all_detections_alike_are_counted_and_not_compared_pair_by_pair(way):
    """A model that says nothing: 20,000 equal similarities for each of 20 queries."""
    rng = np.random.default_rng(0)
    names = [f'{i:04d}' for i in range(2000)]
    box = np.array([0.0, 0.0, 20.0, 60.0])
    task = SearchProtocol.build(
        'same',
        names,
        [Query(names[0], box, q) for q in range(20)],
        [[(names[i], box) for i in rng.choice(np.arange(1, 2000), 5, False)] for _ in range(20)],
        galleries=[[names[i] for i in rng.permutation(np.arange(1, 2000))] for _ in range(20)],
    )
    found = Predictions(
        images=np.repeat(names, 10),
        boxes=np.tile(box, (20000, 1)),
        scores=np.ones(20000),
        embeddings=np.ones((20000, 4), dtype=np.float32),
        query_images=np.array([names[0]] * 20),
        query_boxes=np.tile(box, (20, 1)),
        query_embeddings=np.ones((20, 4), dtype=np.float32),
    )
    result = evaluate_search(task, found)
    assert set(result.hits.at_least.tolist()) == {19990}
    for query in range(20):
        order = task.gallery(query).tolist()
        shown = task.truth(query)[0].tolist()
        first = min(order.index(image) for image in shown)
        assert result.ranks[query] == 10 * first + 1


@FEW
@given(seed=SEEDS)
def test_double_precision_is_counted_in_double_precision(seed):
    _, protocol, predictions = make_case(seed, listed=True)
    rng = np.random.default_rng(seed)
    # Differences that a float32 does not see.
    fine = 1 + 1e-10 * rng.normal(size=predictions.embeddings.shape)
    predictions = replace(predictions, embeddings=predictions.embeddings.astype(np.float64) * fine)
    result = evaluate_search(protocol, predictions, SearchFlags(det_thresh=0.2))
    flags = SearchFlags(det_thresh=0.2)
    precisions, ranks, _ = reference_search(protocol, predictions, flags)
    np.testing.assert_allclose(result.average_precisions, precisions, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(result.ranks, ranks)


@FEW
@given(
    rows=st.lists(st.integers(0, 3), max_size=30),
    values=st.lists(st.integers(-3, 3), min_size=30, max_size=30),
)
def test_steps_are_the_highest_that_a_value_reaches(rows, values):
    rows = np.sort(np.array(rows, dtype=np.int64))
    values = np.array(values[: len(rows)], dtype=np.float32)
    hits = np.arange(0, len(rows), 3)
    steps = Steps.of(rows[hits], values[hits], 4)
    lowest = steps.lowest()
    kept = values >= lowest[rows]
    numbers = steps.numbers(rows[kept], values[kept])
    for row, value, number in zip(rows[kept], values[kept], numbers):
        own = steps.values[steps.starts[row] : steps.starts[row + 1]]
        assert steps.values[number] == max(step for step in own if step <= value)
        assert steps.starts[row] <= number < steps.starts[row + 1]


def test_an_image_listed_again_ties_with_itself(way):
    """Whatever its place in a product of many rows does to the last bits."""
    rng = np.random.default_rng(0)
    names = [f'{i:03d}' for i in range(900)]
    boxes = rng.uniform(0, 50, (4500, 2))
    boxes = np.concatenate([boxes, boxes + 30], axis=1)
    embeddings = rng.normal(size=(5500, 256))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    detections = np.sort(rng.integers(0, 900, 4500))
    listed = rng.integers(1, 900, (1000, 3)).repeat(7, axis=1)[:, :20]
    shown = [detections.searchsorted(row[0]) % 4500 for row in listed]
    task = SearchProtocol.build(
        'again',
        names,
        [Query(names[0], boxes[0], q) for q in range(1000)],
        [[(names[row[0]], boxes[one])] for row, one in zip(listed, shown)],
        galleries=[[names[i] for i in row] for row in listed],
    )
    found = Predictions(
        images=np.array(names)[detections],
        boxes=boxes,
        scores=np.ones(4500),
        embeddings=embeddings[:4500].astype(np.float32),
        query_images=np.array([names[0]] * 1000),
        query_boxes=np.tile(boxes[0], (1000, 1)),
        query_embeddings=embeddings[4500:].astype(np.float32),
    )
    hits = evaluate_search(task, found, SearchFlags(duplicates='double')).hits
    exact = embeddings[4500:] @ embeddings[:4500].T
    for query, value, count in zip(hits.queries, hits.similarities, hits.at_least):
        times = np.bincount(listed[query], minlength=900)[detections]
        assert count == times[exact[query] >= value - 1e-6].sum()
    assert len(hits) > 900
