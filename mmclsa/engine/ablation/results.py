"""From the folders of runs to CSV, tables and pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmclsa.engine.ablation.grid import Grid
from mmclsa.engine.ablation.run import QUERIES, finished, run_folder
from mmclsa.engine.ablation.schedule import all_runs
from mmclsa.engine.config_variables import files_read_once
from mmclsa.errors import DataError
from mmclsa.evaluation.comparison import Trained, compare_rows, row_precisions, slices_of
from mmclsa.evaluation.comparison_tables import heights_table, ratios_table, rows_table, to_csv
from mmclsa.evaluation.query_figures import load_query_figures
from mmclsa.utils.io import atomic_write
from mmclsa.visualization.canvas import write_picture
from mmclsa.visualization.differences import (
    BinnedCurve,
    Difference,
    draw_binned_curves,
    draw_differences,
)

__all__ = ['collect_runs', 'write_results']

_FACTS = ('config', 'commit', 'device', 'train_seconds', 'test_seconds')
CSV, TABLES, DIFFERENCES, HEIGHTS = 'runs.csv', 'tables.md', 'differences.png', 'heights.png'


def collect_runs(grid: Grid, out: str | Path) -> list[Trained]:
    """Read the finished runs of a grid.

    Args:
        grid: The grid.
        out: Its folder.

    Returns:
        The runs, in the order that :func:`all_runs` gives.

    Raises:
        UserError: If a run is not of this grid or its files are broken.
    """
    runs = []
    with files_read_once():
        for row, seed in all_runs(grid):
            result = finished(out, row, seed)
            if result is None:
                continue
            facts = {name: str(result.get(name, '')) for name in _FACTS}
            facts['options'] = json.dumps(result['options'], sort_keys=True)
            queries = load_query_figures(run_folder(out, row.name, seed) / QUERIES)
            run = Trained(row.name, seed, result['figures'], queries, facts, grid.task)
            _check_task(run)
            runs.append(run)
    return runs


def _check_task(run: Trained) -> None:
    """Refuse a run whose queries are not those of the figures that the tables show."""
    values = run.queries.average_precisions
    mean, figure = _mean(values[np.isfinite(values)]), run.figure('mAP')
    if abs(mean - figure) > 1e-6:
        raise DataError(
            f'{QUERIES} of {run.row}/seed_{run.seed} has an mAP of {mean:.6f}, but that of the '
            f'task {run.task!r} is {figure:.6f}: the task must be the first protocol of the test'
        )


def write_results(grid: Grid, out: str | Path) -> str:
    """Write what the finished runs say.

    ``runs.csv`` has all of them; ``tables.md``, ``differences.png`` and
    ``heights.png`` those of rows that are compared.

    Args:
        grid: The grid.
        out: Its folder.

    Returns:
        The tables; empty, and no pictures, if the baseline has no finished
        run.

    Raises:
        UserError: As for :func:`collect_runs`.
    """
    out, runs = Path(out), collect_runs(grid, out)
    with atomic_write(out / CSV) as temporary:
        temporary.write_text(to_csv(runs))
    if not any(run.row == grid.baseline for run in runs):
        return ''
    order = [row.name for row in grid.compared]
    kept = [run for run in runs if run.row in order]
    tables = '\n\n'.join(
        [
            rows_table(kept, grid.against, order),
            heights_table(kept, grid.against, order, grid.baseline),
            ratios_table(kept, grid.against, order, grid.baseline),
        ]
    )
    with atomic_write(out / TABLES) as temporary:
        temporary.write_text(tables + '\n')
    differences = _differences(kept, grid)
    if differences:
        write_picture(out / DIFFERENCES, draw_differences(differences, grid.baseline))
    pictured = [name for name in grid.drawn if any(run.row == name for run in kept)]
    shared = _shared_seeds(kept, pictured)
    if shared:
        panels = {
            'height of the match': _curves(shared, pictured, 'by_height'),
            "query's height / match's height": _curves(shared, pictured, 'by_ratio'),
        }
        write_picture(out / HEIGHTS, draw_binned_curves(panels))
    return tables


def _differences(runs: Sequence[Trained], grid: Grid) -> list[Difference]:
    return [
        Difference(name, grid.against[name], found.mean, found.error, found.per_seed)
        for name, found in compare_rows(runs, grid.against).items()
    ]


def _shared_seeds(runs: Sequence[Trained], names: Sequence[str]) -> list[Trained]:
    """Keep the runs of seeds that all of some rows have: a fold may be easier than others."""
    seeds = [{run.seed for run in runs if run.row == name} for name in names]
    shared = set.intersection(*seeds) if seeds else set()
    return [run for run in runs if run.row in names and run.seed in shared]


def _curves(runs: Sequence[Trained], names: Sequence[str], field: str) -> list[BinnedCurve]:
    """Give the mAP of rows in each bin: over all queries, and that of each seed."""
    slices = slices_of(runs, field)
    curves = []
    for name in names:
        bins = [row_precisions(runs, name, slices, place) for place in range(len(slices.names))]
        means = [_mean(np.concatenate(of_seeds)) for of_seeds in bins]
        each = [[_mean(values) for values in of_seeds] for of_seeds in bins]
        curves.append(BinnedCurve(name, slices.names, tuple(means), tuple(map(tuple, each))))
    return curves


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float('nan')
