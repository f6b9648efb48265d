"""Convert an OSNet of torchreid (x0.25 to x1.0, IBN, AIN) into a re-ID branch of ours.

    python tools/model_converters/torchreid.py osnet_x1_0_msmt17.pth --out osnet.pth

The width and the variant are read off the file. What comes out is the branch of
configs/reid/osnet-*.py with the published embedding; the classifier, which knows the identities
of its training alone, is left out, and said so. https://github.com/KaiyangZhou/deep-person-reid
"""

from __future__ import annotations

import argparse

from mmclsa.utils.cli import add_converter_options, run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Convert an OSNet of torchreid.')
    add_converter_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from pathlib import Path

from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.models import GlobalReIDHead, OSNet
from mmclsa.utils.backbones import EMBEDDINGS
from mmclsa.utils.converting import (
    Converted,
    NameRule,
    complete_branch,
    convert_file,
    rename_tensors,
)
from mmclsa.utils.trust import trust_checkpoints

WIDTHS = (1.0, 0.75, 0.5, 0.25)
STAGES = ('conv2', 'conv3', 'conv4')
LIGHT = (('conv1', 'pointwise'), ('conv2', 'depthwise.conv'), ('bn', 'depthwise.bn'))


def name_rules(variant: str) -> list[NameRule]:
    """Make the rules from torchreid's names to ours."""
    norm = 'bn' if variant == 'plain' else 'in'
    rules: list[NameRule] = [
        (r'conv1\.conv\.(.*)', r'reid.backbone.stem.conv.\1'),
        (r'conv1\.bn\.(.*)', rf'reid.backbone.stem.{norm}.\1'),
        (r'conv5\.(.*)', r'reid.backbone.transitions.2.\1'),
        (r'fc\.0\.(.*)', r'reid.head.levels.0.projection.\1'),
        (r'fc\.1\.(.*)', r'reid.head.levels.0.bn_neck.\1'),
        (r'classifier\..*', None),
    ]
    for index, stage in enumerate(STAGES):
        rules += block_rules(rf'{stage}\.([01])\.', rf'reid.backbone.stages.{index}.\1.', variant)
        if variant == 'ain':
            pool = rf'pool{stage[-1]}\.0\.(.*)'
        else:
            pool = rf'{stage}\.2\.0\.(.*)'
        if index < 2:  # after the last there is none
            rules.append((pool, rf'reid.backbone.transitions.{index}.\1'))
    return rules


def block_rules(theirs: str, ours: str, variant: str) -> list[NameRule]:
    """Make the rules of the two blocks of a stage; ``theirs`` has one group."""
    rules: list[NameRule] = [
        (rf'{theirs}conv1\.(.*)', rf'{ours}reduce.\2'),
        (rf'{theirs}gate\.fc1\.(.*)', rf'{ours}gate.squeeze.\2'),
        (rf'{theirs}gate\.fc2\.(.*)', rf'{ours}gate.excite.\2'),
        (rf'{theirs}conv3\.(.*)', rf'{ours}expand.\2'),
        (rf'{theirs}downsample\.(.*)', rf'{ours}shortcut.\2'),
        (rf'{theirs}IN\.(.*)', rf'{ours}expand.in.\2' if variant == 'ain' else rf'{ours}norm.\2'),
    ]
    for part, name in LIGHT:
        if variant == 'ain':
            stream = rf'{theirs}conv2\.(\d)\.layers\.(\d)\.{part}\.(.*)'
            rules.append((stream, rf'{ours}streams.\2.\3.{name}.\4'))
            continue
        # The first stream is one convolution, and so has no number.
        rules.append((rf'{theirs}conv2a\.{part}\.(.*)', rf'{ours}streams.0.0.{name}.\2'))
        for stream_index, letter in enumerate('bcd', 1):
            stream = rf'{theirs}conv2{letter}\.(\d)\.{part}\.(.*)'
            rules.append((stream, rf'{ours}streams.{stream_index}.\2.{name}.\3'))
    return rules


def find_kind(weights: dict[str, Tensor], path: str | Path) -> tuple[float, str]:
    """Read width and variant off the file."""
    stem, fc = weights.get('conv1.conv.weight'), weights.get('fc.0.weight')
    if stem is None or fc is None:
        lacking = 'conv1.conv.weight' if stem is None else 'fc.0.weight'
        raise ConfigError(f'{path} must be an OSNet of torchreid, but has no {lacking}')
    width = stem.shape[0] / OSNet.channels[0]
    if width not in WIDTHS:
        raise ConfigError(
            f'{path} must be an OSNet of a width of {WIDTHS}, but its first convolution has '
            f'{stem.shape[0]} channels'
        )
    if 'pool2.0.conv.weight' in weights:
        return width, 'ain'
    return width, 'plain' if 'conv1.bn.running_mean' in weights else 'ibn'


def convert(weights: dict[str, Tensor], path: str | Path) -> Converted:
    """Convert the tensors of a file."""
    width, variant = find_kind(weights, path)
    network = "torchreid's OSNet" + ('' if variant == 'plain' else f'-{variant.upper()}')
    renamed, left_out = rename_tensors(weights, name_rules(variant), path, network)
    size, channels = weights['fc.0.weight'].shape
    head = GlobalReIDHead(in_channels=channels, embed_dims=size, bias=True, relu=True)
    renamed = complete_branch(renamed, OSNet(width, variant), head, path)
    name = f'osnet-{"" if variant == "plain" else variant + "-"}x{width}'
    return Converted(renamed, left_out, f'{network} x{width}', name if name in EMBEDDINGS else '')


def main() -> None:
    """Convert; see the module's text."""
    args = parse_args()
    trust_checkpoints(args.trust_checkpoint)
    convert_file(args.checkpoint, args.out, convert)


if __name__ == '__main__':
    run_tool(main)
