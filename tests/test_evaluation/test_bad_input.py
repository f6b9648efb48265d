"""Odd input: a note with the figures, or an error; never a silently different figure."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from mmclsa.errors import DataError, UserError
from mmclsa.evaluation.functional import SearchFlags, evaluate_search, note_of_strangers
from mmclsa.structures import Predictions, Query, Scene, SearchProtocol

BOX = np.array([0.0, 0.0, 40.0, 80.0])


def task(gallery, truth=('a',), images=('q', 'a', 'b')):
    return SearchProtocol.build(
        'hand', images, [Query('q', BOX, 0)], [[(i, BOX) for i in truth]], [gallery]
    )


def found(**changes):
    plain = Predictions(
        images=np.array(['a', 'b']),
        boxes=np.stack([BOX, BOX]),
        scores=np.ones(2),
        embeddings=np.array([[0.9, 0.1], [0.8, 0.2]]),
        query_images=np.array(['q']),
        query_boxes=BOX[None],
        query_embeddings=np.array([[1.0, 0.0]]),
    )
    return replace(plain, **changes)


def test_nothing_odd_is_no_note():
    assert evaluate_search(task(['a', 'b']), found()).notes == ()


@pytest.mark.parametrize('similarity', ['dot', 'cosine', 'score_weighted'])
def test_a_detection_of_zeros_is_similar_to_nobody(similarity):
    predictions = found(embeddings=np.array([[0.0, 0.0], [-0.8, 0.2]]))
    result = evaluate_search(task(['a', 'b']), predictions, SearchFlags(similarity=similarity))
    # 0 is more than the -0.8 of the other.
    assert result.ranks.tolist() == [1]
    assert result.notes == ('1 detection has an embedding of zeros',)


def test_a_query_of_zeros_is_an_error():
    predictions = found(query_embeddings=np.zeros((1, 2)))
    with pytest.raises(UserError, match='query 0 in image q must have an embedding'):
        evaluate_search(task(['a']), predictions)


def test_images_without_detections_are_counted():
    images = ('q', 'a', 'b', 'c', 'd')
    result = evaluate_search(task(['a', 'c', 'd'], images=images), found())
    assert result.notes == ('2 gallery images have no detection',)
    high = found(scores=np.array([0.9, 0.2]))
    assert evaluate_search(task(['a', 'b']), high).notes == ('1 gallery image has no detection',)


def test_an_image_that_was_skipped_is_an_error():
    predictions = found(predicted_images=np.array(['q', 'b']))
    with pytest.raises(UserError, match='query 0 of protocol hand searches image a, which'):
        evaluate_search(task(['b', 'a']), predictions)
    everything = SearchProtocol.build('all', ('q', 'a', 'b'), [Query('q', BOX, 0)], [[('a', BOX)]])
    with pytest.raises(UserError, match='query 0 of protocol all searches image a, which'):
        evaluate_search(everything, predictions)
    # Nobody searches the query's own image.
    without_own = found(predicted_images=np.array(['a', 'b']))
    assert evaluate_search(everything, without_own).ranks.tolist() == [1]


def test_the_query_in_its_own_gallery_is_counted():
    result = evaluate_search(task(['q', 'a'], truth=('q', 'a')), found())
    assert '1 query has its own image in the gallery' in result.notes[1]
    assert result.average_precisions.tolist() == [0.5]


def test_boxes_that_turn_back_are_counted():
    """x y w h, given as x1 y1 x2 y2, were wrong detections without a word."""
    boxes = np.stack([np.array([50.0, 60, 20, 90]), BOX])
    result = evaluate_search(task(['a', 'b']), found(boxes=boxes))
    assert result.notes == ('1 detection has x2 < x1 or y2 < y1: are they x y w h?',)


def test_queries_in_another_place_are_counted():
    """Two queries of an image in the wrong order gave figures without a word."""
    result = evaluate_search(task(['a', 'b']), found(query_boxes=BOX[None] + 1000))
    assert result.notes == ('1 query has another box in the predictions (IoU below 0.5)',)
    clipped = found(query_boxes=BOX[None] + np.array([1.0, 0, 0, 0]))
    assert evaluate_search(task(['a', 'b']), clipped).notes == ()


def test_images_of_another_name_are_counted_or_an_error():
    """Folders in front of the names gave figures of 0 without a word."""
    scenes = [Scene(name, BOX[None], np.zeros(1, int), np.zeros(1, bool)) for name in 'aq']
    assert note_of_strangers(scenes, found(images=np.array(['a', 'q']))) is None
    text = '1 detections are in images that the data set lacks, such as b'
    assert note_of_strangers(scenes, found()) == text
    with pytest.raises(DataError, match='such as img/a, the data set has images such as a'):
        note_of_strangers(scenes, found(images=np.array(['img/a', 'img/b'])))


def test_nobody_to_find_is_counted():
    result = evaluate_search(task(['b'], truth=()), found())
    assert result.notes == ('1 query matches nobody in the gallery',)
    assert result.mean_average_precision == 0.0


@pytest.mark.parametrize('dtype', [np.float16, np.int8, np.float64])
def test_any_type_of_number_is_compared_in_full(dtype):
    """Sums of half precision would lose what tells 2049 from 2048."""
    embeddings = np.array([[64, 64, 1], [64, 64, 0]], dtype=dtype)
    predictions = found(
        embeddings=embeddings, query_embeddings=np.array([[16, 16, 1]], dtype=dtype)
    )
    result = evaluate_search(task(['a', 'b']), predictions)
    assert result.hits.similarities.tolist() == [2049.0]
    assert result.ranks.tolist() == [1]


def peak_memory(queries, images, chunk):
    rng = np.random.default_rng(0)
    names = [f'{i}' for i in range(images)]
    protocol = SearchProtocol.build(
        'all', names, [Query('0', BOX, 0)] * queries, [[('1', BOX)]] * queries
    )
    per_image = 4
    predictions = Predictions(
        images=np.repeat(names, per_image),
        boxes=np.tile(BOX, (images * per_image, 1)),
        scores=np.ones(images * per_image),
        embeddings=rng.normal(size=(images * per_image, 8)).astype(np.float32),
        query_images=np.array(['0'] * queries),
        query_boxes=np.tile(BOX, (queries, 1)),
        query_embeddings=rng.normal(size=(queries, 8)).astype(np.float32),
    )
    tracemalloc.start()
    evaluate_search(protocol, predictions, chunk_bytes=chunk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_is_bounded_whatever_the_number_of_queries():
    few, many = (peak_memory(queries, 1000, 2**21) for queries in (200, 1600))
    # 1600 queries on 4000 detections are 26 MB of similarities alone.
    assert many < 1.5 * few
    assert many < 12e6
