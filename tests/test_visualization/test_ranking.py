"""From predictions to ranked hits: as the metric ranks, and pictures of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmclsa.datasets import CocoPersonSearchDataset
from mmclsa.errors import DataError, UserError
from mmclsa.evaluation.functional import evaluate_search
from mmclsa.structures import Predictions, Query, SearchProtocol
from mmclsa.testing import make_fake_coco
from mmclsa.visualization import choose_queries, picture_loader, rank_query, save_rank_lists
from mmclsa.visualization.canvas import GREEN, GREY, RED
from tests.test_evaluation.cases import make_case

BOX = np.array([10.0, 10.0, 50.0, 110.0])


def tiny_case():
    """One query; in image b two detections lie on the person, the worse one more similar."""
    task = SearchProtocol.build('tiny', ['a', 'b'], [Query('a', BOX, 0)], [[('b', BOX)]])
    return task, Predictions(
        images=np.array(['b', 'b', 'b']),
        boxes=np.stack([BOX, BOX + np.array([0, 0, 0, 30]), BOX + 200]),
        scores=np.array([0.9, 0.8, 0.7]),
        embeddings=np.array([[0.5], [0.6], [0.4]]),
        query_images=np.array(['a']),
        query_boxes=BOX[None],
        query_embeddings=np.ones((1, 1)),
    )


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**20), listed=st.booleans())
def test_right_hits_are_those_of_the_metric(seed, listed):
    """Rank and, from the flags alone, average precision; with ties and repeated images."""
    _, protocol, predictions = make_case(seed, listed=listed)
    result = evaluate_search(protocol, predictions)
    for query in range(len(protocol)):
        hits = rank_query(predictions, protocol, query)
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
    hits = rank_query(found, task, 0)
    assert hits.detections.tolist() == [1, 0, 2]
    assert hits.right.tolist() == [True, False, False]


def test_detections_below_the_threshold_are_not_searched():
    task, found = tiny_case()
    assert rank_query(found, task, 0, det_thresh=0.85).detections.tolist() == [0]
    assert rank_query(found, task, 0, det_thresh=0.85).right.tolist() == [True]
    assert len(rank_query(found, task, 0, det_thresh=0.95).detections) == 0


def test_choice_of_queries():
    precisions = np.array([0.5, np.nan, 0.1, 0.9])
    assert choose_queries(precisions, 4, 'worst').tolist() == [2, 0, 3, 1]
    assert choose_queries(precisions, 4, 'best').tolist() == [3, 0, 2, 1]
    assert choose_queries(precisions, 2, 'first').tolist() == [0, 1]
    some = choose_queries(precisions, 3, 'random', seed=5)
    assert len(set(some.tolist())) == 3
    assert some.tolist() == choose_queries(precisions, 3, 'random', seed=5).tolist()
    with pytest.raises(UserError, match=r"which must be one of .*, but is 'nicest'"):
        choose_queries(precisions, 3, 'nicest')
    with pytest.raises(UserError, match='num must be at least 1, but is 0'):
        choose_queries(precisions, 0)


def load_black(image):
    if image == 'a':
        raise DataError('image a is missing')
    return np.zeros((240, 320, 3), np.uint8)


def read(path):
    return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def count(picture, colour):
    return int((picture == colour).all(-1).sum())


@pytest.mark.parametrize('kind', ['object', 'arrays', 'file'])
def test_pictures_of_ranked_results(tmp_path, kind):
    task, found = tiny_case()
    np.savez(tmp_path / 'p.npz', **found.arrays())
    source = {'object': found, 'arrays': found.arrays(), 'file': tmp_path / 'p.npz'}[kind]
    out = tmp_path / 'bilder für 街'
    (path,) = save_rank_lists(source, task, load_black, out, which='worst')
    assert path == out / 'tiny_000_query0.png'
    drawn = read(path)
    # One right hit and two wrong ones; the query's picture is missing.
    assert count(drawn, GREEN) >= 2 * 4 * (104 + 208)
    assert count(drawn, RED) >= 2 * 2 * 4 * (104 + 208)
    (path,) = save_rank_lists(source, task, load_black, out, top=1)
    assert count(read(path), RED) == 0


def test_a_person_who_is_not_in_the_gallery_has_grey_hits(tmp_path):
    _, found = tiny_case()
    nowhere = SearchProtocol.build('tiny', ['a', 'b'], [Query('a', BOX, 0)], [[]])
    (path,) = save_rank_lists(found, nowhere, load_black, tmp_path)
    drawn = read(path)
    assert count(drawn, GREEN) + count(drawn, RED) == 0
    assert count(drawn, GREY) >= 3 * 2 * 4 * (104 + 208)


def test_wrong_arguments(tmp_path):
    task, found = tiny_case()
    with pytest.raises(UserError, match='top must be at least 1, but is 0'):
        save_rank_lists(found, task, load_black, tmp_path, top=0)
    arrays = found.arrays()
    del arrays['score']
    with pytest.raises(UserError, match="lack the array 'score'"):
        save_rank_lists(arrays, task, load_black, tmp_path)
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='Cannot write into the folder'):
        save_rank_lists(found, task, load_black, tmp_path / 'file' / 'out')


def test_pictures_come_from_the_data_set(tmp_path):
    root = make_fake_coco(tmp_path / 'Straße 街')
    dataset = CocoPersonSearchDataset(
        ann_file='annotations.json',
        data_root=str(root),
        data_prefix=dict(img_path='img'),
        test_mode=True,
        protocol_files='protocol.json',
    )
    load = picture_loader(dataset)
    name = dataset.get_data_info(2)['img_id']
    stored = np.frombuffer((root / 'img' / name).read_bytes(), np.uint8)
    assert (load(name) == cv2.imdecode(stored, cv2.IMREAD_COLOR)).all()
    with pytest.raises(DataError, match=r'the data set has no image x\.jpg'):
        load('x.jpg')
    (root / 'img' / name).write_bytes(b'\xff\xd8 half')
    with pytest.raises(DataError, match=name):
        load(name)
