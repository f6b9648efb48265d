"""Faults of predictions.npz: each one sentence that names file and array."""

from __future__ import annotations

import numpy as np
import pytest

from mmclsa.errors import DataError
from mmclsa.structures import Predictions


@pytest.fixture
def arrays():
    return dict(
        image=np.array(['a', 'b', 'b']),
        bbox=np.tile([0.0, 0, 10, 20], (3, 1)),
        score=np.array([0.9, 0.8, 0.7]),
        embedding=np.eye(3),
        query_image=np.array(['a']),
        query_bbox=np.array([[0.0, 0, 10, 20]]),
        query_embedding=np.ones((1, 3)),
        context_query=np.array([0, 0]),
        context_bbox=np.zeros((2, 4)),
        context_embedding=np.ones((2, 3)),
    )


def load(tmp_path, arrays):
    path = tmp_path / 'p.npz'
    np.savez(path, **arrays)
    return Predictions.load(path)


def test_what_is_saved_is_loaded(tmp_path, arrays):
    again = load(tmp_path, arrays).arrays()
    assert set(again) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)


def test_context_is_optional(tmp_path, arrays):
    plain = {k: v for k, v in arrays.items() if not k.startswith('context')}
    assert load(tmp_path, plain).context is None
    with pytest.raises(DataError, match='needs all of'):
        load(tmp_path, {**plain, 'context_query': arrays['context_query']})


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r'none\.npz is missing'):
        Predictions.load(tmp_path / 'none.npz')


@pytest.mark.parametrize('kept', [0, 10, 400, 1000])
def test_truncated_file(tmp_path, arrays, kept):
    path = tmp_path / 'p.npz'
    np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r'p\.npz is no readable \.npz file'):
        Predictions.load(path)


def test_a_single_array_is_no_npz(tmp_path):
    path = tmp_path / 'p.npy'
    np.save(path, np.zeros(3))
    with pytest.raises(DataError, match=r'p\.npy is no readable'):
        Predictions.load(path)


def test_objects_are_not_unpickled(tmp_path, arrays):
    arrays['image'] = arrays['image'].astype(object)
    with pytest.raises(DataError, match='is no readable'):
        load(tmp_path, arrays)


@pytest.mark.parametrize(
    'name',
    ['image', 'bbox', 'score', 'embedding', 'query_image', 'query_bbox', 'query_embedding'],
)
def test_missing_array(tmp_path, arrays, name):
    del arrays[name]
    with pytest.raises(DataError, match=f"must have an array '{name}'"):
        load(tmp_path, arrays)


@pytest.mark.parametrize(
    ('name', 'image'),
    [
        ('bbox', 'b'), ('score', 'b'), ('embedding', 'b'),
        ('query_bbox', 'a'), ('query_embedding', 'a'), ('context_embedding', 'a'),
    ],
)  # fmt: skip
@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_numbers_must_be_finite(tmp_path, arrays, name, image, value):
    arrays[name] = arrays[name].astype(np.float32)
    arrays[name][-1] = value
    with pytest.raises(DataError, match=rf'p\.npz: {name}\[\d\] of image {image} must be finite'):
        load(tmp_path, arrays)


@pytest.mark.parametrize(
    ('name', 'array'),
    [
        ('bbox', np.zeros((2, 4))),
        ('bbox', np.zeros((3, 5))),
        ('score', np.zeros((3, 1))),
        ('embedding', np.zeros(3)),
        ('embedding', np.zeros((2, 3))),
        ('query_bbox', np.zeros((2, 4))),
        ('query_embedding', np.zeros((1, 8))),
        ('context_bbox', np.zeros((3, 4))),
        ('context_embedding', np.zeros((2, 8))),
    ],
)
def test_shapes_must_fit(tmp_path, arrays, name, array):
    with pytest.raises(DataError, match=rf'p\.npz: {name} must have the shape'):
        load(tmp_path, {**arrays, name: array})


def test_words_are_no_numbers(tmp_path, arrays):
    arrays['score'] = np.array(['high', 'low', 'low'])
    with pytest.raises(DataError, match=r'p\.npz: score must be numbers'):
        load(tmp_path, arrays)


@pytest.mark.parametrize('queries', [[1, 0], [0, 1], [-1, 0]])
def test_context_must_be_in_order_of_the_queries(tmp_path, arrays, queries):
    arrays['context_query'] = np.array(queries)
    with pytest.raises(DataError, match='context_query must be'):
        load(tmp_path, arrays)
