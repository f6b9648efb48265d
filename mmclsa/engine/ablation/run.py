"""One run: train, test, and leave the figures behind."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmclsa.datasets.readers.json_file import load_json
from mmclsa.engine.ablation.grid import (
    Row,
    at_default_places,
    fingerprint,
    read_grid,
    row_config,
)
from mmclsa.engine.hardware import build_runner
from mmclsa.engine.launch import check_load_from, check_pretrained, set_resume
from mmclsa.errors import ConfigError
from mmclsa.utils.checkpoint import latest_checkpoint
from mmclsa.utils.io import atomic_write, write_json

__all__ = ['finished', 'left_weights', 'run_folder', 'train_and_test', 'write_run']

CONFIG, LOG, RESULT, QUERIES, WORK = 'config.py', 'log.txt', 'result.json', 'queries.npz', 'work'


def run_folder(out: str | Path, row: str, seed: int) -> Path:
    """Name the folder of a run."""
    return Path(out) / row / f'seed_{seed}'


def finished(out: str | Path, row: Row, seed: int) -> dict[str, Any] | None:
    """Read the result of a run.

    Args:
        out: Folder of the grid.
        row: The run's row.
        seed: Its seed.

    Returns:
        What :func:`train_and_test` wrote; None if the run is not finished.

    Raises:
        ConfigError: If it was made with another config than the grid has now.
    """
    path = run_folder(out, row.name, seed) / RESULT
    if not path.is_file():
        return None
    result: dict[str, Any] = load_json(path)
    cfg = row_config(row, seed)
    # The second is how results of before have it.
    if result.get('fingerprint') not in (fingerprint(at_default_places(cfg)), fingerprint(cfg)):
        raise ConfigError(
            f'{path} was made with another config than the row {row.name} has now: remove '
            f'{path.parent}, or give the row another name'
        )
    return result


def left_weights(out: str | Path, row: Row, seed: int) -> str | None:
    """Find the weights that a run has left.

    Args:
        out: Folder of the grid.
        row: The run's row.
        seed: Its seed.

    Returns:
        Path of the checkpoint; None if the run is not finished.
    """
    if finished(out, row, seed) is None:
        return None
    return latest_checkpoint(run_folder(out, row.name, seed) / WORK)


def write_run(out: str | Path, row: Row, seed: int, start: str | None) -> Path:
    """Write the config of a run, with which ``tools/train.py`` repeats it.

    Args:
        out: Folder of the grid.
        row: The run's row.
        seed: Its seed.
        start: Checkpoint to start from; None for none.

    Returns:
        The folder of the run.

    Raises:
        ConfigError: If the config is not right.
    """
    folder = run_folder(out, row.name, seed)
    cfg = row_config(row, seed, start)
    cfg.work_dir = str(folder / WORK)
    with atomic_write(folder / CONFIG) as temporary:
        cfg.dump(temporary)
    return folder


def train_and_test(folder: str | Path, row: Row, seed: int) -> dict[str, Any]:
    """Do a run in this process, or the rest of one that was killed.

    Writes ``queries.npz`` and, last, ``result.json``: figures, fingerprint of
    the config, commit, machine, device and seconds.

    Args:
        folder: Of the run, with its config; see :func:`write_run`.
        row: Its row.
        seed: Its seed.

    Returns:
        What ``result.json`` has.

    Raises:
        UserError: If the config is not right.
    """
    folder, begun = Path(folder), time.time()
    # Now: the files may be edited while the run goes on.
    planned = at_default_places(row_config(row, seed))
    made_with = dict(fingerprint=fingerprint(planned), commit=_commit())
    cfg = Config.fromfile(folder / CONFIG)
    evaluator = cfg.test_evaluator
    if evaluator.get('type') != 'PersonSearchMetric':
        raise ConfigError('a grid needs a PersonSearchMetric as test_evaluator')
    evaluator.query_outfile = str(folder / QUERIES)
    if (Path(cfg.work_dir) / 'last_checkpoint').is_file():
        set_resume(cfg, 'auto')
    check_pretrained(cfg.model)
    runner = build_runner(cfg)
    check_load_from(runner.model, cfg.get('load_from'))
    if row.weights_of:
        runner.load_or_resume()
    else:
        runner.train()
    trained = time.time()
    figures = {name: float(value) for name, value in runner.test().items()}
    result = dict(
        row=row.name,
        seed=seed,
        config=row.config,
        options={name: repr(value) for name, value in row.options_of(seed).items()},
        figures=figures,
        **made_with,
        machine=platform.node(),
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU',
        train_seconds=round(trained - begun, 1),
        test_seconds=round(time.time() - trained, 1),
    )
    write_json(folder / RESULT, result, indent=1)
    return result


def _commit() -> str:
    """Name the commit of the code, with a plus sign where it was changed."""
    here = Path(__file__).parent
    commands = (['git', 'rev-parse', 'HEAD'], ['git', 'status', '--porcelain', '-uno'])
    try:
        commit, changes = (
            subprocess.run(c, cwd=here, capture_output=True, text=True, check=True).stdout.strip()
            for c in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return ''
    return commit + ('+' if changes else '')


def end_with_parent(parent: int) -> None:
    """End this process soon after its parent: a run without owner may be claimed by others.

    Args:
        parent: Process id of the parent.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(arguments: list[str]) -> None:
    """Do the run that ``python -m mmclsa.engine.ablation GRID OUT ROW SEED PARENT`` names."""
    grid, out, name, seed, parent = arguments
    end_with_parent(int(parent))
    train_and_test(run_folder(out, name, int(seed)), read_grid(grid)[name], int(seed))


def run_in_process(grid: str | Path, out: str | Path, row: str, seed: int) -> int:
    """Do a run in a process of its own, with its output in ``log.txt``.

    Args:
        grid: File of the grid.
        out: Its folder.
        row: Name of the row.
        seed: Of the run.

    Returns:
        The exit code.
    """
    words = [grid, out, row, seed, os.getpid()]
    command = [sys.executable, '-m', 'mmclsa.engine.ablation', *map(str, words)]
    with open(run_folder(out, row, seed) / LOG, 'a') as log:
        return subprocess.run(command, stdout=log, stderr=log, check=False).returncode
