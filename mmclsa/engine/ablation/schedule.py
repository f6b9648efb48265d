"""Working through a grid, beside others who do the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from mmclsa.engine.ablation.claims import take_claim
from mmclsa.engine.ablation.grid import Grid, Row
from mmclsa.engine.ablation.run import (
    LOG,
    finished,
    run_folder,
    run_in_process,
    start_weights,
    write_run,
)

__all__ = ['all_runs', 'work_through']

_WAIT = 5.0  # seconds between two looks at what others do


def all_runs(grid: Grid) -> list[tuple[Row, int]]:
    """List the runs of a grid: every row's first seed, then every row's second, ..."""
    most = max(len(row.seeds) for row in grid.rows)
    return [
        (row, row.seeds[turn]) for turn in range(most) for row in grid.rows if turn < len(row.seeds)
    ]


def work_through(
    path: str | Path,
    grid: Grid,
    out: str | Path,
    runs: Iterable[tuple[Row, int]],
    report: Callable[[str], None] = print,
) -> list[str]:
    """Do what is left of some runs of a grid.

    Any number of processes, on any number of machines that share ``out``, may
    do so at once. Returns when no run is left that this process could do or
    wait for in order to do another.

    Args:
        path: File of the grid.
        grid: What it says.
        out: Folder of all runs.
        runs: Those to do, in this order.
        report: Takes a line for every run.

    Returns:
        Names of the runs that failed.
    """
    left, failed = list(runs), []
    while left:
        waiting = []
        for row, seed in left:
            name = f'{row.name}/seed_{seed}'
            if finished(out, row, seed):
                continue
            start = _start(grid, out, row)
            if row.start and start is None:
                if row.start in {n.split('/')[0] for n in failed}:
                    report(f'{name}: not done, as {row.start} failed')
                    failed.append(name)
                else:
                    waiting.append((row, seed))
                continue
            claim = take_claim(Path(out) / 'claims', f'{row.name}.seed_{seed}')
            if claim is None:
                report(f'{name}: somebody else is at it')
                continue
            with claim:
                if not _do(path, out, row, seed, start, report):
                    failed.append(name)
        if waiting:
            time.sleep(_WAIT)
        left = waiting
    return failed


def _start(grid: Grid, out: str | Path, row: Row) -> str | None:
    if not row.start:
        return None
    first = grid[row.start]
    return start_weights(out, first, first.seeds)


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
