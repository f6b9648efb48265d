import pytest
import torch
import torch.nn.functional as F

from mmclsa.models.losses import (
    BatchHardTripletLoss,
    LinearIdentityLoss,
    OIMLoss,
    batch_hard_triplet_loss,
    labelled_cross_entropy,
)
from mmclsa.models.memory import IdentityMemory


class LoopMemory:
    """Online instance matching, one person after the other."""

    def __init__(self, num_identities, queue_size, dims, momentum):
        self.table = torch.zeros(num_identities, dims)
        self.queue = torch.zeros(queue_size, dims)
        self.pointer, self.momentum = 0, momentum

    def update(self, embeddings, ids):
        for x, y in zip(F.normalize(embeddings), ids.tolist()):
            if y >= 0:
                row = self.momentum * self.table[y] + (1 - self.momentum) * x
                self.table[y] = row / row.norm()
            elif len(self.queue):
                self.queue[self.pointer] = x
                self.pointer = (self.pointer + 1) % len(self.queue)


@pytest.mark.parametrize('queue_size', [0, 1, 5, 8])
@pytest.mark.parametrize('momentum', [0.0, 0.5, 0.9])
def test_memory_equals_the_loop(queue_size, momentum):
    torch.manual_seed(0)
    memory = IdentityMemory(4, queue_size, 6, momentum)
    loop = LoopMemory(4, queue_size, 6, momentum)
    for size in (9, 0, 1, 30, 4):
        embeddings, ids = torch.randn(size, 6), torch.randint(-1, 4, (size,))
        memory.update(embeddings, ids)
        loop.update(embeddings, ids)
        torch.testing.assert_close(memory.table, loop.table)
        torch.testing.assert_close(memory.queue, loop.queue)
        assert memory.queue_pointer == loop.pointer


def test_memory_resumes_exactly_and_stays_float32():
    torch.manual_seed(0)
    first, second = IdentityMemory(3, 4, 5), IdentityMemory(3, 4, 5)
    batches = [(torch.randn(6, 5), torch.randint(-1, 3, (6,))) for _ in range(4)]
    for embeddings, ids in batches[:2]:
        first.update(embeddings.bfloat16(), ids)
    second.load_state_dict(first.state_dict())
    for memory in (first, second):
        for embeddings, ids in batches[2:]:
            memory.update(embeddings, ids)
        assert memory.table.dtype == memory.queue.dtype == torch.float32
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_what_is_not_finite_stays_out_of_the_memory(bad):
    torch.manual_seed(0)
    memory, without = IdentityMemory(3, 4, 5), IdentityMemory(3, 4, 5)
    for seen in (memory, without):
        seen.update(torch.ones(7, 5), torch.tensor([0, 1, 2, -1, -1, -1, -1]))
    embeddings, ids = torch.randn(5, 5), torch.tensor([0, 1, -1, 0, -1])
    spoilt = embeddings.clone()
    spoilt[0, 3] = spoilt[2, 0] = bad
    memory.update(spoilt, ids)
    without.update(embeddings[[1, 3, 4]], ids[[1, 3, 4]])
    assert torch.equal(memory.table, without.table)
    # The slot of the stranger who is left out keeps whom it had.
    assert torch.equal(memory.queue[0], F.normalize(torch.ones(1, 5))[0])
    assert torch.equal(memory.queue[1], F.normalize(embeddings[4:])[0])


def test_memory_of_a_float64_model():
    loss = OIMLoss(5, 3, queue_size=2).double()
    embeddings = torch.randn(4, 5, dtype=torch.float64)
    loss.update(embeddings, torch.tensor([0, 1, -1, 2]))
    assert loss.memory.table.dtype == torch.float64
    torch.testing.assert_close(loss.memory.queue[0], F.normalize(embeddings)[2], rtol=0, atol=1e-15)


def test_memory_refuses_a_wrong_momentum():
    with pytest.raises(ValueError, match=r'momentum must lie in \[0, 1\], but got 1.5'):
        IdentityMemory(1, 1, 1, momentum=1.5)


def test_oim_loss_equals_the_formula():
    torch.manual_seed(1)
    loss = OIMLoss(6, num_identities=4, queue_size=3, scale=10.0, loss_weight=2.0)
    loss.update(torch.randn(12, 6), torch.arange(12) % 5 - 1)
    embeddings, ids = torch.randn(5, 6), torch.tensor([0, 3, -1, 1, -1])
    prototypes = torch.cat([loss.memory.table, loss.memory.queue]).double()
    expected = 0.0
    for x, y in zip(embeddings.double(), ids.tolist()):
        if y >= 0:
            scores = 10.0 * prototypes @ (x / x.norm())
            expected -= (scores[y] - scores.exp().sum().log()).item() / 3
    assert loss(embeddings, ids).item() == pytest.approx(2 * expected, rel=1e-5)


def test_update_between_loss_and_backward_does_no_harm():
    # The order of a training step: loss, update, backward. An in-place change
    # of a tensor that the backward pass needs would raise or give wrong gradients.
    torch.manual_seed(2)
    loss = OIMLoss(4, num_identities=3, queue_size=2)
    loss.update(torch.randn(6, 4), torch.arange(6) % 4 - 1)
    embeddings, ids = torch.randn(4, 4, requires_grad=True), torch.tensor([0, 1, 2, -1])
    reference = torch.autograd.grad(loss(embeddings, ids), embeddings)[0]
    value = loss(embeddings, ids)
    loss.update(embeddings, ids)
    value.backward()
    torch.testing.assert_close(embeddings.grad, reference)
    assert not any(b.requires_grad for b in loss.buffers())


def test_oim_under_autocast_is_float32():
    torch.manual_seed(3)
    loss = OIMLoss(16, num_identities=8, queue_size=2)
    loss.update(torch.randn(10, 16), torch.arange(10) % 8)
    embeddings, ids = torch.randn(6, 16).bfloat16(), torch.arange(6)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = loss(embeddings, ids)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, loss(embeddings.float(), ids))


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_linear_loss_ignores_the_unlabelled(smoothing):
    torch.manual_seed(4)
    loss = LinearIdentityLoss(5, 7, label_smoothing=smoothing, cosine_scale=16.0)
    embeddings, ids = torch.randn(6, 5), torch.tensor([0, -1, 6, 2, -1, 3])
    logits = loss.logits(embeddings)
    assert logits.abs().max() <= 16.0
    expected = F.cross_entropy(logits[ids >= 0].double(), ids[ids >= 0], label_smoothing=smoothing)
    torch.testing.assert_close(loss(embeddings, ids).double(), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize('ids', [[], [-1, -1]])
def test_nobody_labelled(ids):
    embeddings = torch.randn(len(ids), 4, requires_grad=True)
    ids = torch.tensor(ids, dtype=torch.int64)
    for loss in (LinearIdentityLoss(4, 3), OIMLoss(4, 3, queue_size=2)):
        value = loss(embeddings, ids)
        assert value.item() == 0
        value.backward()
        loss.update(embeddings, ids)
    assert labelled_cross_entropy(torch.zeros(0, 3), ids[:0]).item() == 0


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
