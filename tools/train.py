"""Train the model of a config."""

from __future__ import annotations

import argparse
import os

from mmclsa.utils.choices import LAUNCHERS, PRECISIONS
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.trust import add_trust_option, trust_checkpoints


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir', help='folder for logs and checkpoints (default: work_dirs/<config>)'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='last',
        metavar='FILE',
        help='checkpoint to resume from; without a value the last one in the work dir; '
        '"auto": the last one if there is one, otherwise start from scratch',
    )
    add_trust_option(parser)
    parser.add_argument(
        '--amp',
        nargs='?',
        const='fp16',
        choices=tuple(PRECISIONS),
        help='use mixed precision (GPU only); without a value fp16',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the total batch size over auto_scale_lr.base_batch_size',
    )
    add_cfg_options(parser, 'the config, such as optim_wrapper.optimizer.lr=0.01')
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from torch import nn

from mmclsa.engine import (
    build_runner,
    check_load_from,
    check_pretrained,
    explain_failures,
    init_distributed,
    load_config,
    local_rank,
    set_amp,
    set_auto_scale_lr,
    set_resume,
    set_work_dir,
)
from mmclsa.errors import ConfigError


def main() -> None:
    """Train."""
    args = parse_args()
    trust_checkpoints(args.trust_checkpoint)
    os.environ.setdefault('LOCAL_RANK', str(local_rank(args.launcher, args.local_rank)))
    cfg = load_config(args.config, args.cfg_options)
    set_work_dir(cfg, args.work_dir, args.config)
    if args.amp:
        set_amp(cfg, args.amp)
    if args.auto_scale_lr:
        set_auto_scale_lr(cfg)
    if args.resume:
        set_resume(cfg, args.resume)
    if not cfg.get('train_cfg'):
        raise ConfigError(
            f'the config {args.config} trains nothing, as it has no train_cfg: its networks are '
            'used as they are, by tools/test.py and tools/build_gallery.py'
        )
    check_pretrained(cfg.get('model'))
    init_distributed(cfg, args.launcher)
    runner = build_runner(cfg)
    # A FlexibleRunner builds its model when it trains.
    if isinstance(runner.model, nn.Module):
        check_load_from(runner.model, cfg.get('load_from'))
    with explain_failures():
        runner.train()


if __name__ == '__main__':
    run_tool(main)
