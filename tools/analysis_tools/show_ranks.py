"""Draw ranked results from the predictions saved by tools/test.py --out."""

from __future__ import annotations

import argparse

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

from mmclsa.engine.saved_examples import load_examples
from mmclsa.structures import Predictions
from mmclsa.utils.text import counted
from mmclsa.visualization.ranking import picture_loader, save_rank_lists


def main() -> None:
    """Draw."""
    args = parse_args()
    check_writable(args.out)
    examples, dataset = load_examples(args, Predictions.load)
    paths = save_rank_lists(examples, picture_loader(dataset), args.out, args.top)
    print(f'{counted(len(paths), "picture")} in {args.out}')


if __name__ == '__main__':
    run_tool(main)
