"""Figures by height: against deleting the other matches by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmclsa.evaluation.functional import (
    SearchFlags,
    by_height,
    by_height_ratio,
    evaluate_search,
    precisions_by_height,
    precisions_by_height_ratio,
)
from tests.test_evaluation.cases import make_case
from tests.test_evaluation.reference import box_iou, reference_ap


def literal_stratum(protocol, predictions, result, wanted):
    """Mean AP, top-1, queries, matches and found ones where only ``wanted(query, box)`` count."""
    precisions, firsts, matches, found = [], [], 0, 0
    for query in range(len(protocol)):
        truth = list(zip(*(part.tolist() for part in protocol.truth(query))))
        asked = [entry for entry in truth if wanted(query, entry[1])]
        if not asked:
            continue
        boxes = dict(reversed(truth))
        feature = predictions.query_embeddings[protocol.query_ids[query]]
        candidates = []
        for image in dict.fromkeys(protocol.gallery(query).tolist()):
            rows = [
                r
                for r in np.flatnonzero(predictions.images == protocol.images[image])
                if predictions.scores[r] >= 0.5
            ]
            values = [float(predictions.embeddings[r] @ feature) for r in rows]
            right = None
            if image in boxes:
                box = boxes[image]
                w, h = box[2] - box[0], box[3] - box[1]
                needed = min(0.5, w * h / ((w + 10) * (h + 10)))
                on = [i for i, r in enumerate(rows) if box_iou(predictions.boxes[r], box) >= needed]
                right = max(on, key=lambda i: (values[i], -i)) if on else None
            for place, value in enumerate(values):
                if place != right:
                    candidates.append((value, False))
                elif wanted(query, boxes[image]):
                    candidates.append((value, True))
                    found += 1
        ranking = sorted(candidates, key=lambda c: -c[0])
        labels, scores = [c[1] for c in candidates], [c[0] for c in candidates]
        precisions.append(reference_ap(labels, scores, len(asked)))
        firsts.append(bool(ranking) and ranking[0][1])
        matches += len(asked)
    count = len(precisions)
    means = (float(np.mean(precisions)), float(np.mean(firsts))) if count else (0.0, 0.0)
    return (*means, count, matches, found / matches if matches else 0.0)


def figures(stratum):
    return stratum.mAP, stratum.top1, stratum.queries, stratum.matches, stratum.recall


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**20), listed=st.booleans())
def test_equals_deleting_the_other_matches(seed, listed):
    _, protocol, predictions = make_case(seed, listed=listed)
    result = evaluate_search(protocol, predictions)
    edges = [20.0, 40.0, 60.0]
    for stratum in by_height(result, protocol, edges):
        expected = literal_stratum(
            protocol,
            predictions,
            result,
            lambda _, box, s=stratum: s.low <= box[3] - box[1] < s.high,
        )
        assert figures(stratum) == pytest.approx(expected, abs=1e-12)
    for stratum in by_height_ratio(result, protocol, [0.7, 1.2]):
        heights = protocol.query_boxes[:, 3] - protocol.query_boxes[:, 1]
        expected = literal_stratum(
            protocol,
            predictions,
            result,
            lambda q, box, s=stratum, h=heights: s.low <= h[q] / (box[3] - box[1]) < s.high,
        )
        assert figures(stratum) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**20), duplicates=st.sampled_from(['legacy', 'dedup', 'double']))
def test_one_bin_is_the_whole(seed, duplicates):
    """Queries without a match aside, which no bin has."""
    _, protocol, predictions = make_case(seed)
    flags = SearchFlags(duplicates=duplicates, missing_query='skip')
    result = evaluate_search(protocol, predictions, flags)
    (stratum,) = by_height(result, protocol, [])
    assert stratum.queries == result.num_counted
    assert stratum.mAP == pytest.approx(result.mean_average_precision, abs=1e-12)
    assert stratum.top1 == pytest.approx(result.top(1), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_cmc_is_top_k(seed):
    _, protocol, predictions = make_case(seed)
    result = evaluate_search(protocol, predictions)
    assert result.cmc(12).tolist() == pytest.approx([result.top(k) for k in range(1, 13)])


def test_precisions_of_single_queries_have_the_means_of_the_strata():
    _, protocol, predictions = make_case(3)
    result = evaluate_search(protocol, predictions)
    for precisions, strata in (
        (precisions_by_height(result, protocol), by_height(result, protocol)),
        (precisions_by_height_ratio(result, protocol), by_height_ratio(result, protocol)),
    ):
        assert len(precisions) == len(strata)
        for row, stratum in zip(precisions, strata):
            assert np.isfinite(row).sum() == stratum.queries
            if stratum.queries:
                assert np.nanmean(row) == pytest.approx(stratum.mAP)
