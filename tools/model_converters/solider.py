"""Convert a Swin of SOLIDER, trained for re-ID or on people without labels, into a branch of ours.

    python tools/model_converters/solider.py swin_tiny_msmt17.pth --out solider.pth

SOLIDER's semantic controller is folded in, at one semantic weight: 0.2 as its re-ID networks were
trained with. A file of the pre-training alone has no embedding, and becomes a backbone for CLSA.
https://github.com/tinyvision/SOLIDER and https://github.com/tinyvision/SOLIDER-REID
"""

from __future__ import annotations

import argparse

from mmclsa.utils.cli import add_converter_options, run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Convert a Swin of SOLIDER.')
    add_converter_options(parser)
    parser.add_argument(
        '--semantic-weight',
        type=float,
        default=0.2,
        help='of the semantic controller, in [0, 1] (default: 0.2, as in SOLIDER-REID)',
    )
    args = parser.parse_args()
    if not 0 <= args.semantic_weight <= 1:
        parser.error(f'--semantic-weight must lie in [0, 1], but is {args.semantic_weight}')
    return args


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models import GlobalReIDHead, SoliderSwin
from mmclsa.utils.converting import (
    Converted,
    NameRule,
    complete_branch,
    convert_file,
    rename_tensors,
)
from mmclsa.utils.trust import trust_checkpoints

# Channels of the lowest stage and blocks of the third one.
SIZES = {(96, 6): 'tiny', (96, 18): 'small', (128, 18): 'base'}
HEADS = {96: (3, 6, 12, 24), 128: (4, 8, 16, 32)}
BACKBONE = 'reid.backbone.'
EMBEDDING = 'reid.head.levels.0.'
SEMANTIC = 'semantic.'
RULES: list[NameRule] = [
    (r'(?:base|backbone)\.semantic_embed_([wb])\.(.*)', rf'{SEMANTIC}\1.\2'),
    (r'(?:base|backbone)\.((?:patch_embed|stages|norm\d)\..*)', rf'{BACKBONE}\1'),
    (r'fcneck\.(.*)', rf'{EMBEDDING}projection.\1'),
    (r'bottleneck\.(.*)', rf'{EMBEDDING}bn_neck.\1'),
    (r'classifier\..*', None),
    (r'head\..*', None),  # of the pre-training
]


def build(weights: dict[str, Tensor], path: str | Path) -> tuple[SoliderSwin, str]:
    """Build the backbone of a file."""
    stem = weights.get(f'{BACKBONE}patch_embed.projection.weight')
    third = {name.split('.')[5] for name in weights if name.startswith(f'{BACKBONE}stages.2.bl')}
    size = (0 if stem is None else stem.shape[0], len(third))
    if size not in SIZES:
        raise ConfigError(
            f"{path} must be SOLIDER's Swin, tiny, small or base, but has {size[0]} channels in "
            f'its lowest stage and {size[1]} blocks in its third'
        )
    swin = SoliderSwin(embed_dims=size[0], depths=(2, 2, size[1], 2), num_heads=HEADS[size[0]])
    return swin, SIZES[size]


def fold_controller(weights: dict[str, Tensor], weight: float) -> dict[str, Tensor]:
    """Fold scale and shift of what leaves each stage into its patch merging.

    The controller of the last stage changes nothing that is given.
    """
    folded = {name: tensor for name, tensor in weights.items() if not name.startswith(SEMANTIC)}
    blend = torch.tensor([weight, 1 - weight])
    for stage in range(3):
        reduction = f'{BACKBONE}stages.{stage}.downsample.reduction'
        matrix = folded[f'{reduction}.weight']
        scale, shift = matrix.new_ones(len(matrix)), matrix.new_zeros(len(matrix))
        if f'{SEMANTIC}w.{stage}.weight' in weights:
            linear = [
                F.linear(blend, *(weights[f'{SEMANTIC}{part}.{stage}.{n}'] for n in WB))
                for part in 'wb'
            ]
            scale, shift = F.softplus(linear[0]), linear[1]
        folded[f'{reduction}.weight'] = scale[:, None] * matrix
        folded[f'{reduction}.bias'] = shift
    return folded


WB = ('weight', 'bias')


def convert(weights: dict[str, Tensor], path: str | Path, weight: float) -> Converted:
    """Convert the tensors of a file."""
    # Of the pre-training: the teacher of the two networks, within another wrapper.
    weights = {name.removeprefix('module.'): tensor for name, tensor in weights.items()}
    renamed, left_out = rename_tensors(weights, RULES, path, "SOLIDER's Swin")
    backbone, size = build(renamed, path)
    renamed = fold_controller(renamed, weight)
    kind = f"SOLIDER's Swin-{size} at the semantic weight {weight}"
    if f'{EMBEDDING}bn_neck.weight' not in renamed:
        renamed = complete_branch(renamed, backbone, nn.Module(), path)
        return Converted(renamed, left_out, f'{kind}, without an embedding')
    projection = renamed.get(f'{EMBEDDING}projection.weight')
    head = GlobalReIDHead(
        in_channels=backbone.num_features[-1],
        embed_dims=None if projection is None else len(projection),
    )
    renamed = complete_branch(renamed, backbone, head, path)
    network = '' if projection is not None else f'solider-swin-{size[0]}'
    return Converted(renamed, left_out, kind, network)


def main() -> None:
    """Convert; see the module's text."""
    args = parse_args()
    trust_checkpoints(args.trust_checkpoint)
    convert_file(args.checkpoint, args.out, partial(convert, weight=args.semantic_weight))


if __name__ == '__main__':
    run_tool(main)
