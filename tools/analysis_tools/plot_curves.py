"""Plot losses, learning rate and validation metrics of a training run."""

from __future__ import annotations

import argparse

from mmclsa.utils.cli import run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('log', help='work dir of the run, or a scalars.json')
    parser.add_argument('--out', required=True, metavar='PNG', help='plot to save')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.visualization.curves import save_training_curves


def main() -> None:
    """Draw."""
    args = parse_args()
    print(save_training_curves(args.log, args.out))


if __name__ == '__main__':
    run_tool(main)
