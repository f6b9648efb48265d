"""Curves of training runs and of search results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmclsa.errors import DataError
from mmclsa.utils.loss_names import is_reid_loss
from mmclsa.utils.text import read_text
from mmclsa.visualization.canvas import write_picture

__all__ = [
    'cmc_curve',
    'draw_cmc',
    'draw_training_curves',
    'find_scalars',
    'read_scalars',
    'render',
    'save_training_curves',
]

Line = Mapping[str, Any]


def cmc_curve(first_ranks: Sequence[float] | np.ndarray, max_rank: int = 20) -> np.ndarray:
    """Compute the cumulative match characteristic.

    Args:
        first_ranks: Rank (1 = best) of the first right hit of each query;
            infinite or NaN if there is none.
        max_rank: Length of the curve, at least 1.

    Returns:
        Shape (max_rank,): share of queries, 0..1, with a right hit at this
        rank or before; zeros without queries.

    Example:
        >>> cmc_curve([1, 3, float('inf'), 1], max_rank=3).tolist()
        [0.5, 0.5, 0.75]
    """
    ranks = np.asarray(first_ranks, dtype=float)
    if not len(ranks):
        return np.zeros(max_rank)
    return (ranks[None] <= np.arange(1, max_rank + 1)[:, None]).mean(1)


def draw_cmc(curves: Mapping[str, Sequence[float] | np.ndarray], title: str = '') -> np.ndarray:
    """Draw CMC curves into one diagram.

    Args:
        curves: For each name the match rates, 0..1, at ranks 1, 2, ...
        title: A line above.

    Returns:
        Shape (H, W, 3), uint8, RGB.

    Example:
        >>> draw_cmc({'trained': [0.8, 0.9, 1.0]}).ndim
        3
    """
    figure = Figure(figsize=(6, 4.2), dpi=110, layout='constrained')
    axes = figure.add_subplot()
    longest = 1
    for name, values in curves.items():
        rates = np.asarray(values, float)
        longest = max(longest, len(rates))
        label = f'{name} (top-1 {100 * rates[0]:.1f} %)' if len(rates) else name
        axes.plot(np.arange(1, len(rates) + 1), 100 * rates, marker='.', label=label)
    axes.set(xlabel='rank', ylabel='queries matched, %', ylim=(0, 102), title=title)
    axes.set_xlim(1, max(longest, 2))
    axes.grid(alpha=0.3)
    if curves:
        axes.legend(loc='lower right')
    return render(figure)


def find_scalars(path: str | Path) -> list[Path]:
    """Find the logs of a run.

    Args:
        path: A ``scalars.json``, or a work dir: then those of all its
            starts, oldest first.

    Raises:
        DataError: If there is none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    found = sorted(path.glob('*/vis_data/scalars.json')) + sorted(path.glob('scalars.json'))
    if not found:
        raise DataError(
            f'{path} is neither a scalars.json nor a work dir with */vis_data/scalars.json'
        )
    return found


def read_scalars(paths: Sequence[str | Path]) -> list[dict[str, Any]]:
    """Read logs of MMEngine and put those of a resumed run together.

    Args:
        paths: Files of one JSON object a line, oldest first. A later file
            replaces what an earlier one has from its own first step on. An
            unfinished last line is left out: the run may still be writing it.

    Returns:
        One dict a line.

    Raises:
        DataError: If a file cannot be read or a line is no JSON object.
    """
    scalars: list[dict[str, Any]] = []
    for path in paths:
        added = _read_lines(Path(path))
        for training in (True, False):
            steps = [r['step'] for r in added if ('loss' in r) == training and 'step' in r]
            if steps:
                scalars = [
                    r
                    for r in scalars
                    if ('loss' in r) != training or r.get('step', -1) < min(steps)
                ]
        scalars += added
    return scalars


def _read_lines(path: Path) -> list[dict[str, Any]]:
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'log {path} cannot be read ({error})') from error
    scalars = []
    for number, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
        except ValueError as error:
            if number == len(lines):
                break
            raise DataError(f'log {path}: line {number} is no JSON ({error})') from error
        if not isinstance(line, dict):
            raise DataError(f'log {path}: line {number} is no JSON object')
        if not isinstance(line.get('step', 0), (int, float)):
            raise DataError(
                f'log {path}: field step of line {number} must be a number, but is {line["step"]!r}'
            )
        scalars.append(line)
    return scalars


