"""Convert a checkpoint of NAE (github.com/dichen-cd/NAE4PS) into one of configs/nae.

    python tools/model_converters/nae.py cuhk_sysu.pth --out nae_cuhk-sysu.pth

The memory of OIM is converted too; its rows are the peer's identities, in the peer's order.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmclsa.utils.cli import add_converter_options, run_tool

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'models' / 'nae_r50.py'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Convert a checkpoint of NAE.')
    add_converter_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.engine.peer_checkpoints import run_converter
from mmclsa.engine.peer_rules import NAE


def main() -> None:
    """Convert."""
    run_converter(parse_args(), NAE, CONFIG, 'NAE')


if __name__ == '__main__':
    run_tool(main)
