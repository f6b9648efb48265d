"""Show the effect of batch norm over a few people on their embeddings."""

from __future__ import annotations

import argparse

from mmclsa.utils.cli import run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--people', type=int, nargs='+', default=[1, 2, 4, 8, 20])
    parser.add_argument('--copies', type=int, default=5, help='number of boxes of each person')
    parser.add_argument('--dims', type=int, default=256)
    parser.add_argument('--draws', type=int, default=200)
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import torch
import torch.nn.functional as F
from terminaltables import AsciiTable


def cosines(people: int, copies: int, dims: int) -> tuple[float, float]:
    """Draw people; compare batch statistics with everybody's, and copies with each other."""
    mean, std = torch.randn(dims) * 3, torch.rand(dims) + 0.5
    each = mean + std * torch.randn(people, dims)
    boxes = each.repeat_interleave(copies, 0) + 0.1 * std * torch.randn(people * copies, dims)
    among_few = F.normalize(F.batch_norm(boxes, None, None, training=True))
    among_all = F.normalize((boxes - mean) / std)
    groups = among_few.view(people, copies, dims)
    alike = groups @ groups.transpose(1, 2)
    pairs = ~torch.eye(copies, dtype=torch.bool)
    return float((among_few * among_all).sum(dim=1).mean()), float(alike[:, pairs].mean())


def main() -> None:
    """Print the table."""
    args = parse_args()
    torch.manual_seed(args.seed)
    rows = [['people', "cosine to everybody's statistics", 'cosine among copies of a person']]
    for people in args.people:
        drawn = [cosines(people, args.copies, args.dims) for _ in range(args.draws)]
        means = torch.tensor(drawn).mean(dim=0).tolist()
        rows.append([str(people), *(f'{value:.2f}' for value in means)])
    print(AsciiTable(rows).table)


if __name__ == '__main__':
    run_tool(main)
