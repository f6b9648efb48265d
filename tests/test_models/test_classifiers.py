"""Identity classifiers: OIM against its formula, the linear one, nobody labelled."""

import pytest
import torch
import torch.nn.functional as F

from mmclsa.models.classifiers import LinearIdentityLoss, OIMLoss
from mmclsa.models.losses import (
    labelled_cross_entropy,
)


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


def test_they_are_found_where_they_were():
    from mmclsa.models import losses

    assert losses.OIMLoss is OIMLoss
    assert losses.LinearIdentityLoss is LinearIdentityLoss
    with pytest.raises(AttributeError, match='NoSuchLoss'):
        _ = losses.NoSuchLoss
