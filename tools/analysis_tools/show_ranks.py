"""Draw ranked results from the predictions saved by tools/test.py --out."""

from __future__ import annotations

import argparse

from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional import ORDERS
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.io import check_writable


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file; images are read from its test set')
    parser.add_argument('predictions', metavar='NPZ', help='detections and embeddings')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder for the images')
    parser.add_argument('--num', type=int, default=12, help='number of queries (default: 12)')
    parser.add_argument(
        '--which', choices=ORDERS, default='worst', help='which queries (default: worst)'
    )
    parser.add_argument(
        '--top', type=int, default=10, help='number of results per query (default: 10)'
    )
    parser.add_argument('--protocol', help='name of the protocol (default: the first)')
    parser.add_argument(
        '--det-thresh',
        type=float,
        help="detection threshold (default: that of the config's metric)",
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of --which random (default: 0)')
    add_cfg_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmengine.registry import init_default_scope

from mmclsa.engine import configured_flags, load_config
from mmclsa.evaluation.examples import choose_examples
from mmclsa.registry import DATASETS
from mmclsa.structures import Predictions
from mmclsa.utils.text import counted
from mmclsa.visualization.ranking import choose_protocol, picture_loader, save_rank_lists


def main() -> None:
    """Draw."""
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options)
    if not cfg.get('test_dataloader'):
        raise ConfigError(f'config {args.config} has no test_dataloader')
    check_writable(args.out)
    init_default_scope(cfg.get('default_scope', 'mmclsa'))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    examples = choose_examples(
        Predictions.load(args.predictions),
        choose_protocol(dataset.protocols, args.protocol),
        configured_flags(cfg, args.det_thresh),
        num=args.num,
        which=args.which,
        seed=args.seed,
    )
    paths = save_rank_lists(examples, picture_loader(dataset), args.out, args.top)
    print(f'{counted(len(paths), "picture")} in {args.out}')


if __name__ == '__main__':
    run_tool(main)
