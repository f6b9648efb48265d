"""Compare the cost of rows of a grid: a training step and a search, for two-step re-ID.

All models see the same people. Their steps alternate, so that other load on the machine affects all
of them equally; a ratio is the median of the ratios within a round. Time is CPU time of this
process on a CPU, and wall time on a GPU. Weights are random, as they do not affect the cost.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('grid', help='such as tools/analysis_tools/grids/crops_drawn.py')
    parser.add_argument(
        '--rows', nargs='+', required=True, metavar='ROW', help='ratios are to the first row'
    )
    parser.add_argument('--people', type=int, default=32, help='people in a batch')
    parser.add_argument('--repeats', type=int, default=10, help='number of rounds')
    parser.add_argument('--device', default='cpu')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import torch
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from terminaltables import AsciiTable
from torch import Tensor

from mmclsa.engine.ablation import Row, read_grid, row_config
from mmclsa.engine.cost import alternate, median_ratio
from mmclsa.models.reid import CropReID
from mmclsa.models.reid.base import SceneBatch
from mmclsa.registry import MODELS

PICTURE = (3, 240, 120)  # of a person, original pixels


def build_reid(row: Row, device: torch.device) -> CropReID:
    """Build the re-ID branch of a row, with random weights."""
    cfg = row_config(row, row.seeds[0])
    reid = cfg.model.to_dict()['reid']
    if reid['type'] != 'CropReID':
        raise ConfigError(
            f'the row {row.name} has a {reid["type"]}, but the benchmark needs CropReID'
        )
    reid['backbone']['init_cfg'] = None
    return MODELS.build(ConfigDict(reid)).to(device)


def draw_people(count: int, identities: int, device: torch.device) -> tuple[Any, ...]:
    """Draw pictures of noise, a person each."""
    generator = torch.Generator().manual_seed(0)
    samples = []
    for number in range(count):
        sample = DetDataSample(metainfo=dict(img_id=str(number)))
        noise = torch.randint(0, 256, PICTURE, generator=generator)
        sample.original_image = noise.to(torch.uint8).to(device)
        samples.append(sample)
    boxes = [torch.tensor([[10.0, 10.0, 110.0, 230.0]], device=device)] * count
    ids = [torch.tensor([number % identities], device=device) for number in range(count)]
    return SceneBatch(None, samples), boxes, ids


def steps(
    reid: CropReID, people: tuple[Any, ...]
) -> tuple[Callable[[], None], Callable[[], Tensor]]:
    """Make a training step, without its optimizer, and a description of everybody."""
    scenes, boxes, ids = people

    def train() -> None:
        reid.train()
        reid.zero_grad()
        losses = reid.loss(scenes, boxes, ids)
        sum(losses.values()).backward()

    @torch.no_grad()
    def test() -> Tensor:
        reid.eval()
        return reid.describe(scenes, boxes)

    return train, test


def main() -> None:
    """Time the rows and print their ratios."""
    args = parse_args()
    init_default_scope('mmclsa')
    grid, device = read_grid(args.grid), torch.device(args.device)
    branches = [build_reid(grid[name], device) for name in args.rows]
    fewest = min(branch.head.num_identities for branch in branches)
    people = draw_people(args.people, fewest, device)
    both = [steps(branch, people) for branch in branches]
    training = alternate([train for train, _ in both], args.repeats, device)
    testing = alternate([test for _, test in both], args.repeats, device)
    lines = [['row', 'training step ms', 'ratio', 'description ms', 'ratio', 'numbers a person']]
    for name, train, test, (_, describe) in zip(args.rows, training, testing, both):
        line = [name]
        for times, base in ((train, training[0]), (test, testing[0])):
            line += [f'{1000 * statistics.median(times):.0f}', f'{median_ratio(times, base):.3f}']
        lines.append([*line, str(describe().shape[1])])
    print(AsciiTable(lines).table)


if __name__ == '__main__':
    run_tool(main)
