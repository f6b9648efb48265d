"""Rows of trained models, compared with a baseline: as CSV and as tables for a document."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from terminaltables import GithubFlavoredMarkdownTable

from mmclsa.errors import DataError
from mmclsa.evaluation.functional.paired import PairedDifference, compare_pairs, holm
from mmclsa.evaluation.query_figures import QueryFigures

__all__ = ['Trained', 'compare_rows', 'heights_table', 'rows_table', 'to_csv']

FIGURES = ('detection/ap', 'mAP', 'top1')


@dataclass(frozen=True, eq=False)
class Trained:
    """A model that was trained and tested.

    Attributes:
        row: Name of its setting.
        seed: Of the training.
        figures: As the evaluation names them, in [0, 1].
        queries: Figures of each query.
        facts: What else the CSV tells: commit, options, seconds.
        task: Protocol that is looked at; empty for the only one.
    """

    row: str
    seed: int
    figures: Mapping[str, float]
    queries: QueryFigures
    facts: Mapping[str, str]
    task: str = ''

    def figure(self, end: str) -> float:
        """Look up the one figure whose name ends so.

        Raises:
            DataError: If there is none, or more than one.
        """
        ends = [f'/{end}', f'/{self.task}/{end}'] if self.task else [f'/{end}']
        found = [value for name, value in self.figures.items() if name.endswith(f'/{end}')]
        if len(found) > 1 and self.task:
            found = [v for name, v in self.figures.items() if name.endswith(ends[-1])]
        if len(found) != 1:
            raise DataError(
                f'run {self.row}/seed_{self.seed} must have one figure that ends in /{end}, but '
                f'has {len(found)} of {sorted(self.figures)}'
            )
        return found[0]


def _by_row(runs: Sequence[Trained]) -> dict[str, dict[int, Trained]]:
    rows: dict[str, dict[int, Trained]] = {}
    for run in runs:
        rows.setdefault(run.row, {})[run.seed] = run
    return rows


def compare_rows(
    runs: Sequence[Trained], baseline: str, height: int | None = None
) -> dict[str, PairedDifference]:
    """Compare each row with the baseline, over the seeds that both have.

    Args:
        runs: All runs.
        baseline: Name of the baseline's row.
        height: Compare on the matches of this bin of heights; None for all.

    Returns:
        A comparison for each other row that shares a seed with the baseline.

    Raises:
        DataError: If runs were tested with different queries.
    """
    rows, found = _by_row(runs), {}
    against = rows.pop(baseline, {})
    for name, of_row in rows.items():
        seeds = sorted(of_row.keys() & against.keys())
        if not seeds:
            continue
        pairs = [(of_row[seed].queries, against[seed].queries) for seed in seeds]
        first = pairs[0][1]
        for ours, base in pairs:
            for other in (ours, base):
                if not np.array_equal(other.query_ids, first.query_ids):
                    raise DataError(f'the runs of {name} and {baseline} have different queries')
        values = [[_precisions(queries, height) for queries in pair] for pair in pairs]
        ours, base = np.array(values).swapaxes(0, 1)
        found[name] = compare_pairs(ours, base, first.person_ids)
    return found


def _precisions(queries: QueryFigures, height: int | None) -> np.ndarray:
    return queries.average_precisions if height is None else queries.by_height[height]


def _spread(values: Sequence[float]) -> str:
    percent = 100 * np.asarray(values)
    if len(percent) == 1:
        return f'{percent[0]:.1f}'
    return f'{percent.mean():.1f} ({percent.min():.1f} to {percent.max():.1f})'


def rows_table(runs: Sequence[Trained], baseline: str, order: Sequence[str]) -> str:
    """Make the main table: each row's figures and its distance from the baseline.

    Args:
        runs: All runs.
        baseline: Name of the baseline's row.
        order: Names of rows, as they are to stand; others are left out.

    Returns:
        A table in Markdown: means and ranges over seeds, the paired difference
        of mAP with that of each seed, and the two p values of
        :class:`PairedDifference`, each corrected by :func:`holm` for the rows
        that it was computed for; one seed tells nothing about trainings.
    """
    rows = _by_row(runs)
    compared = compare_rows(runs, baseline)
    names = [name for name in order if name in rows]
    tested = [name for name in names if name in compared]
    queries = dict(zip(tested, holm([compared[name].p_queries for name in tested])))
    several = [name for name in tested if len(compared[name].per_seed) > 1]
    both = dict(zip(several, holm([compared[name].p_both for name in several])))
    head = ['row', 'seeds', 'detection AP', 'mAP', 'top-1', 'difference of mAP', 'each seed']
    lines = [[*head, 'p (people)', 'p (people, trainings)']]
    for name in names:
        of_row = list(rows[name].values())
        line = [name, str(len(of_row))]
        line += [_spread([run.figure(figure) for run in of_row]) for figure in FIGURES]
        if name in compared:
            found = compared[name]
            each = ' '.join(f'{100 * value:+.1f}' for value in found.per_seed)
            line += [f'{100 * found.mean:+.1f}', each, _p(queries[name])]
            line += [_p(both[name]) if name in both else '']
        lines.append([*line, *[''] * (len(lines[0]) - len(line))])
    return GithubFlavoredMarkdownTable(lines).table


def _p(value: float) -> str:
    return f'{value:.3f}' if value >= 0.001 else '< 0.001'


def heights_table(runs: Sequence[Trained], baseline: str, order: Sequence[str]) -> str:
    """Make the table by height of the match: the baseline's mAP, and differences from it.

    Args:
        runs: All runs.
        baseline: Name of the baseline's row.
        order: Names of rows, as they are to stand.

    Returns:
        A table in Markdown. A star: p (people) is below 0.05, corrected by
        :func:`holm` for all cells of the table.

    Raises:
        DataError: If there is no run of the baseline.
    """
    base = [run.queries for run in runs if run.row == baseline]
    if not base:
        raise DataError(f'there is no run of the baseline {baseline!r}')
    edges = [0.0, *base[0].edges.tolist(), np.inf]
    bins = [_bin_name(low, high) for low, high in zip(edges, edges[1:])]
    compared = [compare_rows(runs, baseline, height) for height in range(len(bins))]
    names = [name for name in order if name in compared[0]]
    corrected = holm([of_bin[name].p_queries for name in names for of_bin in compared])
    stars = corrected.reshape(len(names), len(bins)) < 0.05
    of_base = [100 * np.mean([np.nanmean(q.by_height[k]) for q in base]) for k in range(len(bins))]
    lines = [['row', *bins], [baseline, *(f'{mean:.1f}' for mean in of_base)]]
    for name, marks in zip(names, stars):
        means = [f'{100 * of_bin[name].mean:+.1f}' for of_bin in compared]
        lines.append([name, *(m + ' *' * bool(mark) for m, mark in zip(means, marks))])
    return GithubFlavoredMarkdownTable(lines).table


def _bin_name(low: float, high: float) -> str:
    if np.isinf(high):
        return f'{low:g} px and more'
    return f'below {high:g} px' if low == 0 else f'{low:g} to {high:g} px'


def to_csv(runs: Sequence[Trained]) -> str:
    """List all runs, one a line: row, seed, every figure, mAP by height, facts.

    Args:
        runs: All runs.

    Returns:
        CSV with a header; figures in [0, 1] with 6 digits.
    """
    lines = []
    for run in runs:
        edges = [0.0, *run.queries.edges.tolist()]
        heights = {
            f'mAP_from_{edge:g}px': float(np.nanmean(values)) if np.isfinite(values).any() else ''
            for edge, values in zip(edges, run.queries.by_height)
        }
        figures = {name: round(value, 6) for name, value in run.figures.items()}
        rounded = {n: round(v, 6) if isinstance(v, float) else v for n, v in heights.items()}
        lines.append({'row': run.row, 'seed': run.seed, **figures, **rounded, **run.facts})
    names = list(dict.fromkeys(name for line in lines for name in line))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, lineterminator='\n')
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()
