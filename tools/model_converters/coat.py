"""Convert a checkpoint of COAT (github.com/Kitware/COAT) into one of configs/coat.

    python tools/model_converters/coat.py cuhk_sysu.pth --out coat_cuhk-sysu.pth

The memories of OIM are converted too; their rows are the peer's identities, in the peer's order.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmclsa.utils.cli import add_converter_options, run_tool

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'models' / 'coat_r50.py'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Convert a checkpoint of COAT.')
    add_converter_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.engine.peer_checkpoints import run_converter
from mmclsa.engine.peer_rules import COAT


def main() -> None:
    """Convert."""
    run_converter(parse_args(), COAT, CONFIG, 'COAT')


if __name__ == '__main__':
    run_tool(main)
