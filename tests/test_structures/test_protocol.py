import copy
import pickle

import numpy as np
import pytest

from mmclsa.errors import ConfigError
from mmclsa.structures import Query, SearchProtocol, offsets_of

BOX = np.array([1.0, 2.0, 11.0, 22.0])


@pytest.fixture
def queries():
    return [Query('a', BOX, 5, cam_id=0), Query('c', BOX + 1, 6, cam_id=1)]


def test_listed_galleries_keep_order_and_duplicates(queries):
    protocol = SearchProtocol.build(
        'listed',
        ['a', 'b', 'c', 'd'],
        queries,
        truths=[[('b', BOX + 2), ('b', BOX + 2)], []],
        galleries=[['d', 'b', 'b'], ['a']],
        query_ids=[10, 20],
    )
    assert len(protocol) == 2
    assert protocol.query_ids.tolist() == [10, 20]
    assert [protocol.images[i] for i in protocol.gallery(0)] == ['d', 'b', 'b']
    assert [protocol.images[i] for i in protocol.gallery(1)] == ['a']
    images, boxes = protocol.truth(0)
    assert images.tolist() == [1, 1]
    np.testing.assert_array_equal(boxes, [BOX + 2, BOX + 2])
    assert protocol.truth(1)[1].shape == (0, 4)
    assert protocol.index('d') == 3


def test_symbolic_gallery_is_everything_but_own_image(queries):
    protocol = SearchProtocol.build('all', ['a', 'b', 'c', 'd'], queries, [[], []])
    assert protocol.gallery(0).tolist() == [1, 2, 3]
    assert protocol.gallery(1).tolist() == [0, 1, 3]


def test_cross_camera_leaves_out_the_camera_of_the_query(queries):
    cams = np.array([0, 1, 1, 0])
    protocol = SearchProtocol.build(
        'cross', ['a', 'b', 'c', 'd'], queries, [[], []], image_cams=cams, cross_camera=True
    )
    assert protocol.gallery(0).tolist() == [1, 2]
    assert protocol.gallery(1).tolist() == [0, 3]


def test_copies_are_free_and_pickles_whole(queries):
    protocol = SearchProtocol.build('all', ['a', 'c'], queries, [[('c', BOX)], []])
    assert copy.deepcopy(protocol) is protocol
    again = pickle.loads(pickle.dumps(protocol))
    assert again.images == protocol.images
    np.testing.assert_array_equal(again.truth(0)[1], protocol.truth(0)[1])
    assert again.index('c') == 1


def test_an_unknown_image_is_a_key_error(queries):
    with pytest.raises(KeyError):
        SearchProtocol.build('all', ['a'], queries, [[], []])


def test_offsets_of_nothing():
    assert offsets_of([]).tolist() == [0]


def test_the_camera_rule_can_be_changed_and_taken_back(queries):
    cams = np.array([0, 1, 1, 0])
    truths = [[('b', BOX), ('d', BOX)], [('a', BOX)]]
    for galleries in (None, [['b', 'd', 'c'], ['a', 'b']]):
        plain = SearchProtocol.build(
            'task', ['a', 'b', 'c', 'd'], queries, truths, galleries, image_cams=cams
        )
        cross = plain.with_camera_rule('cross')
        assert set(cross.gallery(0).tolist()) == {1, 2}
        assert cross.truth(0)[0].tolist() == [1]
        assert cross.truth_counts().tolist() == [1, 1]
        assert cross.with_camera_rule('cross') is cross
        assert cross.with_camera_rule('all') is plain
        assert plain.with_camera_rule('protocol') is plain
        built = SearchProtocol.build(
            'task', plain.images, queries, truths, galleries, image_cams=cams, cross_camera=True
        )
        assert built.truth(0)[0].tolist() == [1]
        assert built.with_camera_rule('all').truth(0)[0].tolist() == [1, 3]


def test_cameras_must_be_known_to_be_crossed(queries):
    plain = SearchProtocol.build('task', ['a', 'c'], queries, [[], []])
    with pytest.raises(ConfigError, match='camera of every image'):
        plain.with_camera_rule('cross')


def test_excluded_images_are_not_searched(queries):
    task = SearchProtocol.build(
        'task', ['a', 'b', 'c', 'd'], queries, [[], []], excluded=[['b', 'd'], []]
    )
    assert task.gallery(0).tolist() == [2]
    assert task.gallery(1).tolist() == [0, 1, 3]
    assert task.gallery_size == 2.0


def test_truths_are_counted_once_or_as_often_as_listed(queries):
    truths = [[('b', BOX), ('b', BOX), ('d', BOX)], []]
    task = SearchProtocol.build(
        'task', ['a', 'b', 'c', 'd'], queries, truths, [['b', 'b', 'd'], ['a']]
    )
    assert task.truth_counts().tolist() == [3, 0]
    assert task.truth_counts(distinct=True).tolist() == [2, 0]
    assert task.truth_counts(wanted=np.array([True, False, False])).tolist() == [1, 0]
