"""The diagram of methods: where a point lies, and who is in it."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from mmclsa.visualization import draw_methods
from mmclsa.visualization import method_costs as module


@pytest.fixture
def figures(monkeypatch):
    kept = []

    def figure(*args, **options):
        kept.append(Figure(*args, **options))
        return kept[-1]

    monkeypatch.setattr(module, 'Figure', figure)
    return kept


def method(mean, ms, gflops=1.0, cost=True):
    measured = dict(
        ms=dict(median=ms, low=ms, high=ms),
        flops=dict(total=gflops * 1e9) if gflops else None,
        parameters=dict(total=3e6),
        mib=50.0,
    )
    figures = {'first/mAP': dict(mean=mean, low=mean - 0.1, high=mean + 0.1)}
    return dict(figures=figures, cost=measured if cost else None)


def test_points_lie_at_their_cost_and_mean(figures):
    methods = {
        'slow': method(0.6, 100.0, gflops=None),
        'quick': method(0.4, 2.0),
        'unknown': method(0.9, 1.0, cost=False),
    }
    picture = draw_methods(dict(protocols=[dict(name='first')], methods=methods))
    assert picture.shape[2] == 3
    panels = {axes.get_xlabel(): axes for axes in figures[0].axes}
    assert len(panels) == 4
    time, flops = panels['ms a picture'], panels['GFLOPs a picture']

    def points(axes):
        marks = [line for line in axes.lines if line.get_marker() == 'o']
        return [(round(x, 6), round(y, 6)) for line in marks for x, y in line.get_xydata().tolist()]

    assert points(time) == [(100, 60), (2, 40)]
    assert points(flops) == [(1, 40)], 'what is not known is not drawn'
    assert points(panels['parameters, M']) == [(3, 60), (3, 40)]
    assert (time.get_xscale(), flops.get_xscale()) == ('log', 'linear')
    ranges = [line.get_ydata() for line in time.lines if line.get_marker() != 'o']
    assert [list(map(round, values)) for values in ranges] == [[50, 70], [30, 50]]
