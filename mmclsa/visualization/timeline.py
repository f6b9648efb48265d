"""When and where somebody was seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mmclsa.utils.times import format_time
from mmclsa.visualization.curves import render
from mmclsa.visualization.fonts import drawable, font_families

__all__ = ['draw_timeline']


def draw_timeline(
    times: Sequence[float],
    cameras: Sequence[str],
    similarities: Sequence[float],
    title: str = '',
    width: int = 900,
) -> np.ndarray:
    """Draw sightings along time, a row for each camera.

    Args:
        times: Seconds since 1970 or since a video's start, one a sighting;
            those of unknown time (NaN) are counted below the diagram.
        cameras: Name of each sighting's camera; empty for unknown.
        similarities: Cosine similarity of each, which gives its colour.
        title: A line above.
        width: Pixels.

    Returns:
        Shape (H, width, 3), uint8, RGB.

    Example:
        >>> draw_timeline([0.0, 8.5], ['door', 'yard'], [0.9, 0.7], width=400).shape[1:]
        (400, 3)
    """
    when = np.asarray(times, float)
    likeness = np.asarray(similarities, float)
    known = np.isfinite(when)
    names = sorted(set(cameras))
    rows = np.array([names.index(camera) for camera in cameras], int)
    height = 1.5 + 0.35 * max(len(names), 1)
    figure = Figure(figsize=(width / 100, height), dpi=100, layout='constrained')
    axes = figure.add_subplot()
    dots = axes.scatter(
        when[known], rows[known], c=likeness[known], s=60, cmap='viridis', edgecolors='white'
    )
    if known.any():
        figure.colorbar(dots, ax=axes, label='similarity')
    labels = [_plain(name) or 'no camera' for name in names]
    families = font_families([*labels, _plain(title)])
    axes.set_yticks(range(len(names)), labels, family=families)
    axes.set_ylim(-0.6, max(len(names), 1) - 0.4)
    axes.invert_yaxis()
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: format_time(seconds)))
    axes.grid(alpha=0.3)
    axes.set_title(_plain(title), family=families)
    missing = int((~known).sum())
    axes.set_xlabel(f'{missing} more at an unknown time' if missing else 'time')
    return render(figure)


def _plain(text: str) -> str:
    """Keep matplotlib from taking what is between dollars for a formula."""
    return drawable(text).replace('$', r'\$')
