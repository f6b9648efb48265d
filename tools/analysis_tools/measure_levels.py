"""Measure how much the levels of trained models agree, and how much each adds."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.io import atomic_write, check_writable
from mmclsa.utils.trust import add_trust_option, trust_checkpoints


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'runs',
        nargs='+',
        metavar='RUN',
        help='folder of a finished run: one of a grid (work_dirs/grid/ROW/seed_0), or a work dir '
        'of train.py',
    )
    parser.add_argument(
        '--out',
        required=True,
        help='folder for pairs.csv, levels.csv, levels.md, levels.png and the measurements of each '
        'run, which are not repeated',
    )
    add_trust_option(parser)
    add_cfg_options(parser, 'the configs, such as model.use_gt_boxes=True')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.engine import load_config
from mmclsa.engine.level_measuring import measure_model, stamp_of
from mmclsa.engine.trained_run import TrainedRun, find_run
from mmclsa.evaluation.level_figures import (
    LevelFigures,
    gains_csv,
    levels_tables,
    load_level_figures,
    pairs_csv,
    save_level_figures,
)
from mmclsa.visualization import draw_levels, write_picture


def find_runs(folders: list[str]) -> list[TrainedRun]:
    """Look into all folders before anything is measured."""
    looked_at = {folder: find_run(folder) for folder in folders}
    for folder, run in looked_at.items():
        if run is None:
            print(f'{folder} is left out, as it has no weights of a finished training')
    runs = [run for run in looked_at.values() if run is not None]
    if not runs:
        raise ConfigError(f'RUN: none of {", ".join(folders)} is a finished run')
    names = [run.name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f'RUN: two of the runs are called {name}: measure them apart')
    return runs


def measure(run: TrainedRun, out: Path, options: dict | None) -> LevelFigures:
    """Measure a run, unless that is done."""
    cfg = load_config(run.config, options)
    kept, stamp = out / run.row / f'seed_{run.seed}.npz', stamp_of(cfg, run.checkpoint)
    figures = load_level_figures(kept, stamp)
    if figures is None:
        cfg.work_dir = str(out / 'logs' / run.row / f'seed_{run.seed}')
        # MMEngine tells the runs of a process apart by these names.
        cfg.experiment_name = run.name.replace('/', '_')
        if cfg.get('visualizer'):
            cfg.visualizer.name = cfg.experiment_name
        figures = measure_model(cfg, run.checkpoint)
        save_level_figures(kept, figures, stamp)
    return figures


def main() -> None:
    """Measure every run, then write the tables."""
    args = parse_args()
    trust_checkpoints(args.trust_checkpoint)
    runs, out = find_runs(args.runs), check_writable(args.out)
    found = {}
    for number, run in enumerate(runs, 1):
        print(f'{run.name} ({number} of {len(runs)})', flush=True)
        found[run.row, run.seed] = measure(run, out, args.cfg_options)
    tables = levels_tables(found)
    texts = {'pairs.csv': pairs_csv(found), 'levels.csv': gains_csv(found), 'levels.md': tables}
    for name, text in texts.items():
        with atomic_write(out / name) as temporary:
            temporary.write_text(text.rstrip('\n') + '\n')
    print(f'\n{tables}\n')
    print(write_picture(out / 'levels.png', draw_levels(found)))


if __name__ == '__main__':
    run_tool(main)
