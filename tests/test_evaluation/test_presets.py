"""Each preset on one small task, with figures derived by hand.

One query Q in image 'q' (100 wide, 200 high), the gallery lists 'a' twice, then
'b' and 'c'. The person is in 'a' (so it is listed twice) and in 'b'. All boxes
are large: the IoU threshold is 0.5 under either rule. Embeddings are (cos, sin)
of an angle; the query's own box has angle 0 and length 1, and so similarity to
it is length times cosine.

    image  box      score  length  cosine  dot     with a score of at least
    a      person   0.60   1.0     0.80    0.80    0.5
    a      beside   0.22   1.0     0.95    0.95    0.2  (below 0.25)
    b      person   0.90   2.0     0.60    1.20    0.5
    c      beside   0.55   1.0     0.70    0.70    0.5
    c      beside   0.28   1.0     0.98    0.98    0.25 (below 0.3)
    c      beside   0.17   1.0     0.99    0.99    0.15 (below 0.2)
    q      on Q     0.95   3.0     0.96    -       the query as a detection
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional import (
    PRESETS,
    SearchFlags,
    evaluate_detection,
    evaluate_search,
    flags_for_thresholds,
    preset_flags,
)
from mmclsa.evaluation.functional.gallery import matched_detections
from mmclsa.structures import Context, Predictions, Query, Scene, SearchProtocol

PERSON = np.array([10.0, 10, 110, 210])
BESIDE = np.array([500.0, 10, 600, 210])
ROWS = [
    ('a', PERSON, 0.60, 1.0, 0.80),
    ('a', BESIDE, 0.22, 1.0, 0.95),
    ('b', PERSON, 0.90, 2.0, 0.60),
    ('c', BESIDE, 0.55, 1.0, 0.70),
    ('c', BESIDE, 0.28, 1.0, 0.98),
    ('c', BESIDE, 0.17, 1.0, 0.99),
]


def direction(cosine, length=1.0):
    return length * np.array([cosine, np.sqrt(1 - cosine**2)])


def make_task(gallery=('a', 'a', 'b', 'c')):
    truth = [(image, PERSON) for image in gallery if image in ('a', 'b')]
    query = Query('q', PERSON, 0, 1)
    return SearchProtocol.build(
        'hand', ['q', 'a', 'b', 'c'], [query], [truth], [gallery],
        image_cams=np.array([1, 1, 2, 2]),
    )  # fmt: skip


def make_found(rows=ROWS, own=()):
    rows = [*rows, *own]
    return Predictions(
        images=np.array([row[0] for row in rows]),
        boxes=np.array([row[1] for row in rows]),
        scores=np.array([row[2] for row in rows]),
        embeddings=np.array([direction(row[4], row[3]) for row in rows]),
        query_images=np.array(['q']),
        query_boxes=PERSON[None],
        query_embeddings=direction(1.0)[None],
    )


def ap_of(flags, task=None, found=None):
    result = evaluate_search(task or make_task(), found or make_found(), flags)
    return result.average_precisions[0]


# The query as AlignPS and PSTR see it: the detection on its box, here exactly in
# the direction of the query's box, so that the cosines of the table hold.
OWN = [('q', PERSON + 2, 0.95, 3.0, 1.0)]


@pytest.mark.parametrize('dataset', ['cuhk_sysu', 'prw'])
def test_seqnet(dataset):
    # From 0.5 on: b 1.20 (right), a 0.80 (right), c 0.70. 'a' counts twice among
    # those to find (3) and is searched once: (1/1 + 2/2) / 3.
    assert preset_flags('seqnet', dataset) == SearchFlags()
    assert ap_of(preset_flags('seqnet', dataset)) == pytest.approx(2 / 3)


@pytest.mark.parametrize('dataset', ['cuhk_sysu', 'prw'])
def test_nae(dataset):
    # As SeqNet, but 'a' is searched twice, right both times: b 1.20, a 0.80 and
    # a 0.80 tie at places 2 and 3, both with precision 3/3. (1 + 1 + 1) / 3.
    assert ap_of(preset_flags('nae', dataset)) == pytest.approx(1.0)


def test_nae_scores_the_wrong_ones_twice_too():
    # A better wrong detection in 'a' (0.95, now with score 0.6) stands twice before
    # a: b 1.20 (1/1), a' 0.95 twice, a 0.80 twice (both 3/5). (1 + 3/5 + 3/5) / 3.
    rows = [ROWS[0], ('a', BESIDE, 0.6, 1.0, 0.95), *ROWS[2:]]
    assert ap_of(preset_flags('nae', 'prw'), found=make_found(rows)) == pytest.approx(2.2 / 3)
    # SeqNet's: b (1/1), a' , a (2/3): (1 + 2/3) / 3.
    assert ap_of(SearchFlags(), found=make_found(rows)) == pytest.approx(5 / 9)


def test_alignps_on_cuhk_sysu():
    # From 0.2 on, by cosine: c 0.98, a' 0.95 twice, a 0.80 twice (right), c 0.70,
    # b 0.60 (right). a, a: both 2/5; b is the 7th: 3/7. (2/5 + 2/5 + 3/7) / 3.
    flags = preset_flags('alignps', 'cuhk_sysu')
    assert ap_of(flags, found=make_found(own=OWN)) == pytest.approx((0.8 + 3 / 7) / 3)


def test_alignps_on_prw():
    # From 0.15 on there is one more before: c 0.99. a, a: 2/6 each; b: 3/8.
    flags = preset_flags('alignps', 'prw')
    assert ap_of(flags, found=make_found(own=OWN)) == pytest.approx((2 / 3 + 3 / 8) / 3)


def test_alignps_searches_with_the_detection_on_the_query():
    # The detection on Q points elsewhere, to b (cosine 0.60 with Q's own box): b is
    # now at 1, a at 0.8 * 0.6 + 0.6 * 0.8 = 0.96, c of cosine 0.70 at
    # 0.42 + 0.8 * sqrt(0.51) = 0.99, a' of 0.95 at 0.57 + 0.8 * 0.3122 = 0.82,
    # c of 0.98 at 0.588 + 0.8 * 0.199 = 0.747. In order: b (1/1), c, a and a (3/4
    # each), ... The wrong box in q is nearer to no one: its IoU is 0.
    own = [('q', BESIDE, 0.99, 1.0, 1.0), ('q', PERSON + 2, 0.95, 1.0, 0.6)]
    flags = preset_flags('alignps', 'cuhk_sysu')
    assert ap_of(flags, found=make_found(own=own)) == pytest.approx((1 + 1.5) / 3)


def test_the_query_is_matched_whatever_its_score():
    # The detection on Q scores 0.01, below every threshold, and is still the query.
    own = [('q', BESIDE, 0.99, 1.0, 0.6), ('q', PERSON + 2, 0.01, 3.0, 1.0)]
    flags = preset_flags('alignps', 'cuhk_sysu')
    assert ap_of(flags, found=make_found(own=own)) == pytest.approx((0.8 + 3 / 7) / 3)


def test_edges_count_when_the_query_is_matched():
    # With the box (0, 0, 1, 1), whose area is 4 with edges: D = (0, 0, 3, 0.5) has
    # IoU 0.5 / 2 = 0.25 without; with edges 2 * 1.5 = 3 of 4 + 6 - 3 = 7: 0.43.
    # F = (0.9, 0, 1.1, 1): 0.1 / 1.1 = 0.09 without; with edges 1.1 * 2 = 2.2 of
    # 4 + 2.4 - 2.2 = 4.2: 0.52. D is better without, F with: F it is.
    found = make_found(rows=[('q', np.array([0, 0, 3, 0.5]), 0.9, 1.0, 1.0)])
    found = replace(
        found,
        images=np.array(['q', 'q']),
        boxes=np.array([[0, 0, 3, 0.5], [0.9, 0, 1.1, 1]]),
        scores=np.array([0.9, 0.9]),
        embeddings=np.eye(2),
        query_boxes=np.array([[0.0, 0, 1, 1]]),
    )
    assert matched_detections(found).tolist() == [1]
    assert matched_detections(replace(found, query_images=np.array(['p']))).tolist() == [-1]


def test_pstr_on_cuhk_sysu():
    # From 0.25 on, by cosine: c 0.98, a and a 0.80 (2/3 each), c 0.70, b 0.60 (3/5).
    flags = preset_flags('pstr', 'cuhk_sysu')
    assert ap_of(flags, found=make_found(own=OWN)) == pytest.approx((4 / 3 + 3 / 5) / 3)


def test_pstr_on_prw():
    # From 0.3 on: a and a 0.80 (1 each), c 0.70, b 0.60 (3/4).
    flags = preset_flags('pstr', 'prw')
    assert ap_of(flags, found=make_found(own=OWN)) == pytest.approx((2 + 3 / 4) / 3)


def two_queries():
    """A second query in image 'p', without a detection there."""
    task = make_task()
    queries = [Query('q', PERSON, 0, 1), Query('p', PERSON, 0, 1)]
    truth = [(task.images[i], box) for i, box in zip(*task.truth(0))]
    both = SearchProtocol.build(
        'hand', [*task.images, 'p'], queries, [truth, truth], [['a', 'a', 'b', 'c']] * 2
    )
    found = make_found(own=OWN)
    found = replace(
        found,
        query_images=np.array(['q', 'p']),
        query_boxes=np.stack([PERSON, PERSON]),
        query_embeddings=np.stack([direction(1.0)] * 2),
    )
    return both, found


def test_a_query_image_without_detections():
    # PSTR's mean leaves the query out on CUHK-SYSU; elsewhere it counts as 0.
    task, found = two_queries()
    one = (4 / 3 + 3 / 5) / 3
    result = evaluate_search(task, found, preset_flags('pstr', 'cuhk_sysu'))
    assert result.mean_average_precision == pytest.approx(one)
    assert (result.num_counted, result.top(1)) == (1, 0.0)
    assert '1 query has no detection in its image' in result.notes
    result = evaluate_search(task, found, preset_flags('pstr', 'prw'))
    assert result.mean_average_precision == pytest.approx((2 + 3 / 4) / 3 / 2)
    assert result.num_counted == 2
    # AlignPS's own code would stop here; ours counts 0.
    result = evaluate_search(task, found, preset_flags('alignps', 'cuhk_sysu'))
    assert result.average_precisions.tolist() == pytest.approx([(0.8 + 3 / 7) / 3, 0.0])
    # With the query's own box nothing is missing.
    result = evaluate_search(task, found, preset_flags('seqnet', 'prw'))
    assert result.average_precisions.tolist() == pytest.approx([2 / 3, 2 / 3])


@pytest.mark.parametrize('dataset', ['cuhk_sysu', 'prw'])
def test_gfn(dataset):
    # From 0.5 on, by cosine, 'a' searched once: a 0.80 (1), c 0.70, b 0.60 (2/3).
    assert ap_of(preset_flags('gfn', dataset)) == pytest.approx((1 + 2 / 3) / 3)


def test_gfn_looks_at_detection_from_one_half_on():
    # Two people, found with scores 0.9 and 0.3: recall 1 by SeqNet's 0.01, 1/2 by GFN's.
    people = np.stack([PERSON, BESIDE])
    scene = Scene('a', people, np.array([0, -1]), np.zeros(2, bool))
    found = [(people, np.array([0.9, 0.3]))]
    recalls = {
        name: evaluate_detection([scene], found, preset.detection_thresh).recall
        for name, preset in PRESETS.items()
    }
    assert recalls == dict(seqnet=1.0, nae=1.0, alignps=1.0, pstr=1.0, gfn=0.5)


def test_pstr_cbgm_takes_the_mean_and_searches_a_repeated_image_once():
    # Cosines: a 0.80, c 0.70, b 0.62. The other detection in q (at 90 degrees) matches
    # the other person in b exactly: the largest matched pair there is 1.0, and b rises
    # to (1.0 + 0.62) / 2 = 0.81, the first. (In SeqNet's way it would be 1.0.) In a
    # and c there is one detection for two people: the pair of the query has 0.80 and
    # 0.70, that of the companion sqrt(1 - 0.64) = 0.60 and sqrt(1 - 0.49) = 0.714. So
    # a matches the query and stays, c matches the companion and stays. 'a' is
    # searched once and counts twice: (1/1 + 2/2) / 3.
    rows = [
        ROWS[0], ROWS[3],
        ('b', PERSON, 0.9, 2.0, 0.62), ('b', BESIDE, 0.9, 1.0, 0.0),
    ]  # fmt: skip
    # A detection on the matched one is another person all the same; below the
    # threshold it is nobody.
    own = [*OWN, ('q', PERSON + 3, 0.9, 1.0, 0.0), ('q', BESIDE, 0.2, 1.0, 0.62)]
    found = make_found(rows, own)
    # What is given is the context of the query's own box, which is not searched with.
    people = np.stack([direction(1.0), direction(0.3)])
    found = replace(found, context=Context(np.zeros(2, int), np.zeros((2, 4)), people))
    flags = preset_flags('pstr', 'prw', cbgm=True)
    assert (flags.k1, flags.k2, flags.cbgm_value, flags.duplicates) == (30, 3, 'mean', 'legacy')
    assert preset_flags('pstr', 'cuhk_sysu', cbgm=True).k2 == 4
    result = evaluate_search(make_task(), found, flags)
    assert result.average_precisions[0] == pytest.approx(2 / 3)
    assert sorted(result.hits.similarities.tolist()) == pytest.approx([0.80, 0.81])


# Single flags on the same table.


def test_dedup():
    # SeqNet's ranking, b 1.20 and a 0.80, over two images to find.
    assert ap_of(SearchFlags(duplicates='dedup')) == pytest.approx(1.0)


def test_score_weighted():
    # Cosine times score, from 0.5 on: b 0.54, a 0.48, c 0.385.
    result = evaluate_search(make_task(), make_found(), SearchFlags(similarity='score_weighted'))
    assert sorted(result.hits.similarities.tolist()) == pytest.approx([0.48, 0.54])


def test_cross_camera():
    # 'q' and 'a' are camera 1: b 1.20 and c are left, and one image to find.
    assert ap_of(SearchFlags(camera='cross')) == pytest.approx(1.0)
    result = evaluate_search(make_task(('a', 'a', 'c')), make_found(), SearchFlags(camera='cross'))
    assert result.average_precisions.tolist() == [0.0]
    assert '1 query matches nobody in the gallery' in result.notes
    skipped = evaluate_search(
        make_task(('a', 'a', 'c')), make_found(), SearchFlags(camera='cross', missing_query='skip')
    )
    assert skipped.num_counted == 0


def test_fixed_iou():
    # A person of 8 x 8: the rule asks for 64 / 324 = 0.198, fixed for 0.5. A box
    # moved by 4 overlaps 32 of 96.
    small = np.array([0.0, 0, 8, 8])
    task = SearchProtocol.build(
        'hand', ['q', 'a'], [Query('q', PERSON, 0)], [[('a', small)]], [['a']]
    )
    found = make_found([('a', small + np.array([4.0, 0, 4, 0]), 0.9, 1.0, 0.9)])
    assert ap_of(SearchFlags(), task, found) == 1.0
    assert ap_of(SearchFlags(iou_rule='fixed'), task, found) == 0.0


def test_mistakes():
    with pytest.raises(ConfigError, match='preset must be one of seqnet'):
        preset_flags('seqnets', 'prw')
    with pytest.raises(ConfigError, match='alignps has a det_thresh for cuhk_sysu, prw only'):
        preset_flags('alignps', 'coco')
    assert preset_flags('alignps', 'coco', det_thresh=0.3).det_thresh == 0.3
    assert [f.det_thresh for f in flags_for_thresholds('pstr', 'prw', None, {})] == [0.3]
    for name, value in (('k1', 0), ('expand', -1), ('rerank_weight', 1.5), ('camera', 'none')):
        with pytest.raises(ConfigError, match=f'{name} must'):
            SearchFlags(**{name: value})
