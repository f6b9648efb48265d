"""From the folders of runs to CSV and tables."""

from __future__ import annotations

import json
from pathlib import Path

from mmclsa.engine.ablation.grid import Grid
from mmclsa.engine.ablation.run import QUERIES, finished, run_folder
from mmclsa.engine.ablation.schedule import all_runs
from mmclsa.evaluation.comparison import Trained, heights_table, rows_table, to_csv
from mmclsa.evaluation.query_figures import load_query_figures
from mmclsa.utils.io import atomic_write

__all__ = ['collect_runs', 'write_tables']

_FACTS = ('config', 'commit', 'train_seconds', 'test_seconds')


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
    for row, seed in all_runs(grid):
        result = finished(out, row, seed)
        if result is None:
            continue
        facts = {name: str(result[name]) for name in _FACTS}
        facts['options'] = json.dumps(result['options'], sort_keys=True)
        queries = load_query_figures(run_folder(out, row.name, seed) / QUERIES)
        runs.append(Trained(row.name, seed, result['figures'], queries, facts, grid.task))
    return runs


def write_tables(grid: Grid, out: str | Path) -> str:
    """Write ``runs.csv`` and ``tables.md`` of the finished runs.

    Args:
        grid: The grid.
        out: Its folder.

    Returns:
        The tables; empty if the baseline has no finished run.

    Raises:
        UserError: As for :func:`collect_runs`.
    """
    runs = collect_runs(grid, out)
    with atomic_write(Path(out) / 'runs.csv') as temporary:
        temporary.write_text(to_csv(runs))
    if not any(run.row == grid.baseline for run in runs):
        return ''
    starts = {row.start for row in grid.rows} - {grid.baseline}
    order = [row.name for row in grid.rows if row.name not in starts]
    kept = [run for run in runs if run.row not in starts]
    tables = '\n\n'.join(make(kept, grid.baseline, order) for make in (rows_table, heights_table))
    with atomic_write(Path(out) / 'tables.md') as temporary:
        temporary.write_text(tables + '\n')
    return tables
