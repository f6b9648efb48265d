"""Diagrams of search results: CMC, size of the gallery, height of the match."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mmclsa.errors import DataError, UserError
from mmclsa.utils.text import read_text
from mmclsa.visualization.canvas import write_picture
from mmclsa.visualization.curves import draw_cmc, render

__all__ = ['draw_gallery_sizes', 'draw_strata', 'read_report', 'save_search_pictures']

Bin = Mapping[str, Any]
Report = Mapping[str, Mapping[str, Any]]


def read_report(path: str | Path) -> dict[str, dict[str, Any]]:
    """Read the figures that ``eval_search.py --out`` wrote.

    Args:
        path: The JSON file.

    Returns:
        Figures of each protocol, by its name.

    Raises:
        DataError: If the file is missing or broken, or lacks a field.
    """
    try:
        report = json.loads(read_text(Path(path)))
    except FileNotFoundError:
        raise DataError(f'{path} is missing') from None
    except (OSError, ValueError) as error:
        raise DataError(f'{path} is no readable JSON file ({error})') from None
    if not isinstance(report, dict):
        raise DataError(f'{path} must have an object of protocols, but has {report!r:.60}')
    protocols = {name: entry for name, entry in report.items() if name != 'detection'}
    if not protocols:
        raise DataError(f'{path} has no protocol')
    for name, entry in protocols.items():
        for field in ('mAP', 'cmc', 'gallery_size', 'by_height', 'by_height_ratio'):
            if not isinstance(entry, dict) or field not in entry:
                raise DataError(
                    f'{path}, protocol {name}: the field {field!r} is missing, which '
                    'eval_search.py --out writes (test.py --json does not)'
                )
    return protocols


def draw_gallery_sizes(
    curves: Mapping[str, Sequence[tuple[float, float]]], title: str = ''
) -> np.ndarray:
    """Draw mAP against the size of the gallery.

    Args:
        curves: For each name, pairs of images in the gallery and mAP, 0..1.
        title: A line above.

    Returns:
        Shape (H, W, 3), uint8, RGB.

    Example:
        >>> draw_gallery_sizes({'trained': [(50, 0.9), (100, 0.88)]}).shape[2]
        3
    """
    figure = Figure(figsize=(6, 4.2), dpi=110, layout='constrained')
    axes = figure.add_subplot()
    for name, pairs in curves.items():
        sizes, values = np.array(sorted(pairs), float).reshape(-1, 2).T
        axes.plot(sizes, 100 * values, marker='o', label=name)
    axes.set(xlabel='images in the gallery', ylabel='mAP, %', ylim=(0, 102), title=title)
    axes.set_xscale('log')
    axes.grid(alpha=0.3, which='both')
    if curves:
        axes.legend(loc='lower left')
    return render(figure)


def draw_strata(
    bins: Mapping[str, Sequence[Bin]], label: str, unit: str = '', title: str = ''
) -> np.ndarray:
    """Draw mAP and top-1 by bin.

    Args:
        bins: For each name, bins with ``low``, ``high`` (None for the last),
            ``matches``, ``queries``, ``mAP`` and ``top1``; the same bins for
            all names.
        label: What the bins are of.
        unit: Behind the bounds of a bin.
        title: A line above.

    Returns:
        Shape (H, W, 3), uint8, RGB. A bin that nobody has a match in is left
        empty.

    Example:
        >>> one = dict(low=0, high=64, queries=3, matches=5, mAP=0.5, top1=0.7)
        >>> draw_strata({'trained': [one]}, 'height', 'px').ndim
        3
    """
    figure = Figure(figsize=(9.5, 4), dpi=110, layout='constrained')
    width = 0.8 / max(len(bins), 1)
    for place, (key, name) in enumerate((('mAP', 'mAP'), ('top1', 'top-1'))):
        axes = figure.add_subplot(1, 2, place + 1)
        for number, (who, entries) in enumerate(bins.items()):
            x = np.arange(len(entries)) + (number - (len(bins) - 1) / 2) * width
            heights = [100 * entry[key] if entry['queries'] else 0 for entry in entries]
            bars = axes.bar(x, heights, width, label=who)
            shown = [f'{h:.0f}' if e['queries'] else '' for h, e in zip(heights, entries)]
            axes.bar_label(bars, shown, fontsize=8)
        first = next(iter(bins.values()), [])
        names = [f'{_bounds(entry, unit)}\n{entry["matches"]:,}' for entry in first]
        axes.set_xticks(np.arange(len(first)), names, fontsize=8)
        axes.set(ylabel=f'{name}, %', ylim=(0, 108), xlabel=f'{label}; below it: matches')
        if len(bins) > 1:
            axes.legend(fontsize=8, loc='lower right')
    if title:
        figure.suptitle(title)
    return render(figure)


def _bounds(entry: Bin, unit: str) -> str:
    low, high = entry['low'], entry['high']
    if high is None or high == float('inf'):
        return f'≥ {low:g} {unit}'.strip()
    if not low:
        return f'< {high:g} {unit}'.strip()
    return f'{low:g}-{high:g} {unit}'.strip()


def save_search_pictures(
    reports: Mapping[str, Report], out_dir: str | Path, protocol: str | None = None
) -> list[Path]:
    """Draw the diagrams of one model's search, or of several side by side.

    Args:
        reports: Figures by name of the model; see :func:`read_report`.
        out_dir: Folder for the pictures.
        protocol: The task that heights are drawn of, and with several models
            the CMC too; None for the first one that all models have.

    Returns:
        ``cmc.png``, ``by_height.png``, ``by_height_ratio.png`` and, if there
        are galleries of two sizes or more, ``gallery_size.png``.

    Raises:
        UserError: If no task is common to all models, ``protocol`` is unknown,
            or the folder cannot be written to.
    """
    name = _common(reports, protocol)
    out_dir = Path(out_dir)
    pictures = {'cmc.png': draw_cmc(_cmc_curves(reports, name), '' if len(reports) == 1 else name)}
    for field, label, unit in (
        ('by_height', 'height of the match', 'px'),
        ('by_height_ratio', 'height of the query / of the match', ''),
    ):
        bins = {who: report[name][field] for who, report in reports.items()}
        pictures[f'{field}.png'] = draw_strata(bins, label, unit, name)
    sizes = {
        who: [(entry['gallery_size'], entry['mAP']) for entry in report.values()]
        for who, report in reports.items()
    }
    if any(len({size for size, _ in pairs}) > 1 for pairs in sizes.values()):
        pictures['gallery_size.png'] = draw_gallery_sizes(sizes)
    return [write_picture(out_dir / file, drawn) for file, drawn in pictures.items()]


def _common(reports: Mapping[str, Report], protocol: str | None) -> str:
    first, *others = reports.values()
    common = [name for name in first if all(name in other for other in others)]
    if not common:
        raise UserError('no protocol is in all of the reports')
    if protocol is not None and protocol not in common:
        raise UserError(f'protocol must be one of {", ".join(common)}, but is {protocol!r}')
    return protocol or common[0]


def _cmc_curves(reports: Mapping[str, Report], name: str) -> dict[str, Sequence[float]]:
    """Take every task of one model, or one task of every model; 20 ranks of each."""
    if len(reports) == 1:
        (report,) = reports.values()
        return {task: entry['cmc'][:20] for task, entry in report.items()}
    return {who: report[name]['cmc'][:20] for who, report in reports.items()}
