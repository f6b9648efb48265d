import copy
import pickle

import numpy as np
import pytest

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
