"""A picture of how far the levels of trained models agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mmclsa.errors import DataError
from mmclsa.evaluation.level_figures import LevelFigures, Runs, figures_by_row
from mmclsa.visualization.curves import render

__all__ = ['draw_levels']


def draw_levels(runs: Runs, title: str = '') -> np.ndarray:
    """Draw divergence and agreement of the levels, and the mAP of each.

    Args:
        runs: Figures by row and seed; people and queries of all seeds of a row
            are drawn together.
        title: A line above.

    Returns:
        Shape (H, W, 3), uint8, RGB. A violin has a person's divergences, or a
        query's rank correlations, and a line at their mean; a bar is the mean
        over seeds, with their range.

    Raises:
        DataError: If there is no run.

    Example:
        >>> few = np.array([[0.1, 0.3, 0.2]])
        >>> one = LevelFigures(np.array([[0, 1]]), few, few, few, few, few,
        ...                    np.ones((3, 3)), np.ones((3, 3), int))
        >>> draw_levels({('clsa', 0): one}).ndim
        3
    """
    rows = figures_by_row(runs)
    if not rows:
        raise DataError('there is no run to draw the levels of')
    figure = Figure(figsize=(13.5, 4.2), dpi=110, layout='constrained')
    divergence, agreement, precision = figure.subplots(1, 3)
    _violins(divergence, rows, 'js')
    divergence.set(ylabel='Jensen-Shannon divergence, bits', title='Predictions of two levels')
    _violins(agreement, rows, 'spearman')
    agreement.set(ylabel="Spearman's rank correlation", title='Rankings of two levels')
    _bars(precision, rows)
    for axes in (divergence, agreement):
        axes.set_xlabel('levels, 0 the lowest')
    patches = [Patch(color=f'C{number}', label=row) for number, row in enumerate(rows)]
    divergence.legend(handles=patches, loc='upper right', fontsize=8)
    if title:
        figure.suptitle(title)
    return render(figure)


def _violins(axes: Axes, rows: dict[str, list[LevelFigures]], name: str) -> None:
    """Draw a violin for each pair of levels and row, side by side."""
    width = 0.8 / len(rows)
    names: list[str] = []
    for number, of_row in enumerate(rows.values()):
        shift = (number - (len(rows) - 1) / 2) * width
        pairs = of_row[0].pairs
        names = max(names, [f'{low} and {high}' for low, high in pairs], key=len)
        colour = f'C{number}'
        for place in range(len(pairs)):
            values = np.concatenate([getattr(figures, name)[place] for figures in of_row])
            values = values[np.isfinite(values)]
            if not len(values):
                continue
            parts = axes.violinplot(
                values, [place + shift], widths=0.9 * width, showmeans=True, showextrema=False
            )
            for body in parts['bodies']:  # type: ignore[attr-defined]
                body.set(facecolor=colour, alpha=0.45)
            parts['cmeans'].set_color(colour)
    axes.set_xticks(np.arange(len(names)), names)
    axes.grid(alpha=0.3, axis='y')


def _bars(axes: Axes, rows: dict[str, list[LevelFigures]]) -> None:
    """Draw the mAP of each level, of all, and of the best one for each query."""
    width = 0.8 / len(rows)
    most = max(len(figures.precisions) - 1 for of_row in rows.values() for figures in of_row)
    names = [*(f'level {level}' for level in range(most)), 'all', 'best for\neach query']
    low, high = 100.0, 0.0
    for number, of_row in enumerate(rows.values()):
        values = 100 * np.array([_heights(figures) for figures in of_row])
        levels = values.shape[1] - 2
        x = np.array([*range(levels), most, most + 1], float)
        x += (number - (len(rows) - 1) / 2) * width
        means = values.mean(0)
        spread = [means - values.min(0), values.max(0) - means]
        error = spread if len(values) > 1 else None
        bars = axes.bar(x, means, width, yerr=error, capsize=2, color=f'C{number}')
        axes.bar_label(bars, [f'{mean:.1f}' for mean in means], fontsize=7, padding=2)
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    # From near the lowest bar on: what the levels differ by is a few points.
    axes.set_ylim(max(0.0, low - (high - low) - 1), high + 0.15 * (high - low) + 1)
    axes.set_xticks(np.arange(len(names)), names, fontsize=8)
    axes.set(ylabel='mAP, % (the axis does not begin at 0)', title='What each level finds')


def _heights(figures: LevelFigures) -> Sequence[float]:
    gain = figures.gain
    return [*gain.levels, gain.concatenation, gain.oracle]
