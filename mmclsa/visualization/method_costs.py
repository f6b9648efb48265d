"""A diagram of methods: accuracy over each kind of cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmclsa.visualization.curves import render

__all__ = ['draw_methods']

Point = tuple[str, float, Mapping[str, float]]


def draw_methods(report: Mapping[str, Any]) -> np.ndarray:
    """Draw the mAP of methods over what they cost; better is up and to the left.

    Args:
        report: Of :func:`~mmclsa.evaluation.methods.methods_report`, with the
            cost of some method. The mAP is that of the first protocol: mean of
            the runs, with a line over their range.

    Returns:
        Shape (H, W, 3), uint8, RGB: panels of time, FLOPs, parameters and
        memory. A method whose cost is not known is in none.

    Example:
        >>> cost = dict(parameters=dict(total=1e6), flops=None, mib=90.0, ms=dict(median=5.0))
        >>> figures = {'regular/mAP': dict(mean=0.5, low=0.4, high=0.6)}
        >>> one = dict(figures=figures, cost=cost)
        >>> draw_methods(dict(protocols=[dict(name='regular')], methods={'oim': one})).ndim
        3
    """
    protocol = report['protocols'][0]['name']
    panels = {name: _points(report, protocol, name) for name in _COSTS}
    panels = {name: points for name, points in panels.items() if points}
    colours = {who: f'C{number % 10}' for number, who in enumerate(report['methods'])}
    figure = Figure(figsize=(4.2 * max(len(panels), 1), 4), dpi=110, layout='constrained')
    for number, (name, points) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), number + 1)
        _draw_points(axes, points, colours)
        axes.set_xlabel(name)
        if number == 0:
            axes.set_ylabel(f'mAP, % ({protocol})')
    marks = [Line2D([], [], color=colour, marker='o', linestyle='') for colour in colours.values()]
    figure.legend(marks, list(colours), loc='outside right upper', fontsize=8)
    return render(figure)


#: Label of an axis, and where its value is.
_COSTS = {
    'ms a picture': ('ms', 'median', 1.0),
    'GFLOPs a picture': ('flops', 'total', 1e-9),
    'parameters, M': ('parameters', 'total', 1e-6),
    'memory, MiB': ('mib', '', 1.0),
}


def _points(report: Mapping[str, Any], protocol: str, name: str) -> list[Point]:
    field, part, factor = _COSTS[name]
    points = []
    for who, method in report['methods'].items():
        value = (method['cost'] or {}).get(field)
        if value:
            x = factor * (value[part] if part else value)
            points.append((who, x, method['figures'][f'{protocol}/mAP']))
    return points


def _draw_points(axes: Axes, points: Sequence[Point], colours: Mapping[str, str]) -> None:
    for who, x, spread in points:
        low, mean, high = (100 * spread[name] for name in ('low', 'mean', 'high'))
        colour = colours[who]
        axes.plot([x, x], [low, high], color=colour, linewidth=1.5)
        axes.plot(x, mean, 'o', color=colour, markersize=6)
    costs = [x for _, x, _ in points]
    if max(costs) > 8 * min(costs) > 0:
        axes.set_xscale('log')
    else:
        axes.set_xlim(0, 1.25 * max(costs))
    axes.margins(y=0.15)
    axes.grid(alpha=0.3)
