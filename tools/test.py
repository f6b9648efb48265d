"""Test the model of a config: detection and person search."""

from __future__ import annotations

import argparse
import os
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.choices import LAUNCHERS, given_checkpoint
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.io import check_writable, write_json
from mmclsa.utils.trust import add_trust_option, trust_checkpoints


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        type=given_checkpoint,
        help='trained weights (default, or "none": as the config initialises them)',
    )
    add_trust_option(parser)
    parser.add_argument('--work-dir', help='folder for logs (default: work_dirs/<config>)')
    parser.add_argument('--out', metavar='NPZ', help='save detections and embeddings')
    parser.add_argument('--json', metavar='JSON', help='save the metrics')
    parser.add_argument('--show-dir', metavar='DIR', help='save images of ranked results')
    parser.add_argument(
        '--gt-boxes', action='store_true', help='use ground-truth boxes instead of detections'
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help="average over several views of each image: the config's tta_pipeline and tta_model, "
        'or the image and its mirror image',
    )
    add_cfg_options(parser, 'the config, such as test_dataloader.batch_size=1')
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import Runner

from mmclsa.engine import (
    check_load_from,
    check_pretrained,
    configured_flags,
    configured_metric,
    explain_failures,
    init_distributed,
    load_config,
    local_rank,
    set_work_dir,
)
from mmclsa.engine.bare_model import bare_model
from mmclsa.engine.test_time_augmentation import set_tta
from mmclsa.evaluation.examples import choose_examples
from mmclsa.evaluation.functional import SearchFlags
from mmclsa.structures import Predictions
from mmclsa.visualization.ranking import picture_loader, save_rank_lists


def use_gt_boxes(cfg: Config) -> None:
    """Let the searcher take the ground truth's boxes."""
    if 'reid' not in cfg.model:
        raise ConfigError(
            f'--gt-boxes is for a PersonSearcher, but the model is a {cfg.model.type}'
        )
    cfg.model.use_gt_boxes = True


def prepare_outputs(cfg: Config, args: argparse.Namespace) -> None:
    """Choose what to write, and prove before the test that it can be written."""
    if args.out and not args.out.endswith('.npz'):
        raise ConfigError(f'--out must end in .npz, but is {args.out}')
    if args.out or args.show_dir:
        args.out = args.out or os.path.join(cfg.work_dir, 'predictions.npz')
        metric = configured_metric(cfg)
        if metric is None:
            raise ConfigError('--out and --show-dir need a PersonSearchMetric in test_evaluator')
        metric['outfile'] = args.out
    for file in filter(None, (args.out, args.json)):
        check_writable(os.path.dirname(file) or '.')
    if args.show_dir:
        check_writable(args.show_dir)


def draw(dataset: Any, args: argparse.Namespace, flags: SearchFlags) -> None:
    """Draw ranked results of some queries of the data set's first protocol."""
    protocol = dataset.metainfo['protocols'][0]
    examples = choose_examples(Predictions.load(args.out), protocol, flags)
    save_rank_lists(examples, picture_loader(dataset), args.show_dir)


def main() -> None:
    """Test."""
    args = parse_args()
    trust_checkpoints(args.trust_checkpoint)
    os.environ.setdefault('LOCAL_RANK', str(local_rank(args.launcher, args.local_rank)))
    cfg = load_config(args.config, args.cfg_options)
    set_work_dir(cfg, args.work_dir, args.config)
    cfg.resume = False
    cfg.load_from = args.checkpoint
    if args.gt_boxes:
        use_gt_boxes(cfg)
    prepare_outputs(cfg, args)
    if not args.checkpoint:
        check_pretrained(cfg.get('model'))
    if args.tta:
        set_tta(cfg)
    init_distributed(cfg, args.launcher)
    runner = Runner.from_cfg(cfg)
    check_load_from(runner.model, args.checkpoint, whole=True)
    if not args.checkpoint:
        bare_model(runner).init_weights()
    with explain_failures():
        figures = runner.test()
    if not is_main_process():
        return
    if args.show_dir:
        draw(runner.test_dataloader.dataset, args, configured_flags(cfg))
    if args.json:
        write_json(args.json, dict(sorted(figures.items())), indent=2)


if __name__ == '__main__':
    run_tool(main)
