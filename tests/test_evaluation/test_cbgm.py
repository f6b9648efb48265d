"""Context bipartite graph matching against trying every assignment."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmclsa.evaluation.functional import (
    SearchFlags,
    context_match,
    evaluate_search,
    match_threshold,
)
from mmclsa.evaluation.functional.cbgm import most_similar_images
from mmclsa.evaluation.functional.geometry import aligned_iou
from tests.test_evaluation.cases import continuous, make_case
from tests.test_evaluation.reference import reference_ap


def every_assignment(weights):
    """All ways to match everybody on the smaller side: lists of (row, column)."""
    rows, columns = weights.shape
    if rows <= columns:
        return [list(enumerate(chosen)) for chosen in permutations(range(columns), rows)]
    return [[(r, c) for c, r in enumerate(chosen)] for chosen in permutations(range(rows), columns)]


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**20), people=st.integers(1, 4), found=st.integers(1, 5))
def test_equals_the_best_of_all_assignments(seed, people, found):
    rng = np.random.default_rng(seed)
    context, gallery = rng.normal(size=(people, 4)), rng.normal(size=(found, 4))
    weights = context @ gallery.T
    best = max(every_assignment(weights), key=lambda pairs: sum(weights[p] for p in pairs))
    partner = dict(best).get(0)
    got = context_match(context, gallery)
    if partner is None:
        assert got is None
    else:
        assert got == (partner, pytest.approx(max(weights[p] for p in best)))


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**20), count=st.integers(1, 30), k1=st.integers(1, 12))
def test_images_of_the_most_similar_detections(seed, count, k1):
    rng = np.random.default_rng(seed)
    similarities, images = rng.integers(0, 5, count) / 4, rng.integers(0, 6, count)
    ranking = sorted(range(count), key=lambda i: (similarities[i], i))
    expected = sorted({int(images[i]) for i in ranking[-k1:]})
    assert most_similar_images(similarities, images, k1).tolist() == expected


def literal_cbgm(protocol, predictions, query, k1, k2, det_thresh=0.5):
    """Similarities of the query's gallery after CBGM, as {detection: similarity}."""
    kept = [
        row
        for image in dict.fromkeys(protocol.gallery(query).tolist())
        for row in np.flatnonzero(predictions.images == protocol.images[image])
        if predictions.scores[row] >= det_thresh
    ]
    number = protocol.query_ids[query]
    feature = predictions.query_embeddings[number]
    similarities = {row: float(predictions.embeddings[row] @ feature) for row in kept}
    best = sorted(kept, key=lambda row: similarities[row])[-k1:]
    people = predictions.context.embeddings[predictions.context.queries == number][:k2]
    for image in {str(predictions.images[row]) for row in best}:
        there = [row for row in kept if str(predictions.images[row]) == image]
        weights = people @ predictions.embeddings[there].T
        pairs = max(every_assignment(weights), key=lambda p: sum(weights[e] for e in p))
        if 0 in dict(pairs):
            similarities[there[dict(pairs)[0]]] = float(max(weights[e] for e in pairs))
    return similarities


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**20), listed=st.booleans())
def test_search_with_cbgm_equals_the_literal_loop(seed, listed):
    _, protocol, predictions = make_case(seed, listed=listed)
    predictions = continuous(seed, predictions)
    result = evaluate_search(protocol, predictions, SearchFlags(cbgm=True, k1=4, k2=2))
    for query in range(len(protocol)):
        similarities = literal_cbgm(protocol, predictions, query, 4, 2)
        hits = set()
        truth = dict(zip(*[part.tolist() for part in protocol.truth(query)]))
        for image, box in truth.items():
            on_person = [
                row
                for row in similarities
                if predictions.images[row] == protocol.images[image]
                and aligned_iou(predictions.boxes[row], np.array(box))
                >= match_threshold(np.array(box))
            ]
            if on_person:
                hits.add(max(on_person, key=lambda row: similarities[row]))
        labels, scores = [row in hits for row in similarities], list(similarities.values())
        expected = reference_ap(labels, scores, len(protocol.truth(query)[0]))
        assert result.average_precisions[query] == pytest.approx(expected, abs=1e-9)


def test_result_tells_the_sizes_that_were_used():
    _, protocol, predictions = make_case(0)
    protocol = replace(protocol, cbgm_sizes=(30, 4))
    used = evaluate_search(protocol, predictions, SearchFlags(cbgm=True, k2=2)).flags
    assert used == SearchFlags(cbgm=True, k1=30, k2=2)
    assert evaluate_search(protocol, predictions).flags == SearchFlags()
