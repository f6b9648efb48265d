"""IDF1 against a literal reference and by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from mmclsa.errors import DataError
from mmclsa.evaluation.functional.tracking import IdentityScore, idf1

BOX = (0.0, 0.0, 10.0, 20.0)


def literal_idf1(truth, found, min_iou):
    """Try every way to give true tracks a partner, and count; one box at a time.

    Args are lists of (frame, track, box).
    """

    def iou(a, b):
        width = min(a[2], b[2]) - max(a[0], b[0])
        height = min(a[3], b[3]) - max(a[1], b[1])
        if width <= 0 or height <= 0:
            return 0.0
        common = width * height
        return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)

    true_ids = sorted({track for _, track, _ in truth})
    ids = sorted({track for _, track, _ in found})
    best = None
    # Padded with None: a true track may stay alone.
    choices = [*ids, *[None] * len(true_ids)]
    for partners in set(itertools.permutations(choices, len(true_ids))):
        partner = dict(zip(true_ids, partners))
        missed = wrong = 0
        for frame, track, box in truth:
            right = [
                1 for f, t, b in found
                if f == frame and t == partner[track] and iou(box, b) >= min_iou
            ]  # fmt: skip
            missed += not right
        for frame, track, box in found:
            right = [
                1 for f, t, b in truth
                if f == frame and partner[t] == track and iou(box, b) >= min_iou
            ]  # fmt: skip
            wrong += not right
        if best is None or missed + wrong < best[0]:
            best = (missed + wrong, len(truth) - missed, wrong, missed)
    return best[1:]


def random_tracks(rng, num_tracks, num_frames):
    """Some boxes of walking people, each there in some of the frames."""
    rows = []
    for track in range(num_tracks):
        start = rng.uniform(0, 30)
        for frame in range(num_frames):
            if rng.random() < 0.7:
                x = start + 3 * frame + rng.normal()
                rows.append((frame, 10 + track, (x, 0.0, x + 10, 20.0)))
    return rows


def split(rows):
    return (
        np.array([row[0] for row in rows], int),
        np.array([row[1] for row in rows], int),
        np.array([row[2] for row in rows], float).reshape(-1, 4),
    )


@pytest.mark.parametrize('seed', range(12))
def test_literal_reference(seed):
    rng = np.random.default_rng(seed)
    truth = random_tracks(rng, 3, 6)
    found = random_tracks(rng, 3, 6) + [(f, 77, b) for f, t, b in truth if t == 10 and f > 2]
    for min_iou in (0.3, 0.5):
        score = idf1(*split(truth), *split(found), min_iou)
        assert (score.idtp, score.idfp, score.idfn) == literal_idf1(truth, found, min_iou)


def test_by_hand():
    truth = [(f, 0, BOX) for f in range(10)]
    perfect = idf1(*split(truth), *split(truth))
    assert (perfect.idf1, perfect.idp, perfect.idr) == (1.0, 1.0, 1.0)
    cut = [(f, int(f >= 6), BOX) for f in range(10)]  # 6 of 10 are of the longer part
    assert idf1(*split(truth), *split(cut)).idf1 == pytest.approx(0.6)
    # Two people who share one track: one of them is lost as a whole.
    two = truth + [(f, 1, BOX) for f in range(20, 26)]
    joined = [(f, 5, box) for f, _, box in two]
    assert idf1(*split(two), *split(joined)) == IdentityScore(10, 6, 6)
    # Half of the people are missed, nobody is wrong.
    half = idf1(*split(truth), *split(truth[::2]))
    assert (half.idp, half.idr) == (1.0, 0.5)
    assert half.idf1 == pytest.approx(2 / 3)


def test_numbers_and_order_do_not_matter():
    rng = np.random.default_rng(3)
    truth, found = random_tracks(rng, 4, 8), random_tracks(rng, 5, 8)
    score = idf1(*split(truth), *split(found))
    renamed = [(frame, 1000 - 7 * track, box) for frame, track, box in found]
    shuffled = [renamed[n] for n in rng.permutation(len(renamed))]
    assert idf1(*split(truth[::-1]), *split(shuffled)) == score


def test_threshold_is_included():
    half = (0.0, 0.0, 10.0, 10.0)
    assert idf1(*split([(0, 0, BOX)]), *split([(0, 0, half)])).idtp == 1


def test_nobody():
    none, one = split([]), split([(0, 0, BOX)])
    assert idf1(*one, *none) == IdentityScore(0, 0, 1)
    assert idf1(*none, *one) == IdentityScore(0, 1, 0)
    assert math.isnan(idf1(*none, *none).idf1)


def test_scores_of_videos_add_up():
    total = sum([IdentityScore(3, 1, 0), IdentityScore(1, 0, 3)], IdentityScore())
    assert total == IdentityScore(4, 1, 3)
    assert total.idf1 == pytest.approx(8 / 12)


def test_two_boxes_of_a_track_in_one_frame():
    one, twice = split([(0, 0, BOX)]), split([(4, 3, BOX), (4, 3, BOX)])
    with pytest.raises(DataError, match='the found track 3 has two boxes in frame 4'):
        idf1(*one, *twice)
    with pytest.raises(DataError, match='the annotated track 3'):
        idf1(*twice, *one)
