"""Plot search metrics: CMC, mAP by gallery size, mAP and top-1 by height."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.io import check_writable


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'reports',
        nargs='+',
        metavar='JSON',
        help='output of eval_search.py --out, one file per model',
    )
    parser.add_argument('--out', required=True, metavar='DIR', help='folder for the plots')
    parser.add_argument('--names', nargs='+', help='names of the models (default: the file names)')
    parser.add_argument('--protocol', help='protocol of the plots by height (default: the first)')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.visualization.search_curves import read_report, save_search_pictures


def main() -> None:
    """Draw."""
    args = parse_args()
    names = args.names or [Path(path).stem for path in args.reports]
    if len(set(names)) != len(args.reports):
        raise ConfigError(
            f'--names must be {len(args.reports)} different names, but are {", ".join(names)}'
        )
    reports = {name: read_report(path) for name, path in zip(names, args.reports)}
    check_writable(args.out)
    for path in save_search_pictures(reports, args.out, args.protocol):
        print(path)


if __name__ == '__main__':
    run_tool(main)
