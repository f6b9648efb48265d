"""Draw images of a data set with the people, their ids and the queries.

The training set is drawn as its pipeline leaves it, with all augmentation,
val and test as annotated.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.io import check_writable
from mmclsa.utils.text import counted


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='output folder')
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train')
    parser.add_argument('--num', type=int, default=20, metavar='N', help='number of images')
    parser.add_argument('--seed', type=int, default=0, help='of the choice and the augmentation')
    add_cfg_options(parser)
    args = parser.parse_args()
    if args.num < 1:
        parser.error(f'--num must be at least 1, but is {args.num}')
    return args


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from rich.progress import track
from torch.utils.data import ConcatDataset

from mmclsa.datasets.verify import find_datasets
from mmclsa.engine import load_config
from mmclsa.registry import DATASETS
from mmclsa.visualization import PersonSearchVisualizer


def build(cfg: Config, split: str) -> Any:
    """Build the data set of a split; scenes as annotated for val and test."""
    loader = cfg.get(f'{split}_dataloader')
    if not loader:
        raise ConfigError(f'the config has no {split}_dataloader')
    init_default_scope(cfg.get('default_scope') or 'mmclsa')
    if split == 'train':
        return DATASETS.build(loader['dataset'])
    joined = []
    for scenes in find_datasets({f'{split}_dataloader': loader}).values():
        steps = scenes.pop('pipeline', [dict(type='LoadSceneImage')])
        steps = [*steps, dict(type='LoadPersonAnnotations'), dict(type='PackPersonSearchInputs')]
        joined.append(DATASETS.build(dict(scenes, pipeline=steps)))
    return ConcatDataset(joined)


def main() -> None:
    """Draw."""
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options)
    check_writable(args.out)
    set_random_seed(args.seed)
    dataset = build(cfg, args.split)
    visualizer = PersonSearchVisualizer()
    chosen = np.random.default_rng(args.seed).permutation(len(dataset))[: args.num]
    for item in track(chosen.tolist(), 'images', disable=not sys.stdout.isatty()):
        packed = dataset[item]
        sample = packed.get('data_samples')
        if 'gt_instances' not in (sample or ()):
            raise ConfigError(f'the pipeline of the {args.split} set does not pack gt_instances')
        picture = packed['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
        name = f'{item:06d}_{Path(str(sample.img_id)).stem}.jpg'
        visualizer.add_datasample(name, picture, sample, out_file=str(args.out / name))
    print(f'{len(chosen)} of {counted(len(dataset), "image")} in {args.out}')


if __name__ == '__main__':
    run_tool(main)
