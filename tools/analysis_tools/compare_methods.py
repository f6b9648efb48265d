"""Compare methods on one test set: detection, search, paired tests, and what each costs.

Several checkpoints of a config are several trainings of one method: the tables have
their mean and range, and the k-th of one method is compared with the k-th of another.
The test set is predicted once for each checkpoint and kept in the folder, so that the
command can be repeated, with more methods, at little cost.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import DictAction, add_cfg_options, run_tool
from mmclsa.utils.io import atomic_write, check_writable, write_json
from mmclsa.utils.text import counted
from mmclsa.utils.trust import add_trust_option, trust_checkpoints


class PerMethod(argparse.Action):
    """Read NAME KEY=VALUE ... into a dict of dicts."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        """Add the options of one method."""
        holder = argparse.Namespace()
        DictAction([option], 'found')(parser, holder, values[1:], option)
        found = dict(getattr(namespace, self.dest) or {})
        found[values[0]] = {**found.get(values[0], {}), **getattr(holder, 'found', {})}
        setattr(namespace, self.dest, found)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--method',
        nargs='+',
        action='append',
        required=True,
        metavar=('NAME', 'FILE'),
        help='a row of the table: its name, its config, and a checkpoint of each of its trainings '
        '(or the predictions.npz of tools/test.py --out; none: as the config initialises it). Or '
        'its name and folders of finished runs: work dirs of train.py or runs of a grid',
    )
    parser.add_argument('--out', required=True, metavar='DIR', help='folder for all results')
    add_trust_option(parser)
    parser.add_argument(
        '--protocol', nargs='+', default=[], metavar='NAME',
        help='search tasks of the test set, the one of the main table first (default: all)',
    )  # fmt: skip
    parser.add_argument(
        '--gt-boxes', action='store_true', help='use ground-truth boxes instead of detections'
    )
    parser.add_argument(
        '--height-edges', nargs='+', type=float, metavar='PX',
        help="where bins of the match's height begin (default: as the configs' metric has them)",
    )  # fmt: skip
    parser.add_argument(
        '--no-cost', action='store_true', help='measure no parameters, FLOPs, time and memory'
    )
    parser.add_argument(
        '--pictures', type=int, default=8, help='pictures that cost is measured on (default: 8)'
    )
    parser.add_argument('--repeats', type=int, default=5, help='rounds of the clock (default: 5)')
    parser.add_argument('--device', help='of the cost (default: a GPU if there is one)')
    parser.add_argument('--threads', type=int, default=1, help='of PyTorch on a CPU, for the cost')
    add_cfg_options(parser, 'all configs, such as test_dataloader.batch_size=1')
    parser.add_argument(
        '--method-options', nargs='+', action=PerMethod, default={}, metavar=('NAME', 'KEY=VALUE'),
        help='override settings of the config of one method',
    )  # fmt: skip
    args = parser.parse_args()
    if min(args.pictures, args.repeats, args.threads) < 1:
        parser.error('--pictures, --repeats and --threads start at 1')
    return args


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import torch
from mmengine.registry import init_default_scope

from mmclsa.engine import configured_flags, configured_metric
from mmclsa.engine.methods import (
    Method,
    MethodRun,
    measure_costs,
    one_failure,
    predict_test_set,
    read_methods,
)
from mmclsa.evaluation.comparison import Trained
from mmclsa.evaluation.functional import HEIGHT_EDGES, PRESETS
from mmclsa.evaluation.methods import Bed, check_same_bed, evaluate_run, methods_report
from mmclsa.evaluation.methods_tables import methods_tables
from mmclsa.evaluation.query_figures import save_query_figures
from mmclsa.registry import DATASETS
from mmclsa.structures import Predictions
from mmclsa.visualization import draw_methods, write_picture


def read_bed(method: Method, args: argparse.Namespace) -> Bed:
    """Build the test set of a method, and read by which rules it is tested."""
    cfg, metric = method.cfg, configured_metric(method.cfg)
    assert metric is not None  # read_methods has looked
    init_default_scope(cfg.get('default_scope', 'mmclsa'))
    meta = DATASETS.build(cfg.test_dataloader.dataset).metainfo
    if not meta.get('protocols'):
        raise ConfigError(f'the test set of the method {method.name} has no protocol')
    thresh = metric.get('detection_thresh')
    bed = Bed(
        scenes=meta['scenes'],
        protocols=meta['protocols'],
        flags=configured_flags(cfg),
        detection_thresh=(
            PRESETS[metric.get('preset', 'seqnet')].detection_thresh if thresh is None else thresh
        ),
        height_edges=tuple(args.height_edges or metric.get('height_edges', HEIGHT_EDGES)),
    )
    return bed.only(args.protocol)


def boxes_of(run: MethodRun, args: argparse.Namespace) -> str:
    """Say which boxes are searched."""
    if run.is_predicted and not args.gt_boxes:
        return 'predicted'
    return 'ground truth' if run.cfg.model.get('use_gt_boxes') else 'detected'


def evaluate(method: Method, bed: Bed, args: argparse.Namespace) -> list[Trained]:
    """Predict and evaluate all runs of a method."""
    found = []
    for run in method.runs:
        folder = Path(args.out) / 'methods' / method.name / f'run_{run.seed}'
        predictions = Predictions.load(predict_test_set(run, folder))
        if run.is_predicted and args.gt_boxes:
            predictions = predictions.with_truth_boxes()
        facts = dict(config=method.config, weights=run.weights, boxes=boxes_of(run, args))
        of_run = evaluate_run(method.name, run.seed, predictions, bed, facts)
        for one in of_run:
            save_query_figures(folder / f'queries_{one.task}.npz', one.queries)
        found += of_run
    return found


def costs_of(
    methods: list[Method], args: argparse.Namespace, failed: dict[str, str]
) -> dict[str, Any] | None:
    """Measure the cost of those that have a network."""
    networks = [method for method in methods if not method.runs[0].is_predicted]
    if args.no_cost or not networks:
        return None
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    return measure_costs(
        networks, args.out, args.pictures, args.repeats, device, args.threads, failed
    )


def write_results(report: dict[str, Any], out: Path) -> None:
    """Write and print the report."""
    write_json(out / 'methods.json', report, indent=1)
    with atomic_write(out / 'methods.md') as temporary:
        temporary.write_text(methods_tables(report, markdown=True) + '\n')
    print(f'\n{methods_tables(report)}\n')
    if any(method['cost'] for method in report['methods'].values()):
        print(write_picture(out / 'methods.png', draw_methods(report)))


def main() -> int:
    """Test what was not tested, then write tables, picture and JSON."""
    args = parse_args()
    trust_checkpoints(args.trust_checkpoint)
    options = {
        **(args.cfg_options or {}),
        **({'model.use_gt_boxes': True} if args.gt_boxes else {}),
    }
    methods, out = read_methods(args.method, options, args.method_options), Path(args.out)
    check_writable(out)
    beds = {method.name: read_bed(method, args) for method in methods}
    check_same_bed(beds)
    runs: list[Trained] = []
    failed: dict[str, str] = {}
    for method in methods:
        print(f'{method.name}: {counted(len(method.runs), "run")}', flush=True)
        with one_failure(method.name, failed):
            runs += evaluate(method, beds[method.name], args)
    done = [method for method in methods if method.name not in failed]
    if done:
        costs = costs_of(done, args, failed)
        flags = {name: bed.flags for name, bed in beds.items()}
        write_results(methods_report(runs, beds[done[0].name], flags, costs), out)
    for name, sentence in failed.items():
        print(f'error: the method {name} failed: {sentence}', file=sys.stderr)
    return 1 if failed else 0


if __name__ == '__main__':
    run_tool(main)
