"""Diagrams of compared settings: their differences, and curves over bins with their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmclsa.visualization.curves import render

__all__ = ['BinnedCurve', 'Difference', 'draw_binned_curves', 'draw_differences']


@dataclass(frozen=True)
class Difference:
    """How far a setting is from another.

    Attributes:
        name: Of the setting.
        against: Name of the other.
        mean: Difference of mAP, in [-1, 1].
        error: Its standard error; infinite if nothing is known of it.
        per_seed: Difference of each seed; NaN for none.
    """

    name: str
    against: str
    mean: float
    error: float
    per_seed: tuple[float, ...]


@dataclass(frozen=True)
class BinnedCurve:
    """Figures of a setting in bins.

    Attributes:
        name: Of the setting.
        bins: Names of the bins.
        means: In each bin, in [0, 1]; NaN for an empty one.
        per_seed: In each bin, that of each seed.
    """

    name: str
    bins: tuple[str, ...]
    means: tuple[float, ...]
    per_seed: tuple[tuple[float, ...], ...]


def draw_differences(differences: Sequence[Difference], baseline: str = '') -> np.ndarray:
    """Draw a line a setting: mean, two standard errors either way, and a dot a seed.

    Args:
        differences: From top to bottom. A line ends in an arrow where the
            interval leaves the picture, which the means and seeds decide.
        baseline: What is not said of each setting that is compared with it.

    Returns:
        Shape (H, W, 3), uint8, RGB.

    Example:
        >>> draw_differences([Difference('a', 'b', 0.01, 0.004, (0.008, 0.012))], 'b').ndim
        3
    """
    height = 1.2 + 0.24 * max(len(differences), 4)
    figure = Figure(figsize=(8, height), dpi=110, layout='constrained')
    axes = figure.add_subplot()
    places = np.arange(len(differences))
    limits = _limits(differences)
    for place, one in zip(places, differences):
        _draw_difference(axes, int(place), one, limits)
    axes.axvline(0, color='black', linewidth=0.8)
    axes.set_yticks(places, [_label(one, baseline) for one in differences], fontsize=8)
    axes.set_ylim(max(len(differences), 1) - 0.5, -0.5)
    axes.set_xlim(*limits)
    title = f'against {baseline}, or the row that is named' if baseline else ''
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(
        'difference of mAP, points: mean, two standard errors (people, trainings), each seed',
        fontsize=8,
    )
    axes.grid(axis='x', alpha=0.3)
    axes.set_axisbelow(True)
    for place in places[::2]:
        axes.axhspan(place - 0.5, place + 0.5, color='black', alpha=0.04, linewidth=0)
    return render(figure)


def _limits(differences: Sequence[Difference]) -> tuple[float, float]:
    """Choose the ends of the axis, in points: all means and seeds, and what is usual of errors."""
    seen = [0.0]
    for one in differences:
        seen += [one.mean, *(value for value in one.per_seed if np.isfinite(value))]
    errors = [one.error for one in differences if np.isfinite(one.error)]
    usual = 2 * float(np.median(errors)) if errors else 0.0
    low, high = 100 * (min(seen) - usual), 100 * (max(seen) + usual)
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin


def _draw_difference(axes: Axes, place: int, one: Difference, limits: tuple[float, float]) -> None:
    mean = 100 * one.mean
    colour = 'C0' if mean >= 0 else 'C3'
    if np.isfinite(one.error):
        ends = [mean - 200 * one.error, mean + 200 * one.error]
        shown = np.clip(ends, *limits)
        axes.plot(shown, [place, place], color=colour, linewidth=1.6, solid_capstyle='butt')
        for end, inside, marker in zip(ends, shown, '<>'):
            if end != inside:
                axes.plot(inside, place, marker, color=colour, markersize=5, clip_on=False)
    seeds = 100 * np.array(one.per_seed)
    axes.plot(seeds, np.full(len(seeds), place), 'o', color='grey', markersize=2.5, alpha=0.8)
    axes.plot(mean, place, 'D', color=colour, markersize=4.5)


def _label(one: Difference, baseline: str) -> str:
    return one.name if one.against == baseline else f'{one.name}  (against {one.against})'


def draw_binned_curves(
    panels: Mapping[str, Sequence[BinnedCurve]], figure_name: str = 'mAP'
) -> np.ndarray:
    """Draw curves over bins side by side, each with the range of its seeds as a band.

    Args:
        panels: For each title of an x axis the curves, all of the same bins.
            A bin that is empty for all is left out.
        figure_name: What the values are.

    Returns:
        Shape (H, W, 3), uint8, RGB.

    Example:
        >>> curve = BinnedCurve('a', ('low', 'high'), (0.5, 0.6), ((0.4, 0.6), (0.6, 0.6)))
        >>> draw_binned_curves({'height': [curve]}).ndim
        3
    """
    figure = Figure(figsize=(5.6 * max(len(panels), 1), 4.2), dpi=110, layout='constrained')
    for number, (title, curves) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), number + 1)
        _draw_curves(axes, curves)
        axes.set_xlabel(title)
        axes.grid(alpha=0.3)
        if number == 0:
            axes.set_ylabel(f'{figure_name}, %')
            if curves:
                axes.legend(fontsize=8)
    return render(figure)


def _draw_curves(axes: Axes, curves: Sequence[BinnedCurve]) -> None:
    if not curves:
        return
    means = np.array([curve.means for curve in curves])
    kept = np.flatnonzero(np.isfinite(means).any(0))
    for curve, values in zip(curves, means[:, kept]):
        places = np.arange(len(kept))
        (line,) = axes.plot(places, 100 * values, marker='o', markersize=4, label=curve.name)
        seeds = [[v for v in curve.per_seed[k] if np.isfinite(v)] or [np.nan] for k in kept]
        low, high = (np.array([end(of_bin) for of_bin in seeds]) for end in (min, max))
        axes.fill_between(
            places, 100 * low, 100 * high, color=line.get_color(), alpha=0.12, linewidth=0
        )
    names = [curves[0].bins[k].replace(' and more', '\nand more') for k in kept]
    names = [name.replace(' to ', '\nto ').replace('below ', 'below\n') for name in names]
    axes.set_xticks(range(len(kept)), names, fontsize=8)
