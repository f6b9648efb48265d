"""The file of single queries' figures, whole and broken."""

from __future__ import annotations

import numpy as np
import pytest

from mmclsa.errors import DataError
from mmclsa.evaluation.functional import evaluate_search
from mmclsa.evaluation.query_figures import (
    load_query_figures,
    query_figures,
    save_query_figures,
)
from tests.test_evaluation.cases import make_case


@pytest.fixture
def figures():
    _, protocol, predictions = make_case(2)
    return query_figures(evaluate_search(protocol, predictions), protocol, edges=[30.0])


def test_as_it_was_written(tmp_path, figures):
    save_query_figures(tmp_path / 'queries.npz', figures)
    found = load_query_figures(tmp_path / 'queries.npz')
    for name, value in vars(figures).items():
        np.testing.assert_array_equal(getattr(found, name), value)
    assert found.by_height.shape == (2, len(found.query_ids))
    assert found.by_ratio.shape == (len(found.ratio_edges) + 1, len(found.query_ids))


@pytest.mark.parametrize('share', [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_part_of_the_file_names_itself(tmp_path, figures, share):
    whole, half = tmp_path / 'queries.npz', tmp_path / 'half.npz'
    save_query_figures(whole, figures)
    data = whole.read_bytes()
    half.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match=r'half\.npz has no figures'):
        load_query_figures(half)


def test_a_flipped_byte_names_itself(tmp_path, figures):
    path = tmp_path / 'queries.npz'
    save_query_figures(path, figures)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match=r'queries\.npz has no figures'):
        load_query_figures(path)
