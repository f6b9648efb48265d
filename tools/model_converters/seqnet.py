"""Convert a checkpoint of SeqNet (github.com/serend1p1ty/SeqNet) into one of configs/seqnet.

    python tools/model_converters/seqnet.py cuhk_sysu.pth --out seqnet_cuhk-sysu.pth

The memory of OIM is converted too; its rows are the peer's identities, in the peer's order.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmclsa.utils.cli import add_converter_options, run_tool

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'models' / 'seqnet_r50.py'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Convert a checkpoint of SeqNet.')
    add_converter_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.engine.peer_checkpoints import run_converter
from mmclsa.engine.peer_rules import SEQNET


def main() -> None:
    """Convert."""
    run_converter(parse_args(), SEQNET, CONFIG, 'SeqNet')


if __name__ == '__main__':
    run_tool(main)
