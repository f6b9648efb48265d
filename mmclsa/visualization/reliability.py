"""Diagrams of probabilities and what came true."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from mmclsa.evaluation.functional.reliability import Reliability
from mmclsa.visualization.curves import render

__all__ = ['draw_reliability']


def draw_reliability(curves: Mapping[str, Reliability], title: str = '') -> np.ndarray:
    """Draw what came true over what was predicted.

    A curve above the diagonal is too modest, one below it too sure. The area
    of a point grows with the share of pairs in its bin.

    Args:
        curves: What was measured, by name.
        title: A line above.

    Returns:
        Shape (H, W, 3), uint8, RGB.
    """
    figure = Figure(figsize=(4.6, 4.6), dpi=100, layout='constrained')
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color='0.7', linewidth=1)
    for name, measured in curves.items():
        used = measured.weights > 0
        (line,) = axes.plot(
            measured.predicted[used],
            measured.observed[used],
            label=f'{name}: ECE {measured.ece:.3f}, Brier {measured.brier:.3f}',
        )
        axes.scatter(
            measured.predicted[used],
            measured.observed[used],
            s=12 + 400 * measured.weights[used],
            color=line.get_color(),
            alpha=0.5,
        )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel='probability', ylabel='share of one person')
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8, loc='upper left')
    return render(figure)
