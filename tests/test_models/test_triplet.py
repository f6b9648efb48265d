"""The triplet loss against a loop."""

import torch

from mmclsa.models.losses import (
    BatchHardTripletLoss,
    batch_hard_triplet_loss,
)


def triplet_loop(points, ids, margin):
    losses = []
    for a, anchor in enumerate(points):
        if ids[a] < 0:
            continue
        others = [b for b in range(len(points)) if b != a and ids[b] >= 0]
        mine = [(anchor - points[b]).norm() for b in others if ids[b] == ids[a]]
        strangers = [(anchor - points[b]).norm() for b in others if ids[b] != ids[a]]
        if mine and strangers:
            losses.append(max(max(mine) - min(strangers) + margin, torch.tensor(0.0).double()))
    return sum(losses) / len(losses)


def test_triplet_equals_the_loop():
    torch.manual_seed(5)
    points = torch.randn(14, 3, dtype=torch.float64)
    ids = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 3, -1, -1, 4, 4, 1])
    got = BatchHardTripletLoss(margin=0.5, loss_weight=3.0)(points, ids)
    torch.testing.assert_close(got, 3 * triplet_loop(points, ids.tolist(), 0.5))
    soft = batch_hard_triplet_loss(points, ids, margin=None)
    assert soft > 0
    assert soft != got


def test_triplet_without_pairs_and_with_twins():
    points = torch.randn(3, 2, requires_grad=True)
    for ids in ([0, 1, 2], [0, 0, 0], [-1, -1, -1]):
        value = batch_hard_triplet_loss(points, torch.tensor(ids))
        assert value.item() == 0
        value.backward()
    twins = torch.zeros(4, 2, requires_grad=True)
    batch_hard_triplet_loss(twins, torch.tensor([0, 0, 1, 1])).backward()
    assert torch.isfinite(twins.grad).all()
