"""Convert a checkpoint of OIM on torchvision's Faster R-CNN into one of configs/oim.

    python tools/model_converters/oim.py cuhk_sysu.pth --out oim_cuhk-sysu.pth

OIM's authors published Caffe's weights; PyTorch ports differ in their layout. This one has
roi_heads.box_head.layer4, box_predictor, embedding_head.projectors.feat_res5.0 and reid_loss.
The memory is converted too; its rows are the port's identities, in the port's order.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmclsa.utils.cli import add_converter_options, run_tool

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'models' / 'oim_r50.py'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Convert a checkpoint of OIM.')
    add_converter_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.engine.peer_checkpoints import run_converter
from mmclsa.engine.peer_rules import OIM


def main() -> None:
    """Convert."""
    run_converter(parse_args(), OIM, CONFIG, 'OIM')


if __name__ == '__main__':
    run_tool(main)