def draw_training_curves(scalars: Sequence[Line], title: str = '') -> np.ndarray:
    """Draw the losses, the learning rate and the validation of a run.

    Args:
        scalars: See :func:`read_scalars`.
        title: A line above.

    Returns:
        Shape (H, W, 3), uint8, RGB.

    Raises:
        DataError: If no line has a number to draw.

    Example:
        >>> draw_training_curves([{'step': 1, 'loss': 2.0}, {'step': 2, 'loss': 1.0}]).ndim
        3
    """
    panels = _panels(scalars)
    if not panels:
        raise DataError('the log has neither losses nor figures of a validation')
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(5.6 * columns, 3.6 * rows), dpi=100, layout='constrained')
    for number, (name, unit, series) in enumerate(panels):
        axes = figure.add_subplot(rows, columns, number + 1)
        for label, (steps, values) in series.items():
            _plot(axes, label, steps, values)
        axes.set(title=name, xlabel=unit)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    if title:
        figure.suptitle(title)
    return render(figure)


def save_training_curves(path: str | Path, out: str | Path) -> Path:
    """Draw the curves of a run into a file.

    Args:
        path: A work dir or a ``scalars.json``.
        out: The picture to write.

    Returns:
        ``out``.

    Raises:
        DataError: If there is no log, or nothing in it.
        UserError: If the picture cannot be written.
    """
    try:
        drawn = draw_training_curves(read_scalars(find_scalars(path)))
    except DataError as error:
        raise DataError(f'{path}: {error}' if str(path) not in str(error) else str(error)) from None
    return write_picture(out, drawn)


Series = dict[str, tuple[np.ndarray, np.ndarray]]


def _panels(scalars: Sequence[Line]) -> list[tuple[str, str, Series]]:
    """Sort the numbers into diagrams: title, unit of x, curves."""
    training = [r for r in scalars if 'loss' in r]
    others = [r for r in scalars if 'loss' not in r]
    names = sorted({name for r in training for name in r if 'loss' in name})
    parts = [name for name in names if name != 'loss' and not is_reid_loss(name)]
    groups = [
        ('Losses of the detector, and the sum', ['loss', *parts], training),
        ('Losses of the re-ID branch', [n for n in names if is_reid_loss(n)], training),
        ('Learning rate', ['lr'], training),
    ]
    figures = sorted({name for r in others for name in r if _is_score(name)})
    for group in ('detection', 'search'):
        chosen = [n for n in figures if ('detection' in n) == (group == 'detection')]
        groups.append((f'Validation: {group}', chosen, others))
    panels = []
    for title, chosen, source in groups:
        series = {n: s for n in chosen if len((s := _series(source, n))[0])}
        if series:
            panels.append((title, 'iteration' if source is training else 'epoch', series))
    return panels


def _is_score(name: str) -> bool:
    return name.endswith(('mAP', 'top1', 'recall', 'ap', 'AP'))


def _series(scalars: Sequence[Line], name: str) -> tuple[np.ndarray, np.ndarray]:
    pairs = [
        (float(r.get('step', place)), float(r[name]))
        for place, r in enumerate(scalars)
        if isinstance(r.get(name), (int, float))
    ]
    table = np.array(sorted(pairs), float).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _plot(axes: Axes, label: str, steps: np.ndarray, values: np.ndarray) -> None:
    """Draw a curve; a long one also smoothed, over its own pale self."""
    marker = 'o' if len(steps) < 30 else None
    if len(steps) < 60:
        axes.plot(steps, values, marker=marker, markersize=3, label=label)
        return
    window = len(steps) // 20
    padded = np.pad(values, (window, window), mode='edge')
    smooth = np.convolve(padded, np.full(2 * window + 1, 1 / (2 * window + 1)), mode='valid')
    (line,) = axes.plot(steps, smooth, label=label)
    axes.plot(steps, values, color=line.get_color(), alpha=0.2, linewidth=0.8)


def render(figure: Figure) -> np.ndarray:
    """Draw a figure of Matplotlib into a picture (H, W, 3), uint8, RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
