"""The picture of the levels: what is drawn follows from the figures."""

from __future__ import annotations

import numpy as np
import pytest

from mmclsa.errors import DataError
from mmclsa.evaluation.level_figures import LevelFigures
from mmclsa.visualization import draw_levels

BLUE, ORANGE = (31, 119, 180), (255, 127, 14)


def figures(divergence=0.1, precision=0.5, levels=3, seed=0):
    rng = np.random.default_rng(seed)
    pairs = np.stack(np.triu_indices(levels, k=1), axis=1)
    people = divergence + 0.05 * rng.random((len(pairs), 30))
    queries = 0.9 + 0.05 * rng.random((len(pairs), 12))
    queries[:, 0] = np.nan
    ranks = np.ones((levels + 1, 12), int)
    precisions = np.full((levels + 1, 12), precision)
    return LevelFigures(pairs, people, people, queries, queries, queries, precisions, ranks)


def count(picture, colour):
    return int((picture == colour).all(-1).sum())


def panels(picture):
    third = picture.shape[1] // 3
    beside_legend = picture[:, : int(0.6 * third)]
    return beside_legend, picture[:, third : 2 * third], picture[:, 2 * third :]


def test_each_row_has_violins_and_bars():
    one = draw_levels({('three', 0): figures()})
    runs = {('three', 0): figures(), ('clsa', 0): figures(seed=1), ('clsa', 1): figures(seed=2)}
    two = draw_levels(runs, 'drawn people')
    assert one.shape == two.shape
    for panel in panels(one):
        assert count(panel, BLUE) > 50
        assert count(panel, ORANGE) == 0
    for panel in panels(two):
        assert count(panel, BLUE) > 50
        assert count(panel, ORANGE) > 50


def test_heights_are_those_of_the_figures():
    runs = {('three', 0): figures(0.3, 0.4), ('clsa', 0): figures(0.1, 0.8)}
    divergences, _, bars = panels(draw_levels(runs))
    rows = {c: np.flatnonzero((divergences == c).all(-1).any(1)).mean() for c in (BLUE, ORANGE)}
    assert rows[BLUE] < rows[ORANGE] - 50, 'the mean of the larger divergence lies higher'
    assert count(bars, ORANGE) > 2 * count(bars, BLUE)


def test_rows_of_different_levels():
    runs = {('C4-C5', 0): figures(levels=2), ('one', 0): figures(levels=1), ('clsa', 0): figures()}
    assert draw_levels(runs).ndim == 3
    assert draw_levels({('one', 0): figures(levels=1)}).ndim == 3
    with pytest.raises(DataError, match='no run'):
        draw_levels({})
