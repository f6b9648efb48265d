"""Re-ranking and query expansion against literal loops, and what must not change them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmclsa.evaluation.functional import (
    SearchFlags,
    evaluate_search,
    expand_query,
    k_reciprocal_distances,
)
from tests.test_evaluation.cases import continuous, make_case

SEEDS = st.integers(0, 2**20)
FEW = settings(max_examples=40, deadline=None)


def literal_k_reciprocal(feature, found, k1, k2, weight):
    """Zhong et al., section 3, on the query (point 0) and its detections, as sets."""
    points = [p / np.linalg.norm(p) for p in [feature, *found]]
    n = len(points)
    squared = [[float(((p - q) ** 2).sum()) for q in points] for p in points]
    distance = [[d / max(row) if max(row) > 0 else d for d in row] for row in squared]
    ranked = [sorted(range(n), key=lambda g, p=p: (distance[p][g], g)) for p in range(n)]

    def reciprocal(p, k):
        return {g for g in ranked[p][: k + 1] if p in ranked[g][: k + 1]}

    encodings = []
    for p in range(n):
        chosen = reciprocal(p, k1)
        grown = set(chosen)
        for q in chosen:
            near = reciprocal(q, max(round(k1 / 2), 1))
            if len(chosen & near) > 2 / 3 * len(near):
                grown |= near
        values = [np.exp(-distance[p][g]) if g in grown else 0.0 for g in range(n)]
        encodings.append([v / sum(values) for v in values])
    if k2 > 1:
        encodings = [
            [float(np.mean([encodings[g][i] for g in ranked[p][:k2]])) for i in range(n)]
            for p in range(n)
        ]
    result = []
    for g in range(1, n):
        low = sum(min(a, b) for a, b in zip(encodings[0], encodings[g]))
        high = sum(max(a, b) for a, b in zip(encodings[0], encodings[g]))
        result.append(weight * distance[0][g] + (1 - weight) * (1 - low / high))
    return result


@FEW
@given(
    seed=SEEDS, n=st.integers(1, 14), k1=st.integers(1, 8), k2=st.integers(1, 5),
    weight=st.sampled_from([0.0, 0.3, 1.0]),
)  # fmt: skip
def test_k_reciprocal_equals_the_literal_loop(seed, n, k1, k2, weight):
    rng = np.random.default_rng(seed)
    feature, found = rng.normal(size=4), rng.normal(size=(n, 4))
    got = k_reciprocal_distances(feature, found, k1, k2, weight)
    np.testing.assert_allclose(
        got, literal_k_reciprocal(feature, found, k1, k2, weight), rtol=0, atol=1e-9
    )
    assert (got >= -1e-9).all()
    assert (got <= 1 + 1e-9).all()


@FEW
@given(seed=SEEDS, n=st.integers(2, 12))
def test_k_reciprocal_follows_a_permutation(seed, n):
    rng = np.random.default_rng(seed)
    feature, found = rng.normal(size=4), rng.normal(size=(n, 4))
    order = rng.permutation(n)
    np.testing.assert_allclose(
        k_reciprocal_distances(feature, found[order], 4, 2),
        k_reciprocal_distances(feature, found, 4, 2)[order],
        atol=1e-12,
    )


def test_identical_and_zero_points_are_no_division_by_zero():
    same = np.ones((6, 2))
    assert k_reciprocal_distances(same[0], same, 9, 1).tolist() == pytest.approx([0] * 6)
    with_zeros = k_reciprocal_distances(same[0], np.zeros((4, 2)), 2, 2)
    assert np.isfinite(with_zeros).all()


@FEW
@given(seed=SEEDS, n=st.integers(0, 6), alpha=st.sampled_from([0.0, 1.0, 3.0]))
def test_expansion_equals_the_sum(seed, n, alpha):
    rng = np.random.default_rng(seed)
    feature, found = rng.normal(size=4), rng.normal(size=(n, 4))
    similarities = [float(feature @ f) for f in found]
    total = feature.copy()
    for one, similarity in zip(found, similarities):
        total += max(similarity, 0.0) ** alpha * one
    total *= np.linalg.norm(feature) / np.linalg.norm(total)
    got = expand_query(feature, found, np.array(similarities), alpha)
    np.testing.assert_allclose(got, total, atol=1e-12)
    assert np.linalg.norm(got) == pytest.approx(np.linalg.norm(feature))


def literal_ranking(protocol, predictions, query, flags):
    """The query's gallery as (detection, similarity) after every second look."""
    kept = [
        int(row)
        for image in dict.fromkeys(protocol.gallery(query).tolist())
        for row in np.flatnonzero(predictions.images == protocol.images[image])
        if predictions.scores[row] >= flags.det_thresh
    ]
    feature = predictions.query_embeddings[protocol.query_ids[query]]
    if not kept:
        return [], []
    values = [float(predictions.embeddings[row] @ feature) for row in kept]
    best = sorted(range(len(kept)), key=lambda i: -values[i])
    if flags.expand:
        head = best[: flags.expand]
        feature = expand_query(
            feature, predictions.embeddings[[kept[i] for i in head]],
            np.array([values[i] for i in head]), flags.expand_alpha,
        )  # fmt: skip
        values = [float(predictions.embeddings[row] @ feature) for row in kept]
        best = sorted(range(len(kept)), key=lambda i: -values[i])
    if flags.rerank:
        head = best[: flags.rerank_depth]
        # The query's own embedding is what the paper compares with.
        own = predictions.query_embeddings[protocol.query_ids[query]]
        distances = literal_k_reciprocal(
            own, predictions.embeddings[[kept[i] for i in head]],
            flags.rerank_k1, flags.rerank_k2, flags.rerank_weight,
        )  # fmt: skip
        order = sorted(range(len(head)), key=lambda i: distances[i])
        best = [head[i] for i in order] + best[len(head) :]
    return kept, best


