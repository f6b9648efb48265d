"""Join a detector and a re-ID network, trained apart, to one checkpoint of a person searcher."""

from __future__ import annotations

import argparse

from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.trust import add_trust_option, trust_checkpoints


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('detector', help='checkpoint of the detector, by MMDetection or mmclsa')
    parser.add_argument('reid', help='checkpoint of the re-ID network (CropReID)')
    parser.add_argument('--out', required=True, metavar='FILE', help='checkpoint to write')
    parser.add_argument(
        '--config',
        help='config of the searcher: check that the checkpoint is whole for it, and save the '
        'config with the weights',
    )
    add_cfg_options(parser, 'that config')
    add_trust_option(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from typing import Any

import torch
from mmengine.registry import init_default_scope

from mmclsa.engine import load_config
from mmclsa.errors import ConfigError
from mmclsa.registry import MODELS
from mmclsa.utils.checkpoint import check_whole
from mmclsa.utils.io import atomic_write
from mmclsa.utils.joining import join_checkpoints


def add_config(joined: dict[str, Any], args: argparse.Namespace) -> None:
    """Check the weights against the model of a config, and keep the config with them."""
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmclsa'))
    check_whole(MODELS.build(cfg.model).state_dict(), joined, args.out)
    joined['meta']['cfg'] = cfg.pretty_text


def main() -> None:
    """Join."""
    args = parse_args()
    if args.cfg_options and not args.config:
        raise ConfigError('--cfg-options override settings of --config, which is not given')
    trust_checkpoints(args.trust_checkpoint)
    joined = join_checkpoints(args.detector, args.reid)
    if args.config:
        add_config(joined, args)
    with atomic_write(args.out) as temporary:
        torch.save(joined, temporary)
    names = list(joined['state_dict'])
    of_detector = sum(name.startswith('detector.') for name in names)
    print(
        f'{args.out}: {of_detector} tensors of the detector {args.detector} and '
        f'{len(names) - of_detector} of the re-ID network {args.reid}'
    )


if __name__ == '__main__':
    run_tool(main)
