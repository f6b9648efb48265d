"""Detection figures against the literal loop, and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmclsa.evaluation.functional import evaluate_detection
from mmclsa.evaluation.functional.detection import _matches, mutual_best_matches
from mmclsa.evaluation.functional.geometry import aligned_iou, expand_ranges, pairwise_iou
from mmclsa.structures import Scene
from tests.test_evaluation.cases import make_case
from tests.test_evaluation.reference import box_iou, reference_detection


def found_in(scenes, predictions):
    masks = [predictions.images == scene.image for scene in scenes]
    return [(predictions.boxes[m], predictions.scores[m]) for m in masks]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**20), thresh=st.sampled_from([0.01, 0.5, 0.8]))
def test_equals_the_literal_loop(seed, thresh):
    scenes, _, predictions = make_case(seed)
    found = found_in(scenes, predictions)
    result = evaluate_detection(scenes, found, thresh)
    expected = reference_detection(scenes, found, thresh)
    assert (result.recall, result.ap) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_labelled_only_leaves_scenes_without_identities_out(seed):
    scenes, _, predictions = make_case(seed)
    rng = np.random.default_rng(seed)
    scenes = [
        replace(s, person_ids=np.where(rng.random(len(s.boxes)) < 0.5, -1, s.person_ids))
        for s in scenes
    ]
    found = found_in(scenes, predictions)
    result = evaluate_detection(scenes, found, labelled_only=True)
    kept = [i for i, s in enumerate(scenes) if (s.person_ids >= 0).any()]
    labelled = [replace(scenes[i], boxes=scenes[i].boxes[scenes[i].person_ids >= 0]) for i in kept]
    expected = reference_detection(labelled, [found[i] for i in kept])
    assert (result.recall, result.ap) == pytest.approx(expected, abs=1e-12)


BOX = np.array([0.0, 0.0, 20.0, 40.0])


def scene(*boxes, ignore=None):
    count = len(boxes)
    flags = np.zeros(count, bool) if ignore is None else np.array(ignore)
    return Scene('a', np.array(boxes).reshape(-1, 4), np.arange(count), flags)


def test_two_boxes_on_a_person_are_one_match_whatever_their_scores():
    found = [(np.stack([BOX + 1, BOX]), np.array([0.9, 0.2]))]
    result = evaluate_detection([scene(BOX)], found)
    # The better overlap scores less: it comes second, at precision 1 / 2.
    assert (result.recall, result.ap) == (1.0, 0.5)


def test_a_detection_on_an_ignored_box_counts_neither_way():
    scenes = [scene(BOX, BOX + 200, ignore=[False, True])]
    found = [(np.stack([BOX, BOX + 200]), np.array([0.5, 0.9]))]
    result = evaluate_detection(scenes, found)
    assert (result.recall, result.ap) == (1.0, 1.0)
    alone = [(BOX[None] + 200, np.array([0.9]))]
    assert evaluate_detection(scenes, alone).ap == 0.0


def test_nobody_to_find_or_nothing_found():
    nothing = (np.zeros((0, 4)), np.zeros(0))
    assert evaluate_detection([scene(BOX)], [nothing]).recall == 0.0
    empty = evaluate_detection([scene()], [(BOX[None], np.ones(1))])
    assert (empty.recall, empty.ap) == (0.0, 0.0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_iou_equals_the_literal_one(seed):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 9, (2, 2))
    one, other = np.concatenate([corners, corners + rng.integers(0, 9, (2, 2))], axis=1)
    assert aligned_iou(one, other) == pytest.approx(box_iou(one, other))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), max_size=8))
def test_ranges_equal_the_loop(ranges):
    starts, lengths = np.array(ranges, dtype=np.int64).reshape(-1, 2).T
    expected = [i for s, n in ranges for i in range(s, s + n)]
    assert expand_ranges(starts, lengths).tolist() == expected


def best_of_both(truths, boxes, thresh):
    """One scene at a time, as the rule says it."""
    if len(truths) == 0 or len(boxes) == 0:
        return np.zeros(len(boxes), dtype=bool)
    overlaps = pairwise_iou(truths, boxes).astype(np.float32)
    best_truth, best_box = overlaps.argmax(axis=0), overlaps.argmax(axis=1)
    columns = np.arange(len(boxes))
    agreed = best_box[best_truth] == columns
    return agreed & (overlaps[best_truth, columns] >= thresh)


@pytest.mark.parametrize('thresh', [0.0, 0.3, 0.5, 1.0])
def test_all_scenes_at_once_are_one_after_the_other(thresh):
    """Small integer boxes, so that ties, boxes of no area and empty scenes are many."""
    rng = np.random.default_rng(0)
    sides = [
        [rng.integers(0, 5, (rng.integers(0, 6), 4)).astype(np.float64) for _ in range(2)]
        for _ in range(500)
    ]
    for pair in sides:
        for boxes in pair:
            boxes[:, 2:] += boxes[:, :2]
    truths, found = ([pair[side] for pair in sides] for side in range(2))
    expected = [best_of_both(*pair, thresh) for pair in sides]
    assert _matches(truths, found, thresh).tolist() == np.concatenate(expected).tolist()
    for pair, right in zip(sides, expected):
        assert mutual_best_matches(*pair, thresh).tolist() == right.tolist()
