"""Convert a ResNet-50 or 101 of fast-reid (BoT, AGW, SBS, with IBN or not) into a branch of ours.

    python tools/model_converters/fast_reid.py msmt_bot_R50.pth --out bot.pth

What the network has (IBN-a, non-local blocks, GeM, a reduced embedding) is read off the file. The
classifier, which knows the identities of its training alone, is left out, and said so.
https://github.com/JDAI-CV/fast-reid
"""

from __future__ import annotations

import argparse

from mmclsa.utils.cli import add_converter_options, run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Convert a ResNet of fast-reid.')
    add_converter_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import re
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.models import GlobalReIDHead, ReIDResNet
from mmclsa.utils.converting import (
    Converted,
    NameRule,
    complete_branch,
    convert_file,
    rename_tensors,
)
from mmclsa.utils.trust import trust_checkpoints

BLOCKS = {6: 50, 23: 101}  # of the third stage: the depth
BACKBONE = 'reid.backbone.'
EMBEDDING = 'reid.head.levels.0.'


@dataclass(frozen=True)
class Kind:
    """What a file has."""

    depth: int
    ibn: bool
    non_local: tuple[int, ...]
    gem: bool
    embed_dims: int | None

    @property
    def network(self) -> str:
        """Its name."""
        parts = ['IBN'] * self.ibn + ['non-local'] * any(self.non_local) + ['GeM'] * self.gem
        return ' '.join([f"fast-reid's ResNet-{self.depth}", *parts])

    @property
    def name(self) -> str:
        """Its name in configs; empty where it has none."""
        if self.depth != 50 or self.embed_dims is not None:
            return ''
        # SBS is built as AGW is, and looks at larger crops.
        name = 'agw' if any(self.non_local) and self.gem else 'bot'
        return f'{name}-r50{"-ibn" if self.ibn else ""}'


def find_kind(weights: dict[str, Tensor], path: str | Path) -> Kind:
    """Read off a file what its network has."""
    blocks = _highest(weights, r'backbone\.layer3\.(\d+)\.conv1\.weight')
    if blocks not in BLOCKS or 'backbone.layer1.0.conv3.weight' not in weights:
        raise ConfigError(
            f'{path} must be a ResNet-50 or 101 of fast-reid, but has {blocks} blocks '
            'backbone.layer3.*'
        )
    if any('.se.' in name for name in weights):
        raise ConfigError(f'{path} has squeeze-and-excitation (SE), which is not converted')
    reduced = weights.get('heads.bottleneck.0.weight')
    return Kind(
        BLOCKS[blocks],
        'backbone.layer1.0.bn1.IN.weight' in weights,
        tuple(_highest(weights, rf'backbone\.NL_{k}\.(\d+)\.g\.weight') for k in (1, 2, 3, 4)),
        any(name.startswith('heads.pool_layer') for name in weights),
        reduced.shape[0] if reduced is not None and reduced.ndim == 4 else None,
    )


def _highest(weights: dict[str, Tensor], pattern: str) -> int:
    """Count what is numbered from 0."""
    found = [match for match in map(re.compile(pattern).fullmatch, weights) if match]
    return len({match[1] for match in found})


def name_rules(kind: Kind) -> list[NameRule]:
    """Make the rules from fast-reid's names to ours."""
    neck = 1 if kind.embed_dims else 0
    rules: list[NameRule] = [
        (r'backbone\.(layer\d\.\d+)\.bn1\.IN\.(.*)', rf'{BACKBONE}\1.bn1.instance_norm.\2'),
        (r'backbone\.(layer\d\.\d+)\.bn1\.BN\.(.*)', rf'{BACKBONE}\1.bn1.batch_norm.\2'),
        (r'backbone\.((?:conv1|bn1|layer\d)\..*)', rf'{BACKBONE}\1'),
        (r'heads\.bottleneck\.0\.weight', rf'{EMBEDDING}projection.weight')
        if neck
        else (r'heads\.bnneck\.(.*)', rf'{EMBEDDING}bn_neck.\1'),
        (rf'heads\.bottleneck\.{neck}\.(.*)', rf'{EMBEDDING}bn_neck.\1'),
        (r'heads\.pool_layer\.(?:0\.)?p', rf'{EMBEDDING}pooling.power'),
        (r'heads\.(?:weight|classifier\.weight|classifier_layer\.weight)', None),
        # The mean and the deviation of the pictures, which configs say.
        (r'pixel_(?:mean|std)', None),
    ]
    stages = ReIDResNet.arch_settings[kind.depth][1]
    for stage, (blocks, count) in enumerate(zip(stages, kind.non_local), 1):
        for index in range(count):
            theirs = rf'backbone\.NL_{stage}\.{index}\.'
            ours = f'{BACKBONE}layer{stage}.{blocks - count + index}.after.'
            rules += [
                (rf'{theirs}(g|theta|phi)\.(.*)', rf'{ours}\1.conv.\2'),
                (rf'{theirs}W\.0\.(.*)', rf'{ours}conv_out.conv.\1'),
                (rf'{theirs}W\.1\.(.*)', rf'{ours}conv_out.bn.\1'),
            ]
    return rules


def fold_biases(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take the biases of convolutions that a batch norm follows into its mean: the same numbers."""
    folded = dict(weights)
    for name in weights:
        if name.endswith('.conv_out.conv.bias'):
            bias = folded.pop(name)
            mean = name.replace('conv.bias', 'bn.running_mean')
            folded[mean] = folded[mean] - bias
    return folded


def convert(weights: dict[str, Tensor], path: str | Path) -> Converted:
    """Convert the tensors of a file."""
    kind = find_kind(weights, path)
    renamed, left_out = rename_tensors(weights, name_rules(kind), path, kind.network)
    renamed = fold_biases(renamed)
    for name, shape in (('pooling.power', ()), ('projection.weight', (kind.embed_dims, -1))):
        if f'{EMBEDDING}{name}' in renamed:  # of one value; a 1 x 1 convolution
            renamed[f'{EMBEDDING}{name}'] = renamed[f'{EMBEDDING}{name}'].reshape(shape)
    head = GlobalReIDHead(embed_dims=kind.embed_dims, pool='gem' if kind.gem else 'avg')
    backbone = ReIDResNet(kind.depth, kind.ibn, kind.non_local)
    renamed = complete_branch(renamed, backbone, head, path)
    return Converted(renamed, left_out, kind.network, kind.name)


def main() -> None:
    """Convert; see the module's text."""
    args = parse_args()
    trust_checkpoints(args.trust_checkpoint)
    convert_file(args.checkpoint, args.out, convert)


if __name__ == '__main__':
    run_tool(main)
