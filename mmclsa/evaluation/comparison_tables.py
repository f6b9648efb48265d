"""Compared rows as tables for a document, and all runs as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from terminaltables import GithubFlavoredMarkdownTable

from mmclsa.errors import DataError
from mmclsa.evaluation.comparison import (
    Slices,
    Trained,
    by_row,
    compare_rows,
    row_precisions,
    slices_of,
)
from mmclsa.evaluation.functional.paired import PairedDifference, holm

__all__ = ['heights_table', 'p_text', 'ratios_table', 'rows_table', 'to_csv']

#: Title of a column and name of its figure.
FIGURES = {'detection AP': 'detection/ap', 'mAP': 'mAP', 'top-1': 'top1'}


def rows_table(runs: Sequence[Trained], against: Mapping[str, str], order: Sequence[str]) -> str:
    """Make the main table: each row's figures and its distance from another row.

    Args:
        runs: All runs.
        against: Name of a row to the name of the row that it is compared with.
        order: Names of rows, as they are to stand; others are left out.

    Returns:
        A table in Markdown: means over all queries of all seeds and ranges
        over seeds, the paired difference of mAP with that of each seed, and
        the two p values of :class:`PairedDifference`, each corrected by
        :func:`holm` for the rows that it was computed for; one seed tells
        nothing about trainings. A column tells what a row is compared with
        unless that is the same for all, and one of detection AP is there
        unless all have 100.
    """
    rows = by_row(runs)
    names = [name for name in order if name in rows]
    compared = compare_rows(runs, {name: against[name] for name in names if name in against})
    queries = dict(zip(compared, holm([found.p_queries for found in compared.values()])))
    several = [name for name, found in compared.items() if len(found.per_seed) > 1]
    both = dict(zip(several, holm([compared[name].p_both for name in several])))
    kept = [run for name in names for run in rows[name].values()]
    figures = dict(FIGURES)
    if all(run.figure(FIGURES['detection AP']) == 1 for run in kept):
        del figures['detection AP']
    head = ['row', 'seeds', *figures, 'against', 'difference of mAP', 'each seed']
    lines = [[*head, 'p (people)', 'p (people, trainings)']]
    for name in names:
        line = [name, str(len(rows[name]))]
        line += [_spread(list(rows[name].values()), figure) for figure in figures.values()]
        if name in compared:
            line += [against[name], *_difference(compared[name]), p_text(queries[name])]
            line += [p_text(both[name]) if name in both else '']
        lines.append([*line, *[''] * (len(lines[0]) - len(line))])
    return _table(lines, against, compared)


def _table(lines: list[list[str]], against: Mapping[str, str], compared: Mapping[str, Any]) -> str:
    """Make Markdown of lines, without their column "against" where it says nothing."""
    if len({against[name] for name in compared}) < 2:
        place = lines[0].index('against')
        lines = [line[:place] + line[place + 1 :] for line in lines]
    return GithubFlavoredMarkdownTable(lines).table


def _spread(of_row: Sequence[Trained], figure: str) -> str:
    percent = 100 * np.array([run.figure(figure) for run in of_row])
    if len(percent) == 1:
        return f'{percent[0]:.1f}'
    queries = [np.isfinite(run.queries.average_precisions).sum() for run in of_row]
    mean = np.average(percent, weights=queries if sum(queries) else None)
    return f'{mean:.1f} ({percent.min():.1f} to {percent.max():.1f})'


def _difference(found: PairedDifference) -> list[str]:
    each = ' '.join('-' if np.isnan(v) else f'{100 * v:+.1f}' for v in found.per_seed)
    return [f'{100 * found.mean:+.1f}', each]


def p_text(value: float) -> str:
    """Write a p value; example: ``0.012``, and ``< 0.001`` below that."""
    return f'{value:.3f}' if value >= 0.001 else '< 0.001'


def heights_table(
    runs: Sequence[Trained], against: Mapping[str, str], order: Sequence[str], baseline: str
) -> str:
    """Make the table by height of the match: the baseline's mAP, and differences.

    Args:
        runs: All runs.
        against: Name of a row to the name of the row that it is compared with.
        order: Names of rows, as they are to stand; others are left out.
        baseline: Name of the row whose own mAP stands at the top.

    Returns:
        A table in Markdown. A star: p (people) is below 0.05, corrected by
        :func:`holm` for all cells of the table. ``-`` stands where neither row
        has a query with such a match; a bin without any is left out.

    Raises:
        DataError: If there is no run of the baseline.
    """
    return _slices_table(runs, against, order, baseline, 'by_height')


def ratios_table(
    runs: Sequence[Trained], against: Mapping[str, str], order: Sequence[str], baseline: str
) -> str:
    """Make the table by the query's height over the match's; see :func:`heights_table`."""
    return _slices_table(runs, against, order, baseline, 'by_ratio')


def _slices_table(
    runs: Sequence[Trained],
    against: Mapping[str, str],
    order: Sequence[str],
    baseline: str,
    field: str,
) -> str:
    if not any(run.row == baseline for run in runs):
        raise DataError(f'there is no run of the baseline {baseline!r}')
    shown = [run for run in runs if run.row in {*order, baseline}]
    slices = slices_of(shown, field)
    wanted = {name: against[name] for name in order if name in against}
    # So many that a p value can be below 0.05 also when it is corrected for all cells.
    flips = max(9999, 100 * len(wanted) * len(slices.names))
    cells = [
        compare_rows(shown, wanted, slices, place, flips) for place in range(len(slices.names))
    ]
    stars = _stars(cells)
    of_base = [_mean(row_precisions(shown, baseline, slices, k)) for k in range(len(cells))]
    kept = [
        k
        for k, of_bin in enumerate(cells)
        if of_base[k] != '-' or any(found.queries for found in of_bin.values())
    ]
    lines = [['row', 'against', *(slices.names[k] for k in kept)]]
    lines.append([baseline, '', *(of_base[k] for k in kept)])
    for name in cells[0]:
        marked = [_cell(cells[k][name], (name, k) in stars) for k in kept]
        lines.append([name, against[name], *marked])
    return _table(lines, against, cells[0])


def _stars(cells: Sequence[Mapping[str, PairedDifference]]) -> set[tuple[str, int]]:
    """Find the cells that differ from 0 with all that have queries looked at."""
    tested = {
        (name, k): found.p_queries
        for k, of_bin in enumerate(cells)
        for name, found in of_bin.items()
        if found.queries
    }
    corrected = holm(list(tested.values()))
    return {cell for cell, value in zip(tested, corrected) if value < 0.05}


def _cell(found: PairedDifference, star: bool) -> str:
    return f'{100 * found.mean:+.1f}' + ' *' * star if found.queries else '-'


def _mean(of_seeds: Sequence[np.ndarray]) -> str:
    values = np.concatenate(of_seeds)
    return f'{100 * values.mean():.1f}' if len(values) else '-'


def to_csv(runs: Sequence[Trained]) -> str:
    """List all runs, one a line: row, seed, every figure, mAP by height and ratio, facts.

    Args:
        runs: All runs.

    Returns:
        CSV with a header; figures in [0, 1] with 6 digits; empty where a run
        has no query.
    """
    lines = []
    for run in runs:
        line: dict[str, Any] = {'row': run.row, 'seed': run.seed}
        line.update({name: round(value, 6) for name, value in run.figures.items()})
        for field, start, end in (('by_height', '', 'px'), ('by_ratio', 'ratio_', '')):
            slices = slices_of([run], field)
            line.update(_csv_slices(run, slices, start, end))
        lines.append({**line, **run.facts})
    names = list(dict.fromkeys(name for line in lines for name in line))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, lineterminator='\n')
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()


def _csv_slices(run: Trained, slices: Slices, start: str, end: str) -> dict[str, Any]:
    found = {}
    for place, edge in enumerate([0.0, *slices.edges]):
        (values,) = row_precisions([run], run.row, slices, place)
        mean = round(float(values.mean()), 6) if len(values) else ''
        found[f'mAP_{start}from_{edge:g}{end}'] = mean
    return found
