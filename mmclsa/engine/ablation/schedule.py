"""Running a grid, together with other processes that do the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from mmclsa.engine.ablation.claims import take_claim
from mmclsa.engine.ablation.grid import Grid, Row, row_config
from mmclsa.engine.ablation.run import (
    LOG,
    finished,
    left_weights,
    run_folder,
    run_in_process,
    write_run,
)
from mmclsa.engine.config_variables import files_read_once

__all__ = ['all_runs', 'chosen_runs', 'work_through']

CLAIMS = 'claims'  # folder in that of the grid


def all_runs(grid: Grid) -> list[tuple[Row, int]]:
    """List the runs of a grid: every row's first seed, then every row's second, ..."""
    most = max(len(row.seeds) for row in grid.rows)
    return [
        (row, row.seeds[turn]) for turn in range(most) for row in grid.rows if turn < len(row.seeds)
    ]


def chosen_runs(grid: Grid, names: Collection[str]) -> list[tuple[Row, int]]:
    """List the runs of some rows, and those whose weights they need.

    Args:
        grid: The grid.
        names: Of the rows.

    Returns:
        The runs, in the order of :func:`all_runs`.

    Raises:
        ConfigError: If the grid has no row of a name.
    """
    runs = [(row, seed) for row in map(grid.__getitem__, names) for seed in row.seeds]
    wanted = {(row.name, seed) for row, seed in runs}
    while runs:
        needed = [run for run in (_needed(grid, row, seed) for row, seed in runs) if run]
        runs = [(row, seed) for row, seed in needed if (row.name, seed) not in wanted]
        wanted.update((row.name, seed) for row, seed in runs)
    return [(row, seed) for row, seed in all_runs(grid) if (row.name, seed) in wanted]


def work_through(
    path: str | Path,
    grid: Grid,
    out: str | Path,
    runs: Iterable[tuple[Row, int]],
    report: Callable[[str], None] = print,
    wait: float = 5.0,
) -> list[str]:
    """Do the unfinished runs of a grid.

    Any number of processes, on any number of machines that share ``out``, may
    do so at once. Runs that others are at are waited for, and done here if
    their owner dies or fails; so all return when all runs are finished, or
    have failed here.

    Args:
        path: File of the grid.
        grid: What it says.
        out: Folder of all runs.
        runs: Those to do, in this order.
        report: Takes a line for every run.
        wait: Seconds between two looks at what others do.

    Returns:
        Names of the runs that failed.

    Raises:
        UserError: If a finished run is not one of this grid, or a row is no
            config.
    """
    left, failed = list(runs), list[str]()
    # Now: a misspelt option of the last row would be told after days.
    with files_read_once():
        for name in dict.fromkeys(row.name for row, _ in left):
            row_config(grid[name], grid[name].seeds[0])
    while left:
        waiting = []
        with files_read_once():
            left = [(row, seed) for row, seed in left if not finished(out, row, seed)]
        for row, seed in left:
            name = f'{row.name}/seed_{seed}'
            if finished(out, row, seed):
                continue
            needed = _needed(grid, row, seed)
            start = left_weights(out, *needed) if needed else None
            if needed and start is None:
                if f'{needed[0].name}/seed_{needed[1]}' in failed:
                    report(f'{name}: not done, as {needed[0].name} failed')
                    failed.append(name)
                else:
                    waiting.append((row, seed))
                continue
            claim = take_claim(Path(out) / CLAIMS, f'{row.name}.seed_{seed}')
            if claim is None:
                waiting.append((row, seed))
                continue
            with claim:
                if not _do(path, out, row, seed, start, report):
                    failed.append(name)
        left = waiting
        if left:
            time.sleep(wait)
    return failed


def _needed(grid: Grid, row: Row, seed: int) -> tuple[Row, int] | None:
    """Name the run whose weights another starts from, or tests."""
    if row.weights_of:
        return grid[row.weights_of], seed
    if row.start:
        first = grid[row.start]
        return first, first.seeds[0]
    return None


def _do(
    path: str | Path,
    out: str | Path,
    row: Row,
    seed: int,
    start: str | None,
    report: Callable[[str], None],
) -> bool:
    """Do a claimed run, unless its last owner has finished it; tell whether all is well."""
    name = f'{row.name}/seed_{seed}'
    if not finished(out, row, seed):
        write_run(out, row, seed, start)
        report(f'{time.strftime("%H:%M:%S")} {name} begins')
        run_in_process(path, out, row.name, seed)
    result = finished(out, row, seed)
    if result is None:
        report(f'{name}: failed, see {run_folder(out, row.name, seed) / LOG}')
        return False
    figures = {key.removeprefix('search/'): value for key, value in result['figures'].items()}
    shown = ', '.join(f'{k} {100 * v:.1f}' for k, v in figures.items() if k.endswith(('mAP', 'ap')))
    report(f'{time.strftime("%H:%M:%S")} {name}: {shown} ({result["train_seconds"]:.0f} s)')
    return True
