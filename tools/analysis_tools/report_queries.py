"""Write an HTML page of queries, worst first, with their results and missed matches."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmclsa.evaluation.functional import ORDERS
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.io import check_writable


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file; images are read from its test set')
    parser.add_argument('predictions', metavar='NPZ', help='detections and embeddings')
    parser.add_argument('--out', required=True, metavar='HTML', help='page to write')
    parser.add_argument('--num', type=int, default=30, help='number of queries (default: 30)')
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
    parser.add_argument('--title', help='title of the page (default: protocol and order)')
    parser.add_argument('--seed', type=int, default=0, help='seed of --which random (default: 0)')
    add_cfg_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.engine.saved_examples import load_examples
from mmclsa.structures import Predictions
from mmclsa.utils.text import counted
from mmclsa.visualization.query_report import query_cases, render_report, save_query_report
from mmclsa.visualization.ranking import picture_loader


def main() -> None:
    """Write the page."""
    args = parse_args()
    check_writable(Path(args.out).parent)
    examples, dataset = load_examples(args, Predictions.load)
    cases = query_cases(examples, picture_loader(dataset), args.top)
    title = args.title or f'{examples.protocol.name}: {args.which} queries'
    page = render_report(examples.result, cases, title)
    print(f'{counted(len(cases), "query")} in {save_query_report(args.out, page)}')


if __name__ == '__main__':
    run_tool(main)
