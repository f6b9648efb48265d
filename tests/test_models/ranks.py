"""A small re-ID branch that is trained on one, two or four ranks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import torch
from mmcv.ops import roi_align
from mmdet.structures.bbox import bbox2roi
from mmengine.registry import init_default_scope
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmclsa.models.reid.base import SceneBatch
from mmclsa.registry import MODELS
from tests.ranks import run_ranks
from tests.test_models.builders import NUM_IDENTITIES, scene_reid_cfg

PICTURES = 4
COLLECTIVES = ('all_gather', 'all_gather_into_tensor', 'all_reduce', 'broadcast', 'all_to_all')

#: Ids of the people of each picture, for five steps: uneven, a picture without anybody, pictures
#: without anybody labelled, and a step without anybody labelled at all.
STEPS = (
    ([0, 1, 2, 3], [0], [4, 4, -1], []),
    ([-1, -1], [], [1, 2, 3, 4, 5, 0, 1], [5]),
    ([], [], [0, -1, -1, -1], [0]),
    ([-1], [-1, -1, -1], [-1], [-1]),
    ([2, 2], [2, 3], [3, 4], [4, 5]),
)


class Branch(nn.Module):
    """Three strided convolutions as a backbone, and a SceneReID."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Conv2d(before, 8, kernel_size=stride, stride=stride)
            for before, stride in ((3, 8), (8, 2), (8, 2))
        )
        self.reid = MODELS.build(
            scene_reid_cfg(
                [8, 8, 8],
                loss_id=dict(type='OIMLoss', queue_size=5),
                loss_triplet=dict(type='BatchHardTripletLoss'),
                loss_contrastive=dict(type='SupervisedContrastiveLoss'),
            )
        )

    def forward(self, pictures, boxes, ids):
        maps, out = [], pictures
        for stage in self.stages:
            out = stage(out)
            maps.append(out)
        return self.reid.loss(SceneBatch(tuple(maps), []), boxes, ids)


class RoIBranch(nn.Module):
    """Two strided convolutions, of whose RoIs a RoIEmbeddingHead makes one embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList([nn.Conv2d(3, 8, 8, 8), nn.Conv2d(8, 8, 2, 2)])
        self.head = MODELS.build(
            dict(
                type='RoIEmbeddingHead',
                num_identities=NUM_IDENTITIES,
                in_channels=[8, 8],
                embed_dims=8,
                loss_id=dict(type='OIMLoss', queue_size=5),
                loss_align=dict(type='SemanticAlignmentLoss'),
                loss_class=dict(type='BNNeckIdentityLoss'),
            )
        )

    def forward(self, pictures, boxes, ids):
        low = self.stages[0](pictures)
        rois = bbox2roi(boxes)
        levels = [(low, 1 / 8), (self.stages[1](low), 1 / 16)]
        maps = [roi_align(level, rois, (4, 2), scale, 2) for level, scale in levels]
        return self.head.loss(maps, torch.cat(list(ids)))


BRANCHES = {'scene': Branch, 'roi': RoIBranch}


def build_branch(kind: str = 'scene') -> nn.Module:
    """Build it from a fixed seed, in float64, its batch norm fixed at some statistics."""
    init_default_scope('mmclsa')
    torch.manual_seed(0)
    branch = BRANCHES[kind]().double().train()
    for module in branch.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
            module.eval()
    return branch


def batch_of(step, pictures):
    """Draw the given pictures of a step, always the same ones."""
    generator = torch.Generator().manual_seed(step)
    images = torch.randn(PICTURES, 3, 64, 64, generator=generator, dtype=torch.float64)
    boxes, ids = [], []
    for people in STEPS[step]:
        corner = torch.rand(len(people), 2, generator=generator, dtype=torch.float64) * 30
        extent = torch.rand(len(people), 2, generator=generator, dtype=torch.float64) * 20 + 10
        boxes.append(torch.cat([corner, corner + extent], dim=1))
        ids.append(torch.tensor(people, dtype=torch.int64))
    part = slice(pictures.start, pictures.stop)
    return images[part], boxes[part], ids[part]


def count_collectives(monkey: dict[str, int]) -> None:
    """Let every collective of torch.distributed count itself."""
    for name in COLLECTIVES:
        original = getattr(torch.distributed, name)

        def counted(*args, _name=name, _original=original, **kwargs):
            monkey[_name] += 1
            return _original(*args, **kwargs)

        setattr(torch.distributed, name, counted)


def train_branch(rank: int, ranks: int, kind: str = 'scene') -> dict:
    """Train five steps; return losses of each step, gradients of the last, state, collectives."""
    branch = build_branch(kind)
    model = DistributedDataParallel(branch, broadcast_buffers=False) if ranks > 1 else branch
    optimizer = torch.optim.SGD(branch.parameters(), lr=0.05, momentum=0.9)
    each = PICTURES // ranks
    counts: Counter = Counter()
    if ranks > 1:
        count_collectives(counts)
    told, during = [], []
    for step in range(len(STEPS)):
        before = sum(counts.values())
        losses = model(*batch_of(step, range(rank * each, (rank + 1) * each)))
        during.append(sum(counts.values()) - before)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        told.append({name: value.detach() for name, value in losses.items()})
    return {
        'losses': told,
        'grads': {name: p.grad for name, p in branch.named_parameters() if p.requires_grad},
        'state': branch.state_dict(),
        'collectives': during,
    }


def _work(rank: int, ranks: int, folder: str, kind: str) -> None:
    torch.save(train_branch(rank, ranks, kind), f'{folder}/{ranks}_{rank}.pth')


def train_on_ranks(ranks: int, folder: Path, kind: str = 'scene') -> list[dict]:
    """Train in processes over gloo; return what each rank found."""
    run_ranks(_work, ranks, str(folder), kind)
    return [torch.load(folder / f'{ranks}_{rank}.pth') for rank in range(ranks)]
