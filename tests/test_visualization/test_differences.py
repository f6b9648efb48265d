"""Diagrams of compared settings: what is drawn, and where."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from mmclsa.visualization import BinnedCurve, Difference, draw_binned_curves, draw_differences
from mmclsa.visualization import differences as module

BLUE, RED, ORANGE = (31, 119, 180), (214, 39, 40), (255, 127, 14)


def pixels(picture, colour):
    return np.argwhere((picture == np.array(colour)).all(-1))


@pytest.fixture
def figures(monkeypatch):
    """Keep the figures that are drawn."""
    kept = []

    def figure(*args, **options):
        kept.append(Figure(*args, **options))
        return kept[-1]

    monkeypatch.setattr(module, 'Figure', figure)
    return kept


def test_differences_stand_in_their_order_and_on_their_side(figures):
    picture = draw_differences(
        [
            Difference('better', 'base', 0.02, 0.005, (0.01, 0.03)),
            Difference('worse', 'better', -0.01, 0.005, (-0.02, float('nan'))),
        ],
        'base',
    )
    axes = figures[0].axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ['better', 'worse  (against better)']
    blue, red = pixels(picture, BLUE), pixels(picture, RED)
    assert blue[:, 0].mean() < red[:, 0].mean(), 'the first stands above'
    assert blue[:, 1].mean() > red[:, 1].mean(), 'better is right of worse'
    drawn = {tuple(np.round(line.get_xdata(), 6)) for line in axes.lines}
    assert (1.0, 3.0) in drawn, 'two standard errors either way, in points'
    assert (-2.0, 0.0) in drawn
    dots = [line for line in axes.lines if line.get_marker() == 'o']
    np.testing.assert_allclose(dots[0].get_xdata(), [1, 3])


def test_an_interval_that_is_not_known_or_leaves_the_picture(figures):
    """One seed has no interval; a huge one hides no other row."""
    rows = [Difference(f'row{k}', 'base', 0.01, 0.002, (0.01,)) for k in range(5)]
    rows += [Difference('one seed', 'base', 0.01, np.inf, (0.01,))]
    rows += [Difference('wild', 'base', 0.01, 0.5, (0.01,))]
    draw_differences(rows, 'base')
    axes = figures[0].axes[0]
    low, high = axes.get_xlim()
    assert -1 < low < 0 < 1 < high < 3
    assert sum(line.get_marker() in '<>' for line in axes.lines) == 2, 'arrows of the wild one'
    flat = [line for line in axes.lines if line.get_marker() == 'None']
    assert len(flat) == 6 + 1, 'an interval each but for one seed, and the zero'


def test_many_rows_are_readable(figures):
    """Names of 45 rows do not overlap, and nothing at all can be drawn, too."""
    rows = [Difference(f'row-{k}', 'base', 0.001 * k, 0.01, (0.0, 0.01)) for k in range(45)]
    picture = draw_differences(rows, 'base')
    axes = figures[0].axes[0]
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(one.y0 >= below.y1 for one, below in zip(boxes, boxes[1:]))
    assert boxes[0].height >= 9
    assert picture.shape[0] < 1500
    assert draw_differences([]).ndim == 3
    assert draw_differences([Difference('a', 'b', 0.0, 0.0, (0.0,))]).ndim == 3


def test_curves_over_bins(figures):
    nan = float('nan')
    one = BinnedCurve(
        'one', ('low', 'none', 'high'), (0.5, nan, 0.7), ((0.4, 0.6), (nan, nan), (0.7,))
    )
    two = BinnedCurve('two', ('low', 'none', 'high'), (0.3, nan, nan), ((0.3, nan), (), ()))
    picture = draw_binned_curves({'height': [one, two], 'ratio': [one]})
    left, right = figures[0].axes
    assert [label.get_text() for label in left.get_xticklabels()] == ['low', 'high']
    np.testing.assert_allclose(left.lines[0].get_ydata(), [50, 70])
    band = left.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((40, 70))
    assert {tuple(v) for v in np.round(band, 6)} >= {(0.0, 40.0), (0.0, 60.0), (1.0, 70.0)}
    assert (left.get_xlabel(), right.get_xlabel()) == ('height', 'ratio')
    assert len(right.lines) == 1
    assert len(pixels(picture, BLUE)) > 50
    assert len(pixels(picture, ORANGE)) > 10
    assert draw_binned_curves({'height': []}).ndim == 3
    assert draw_binned_curves({}).ndim == 3