@FEW
@given(seed=SEEDS, listed=st.booleans(), expand=st.integers(0, 3), rerank=st.booleans())
def test_search_places_equal_the_literal_ranking(seed, listed, expand, rerank):
    _, protocol, predictions = make_case(seed, listed=listed)
    predictions = continuous(seed, predictions)
    flags = SearchFlags(
        expand=expand, rerank=rerank, rerank_depth=6, rerank_k1=3, rerank_k2=2, expand_alpha=2.0
    )
    result = evaluate_search(protocol, predictions, flags)
    for query in range(len(protocol)):
        kept, best = literal_ranking(protocol, predictions, query, flags)
        places = {kept[i]: place for place, i in enumerate(best, 1)}
        mine = result.hits.queries == query
        for truth, place in zip(result.hits.truths[mine], result.hits.places[mine]):
            image = protocol.images[protocol.truth_images[truth]]
            there = [places[r] for r in places if predictions.images[r] == image]
            assert place in there


@FEW
@given(
    seed=SEEDS, expand=st.integers(0, 2), rerank=st.booleans(), cbgm=st.booleans(),
    chunk=st.integers(1, 5000),
)  # fmt: skip
def test_order_and_chunks_do_not_matter(seed, expand, rerank, cbgm, chunk):
    _, protocol, predictions = make_case(seed)
    predictions = continuous(seed, predictions)
    flags = SearchFlags(
        expand=expand, rerank=rerank, rerank_k1=3, rerank_k2=2, cbgm=cbgm, k1=4, k2=2
    )
    whole = evaluate_search(protocol, predictions, flags)
    order = np.random.default_rng(seed).permutation(len(predictions.scores))
    moved = replace(
        predictions,
        images=predictions.images[order],
        boxes=predictions.boxes[order],
        scores=predictions.scores[order],
        embeddings=predictions.embeddings[order],
    )
    for other in (
        evaluate_search(protocol, predictions, flags, chunk_bytes=chunk),
        evaluate_search(protocol, moved, flags),
    ):
        np.testing.assert_allclose(other.average_precisions, whole.average_precisions, atol=1e-12)
        np.testing.assert_array_equal(other.ranks, whole.ranks)


@FEW
@given(seed=SEEDS)
def test_re_ranking_everything_by_the_original_distance_changes_nothing(seed):
    """With weight 1 the new order is that of the cosine; the embeddings have length 1."""
    _, protocol, predictions = make_case(seed)
    predictions = continuous(seed, predictions)
    plain = evaluate_search(protocol, predictions, SearchFlags(similarity='cosine'))
    flags = SearchFlags(similarity='cosine', rerank=True, rerank_weight=1.0)
    np.testing.assert_array_equal(evaluate_search(protocol, predictions, flags).ranks, plain.ranks)
