import math

import pytest
import torch
import torch.nn.functional as F

from mmclsa.models.losses import (
    SupervisedContrastiveLoss,
    supervised_contrastive_loss,
)


def loop(units, ids, temperature):
    """The definition, one anchor after the other, in float64."""
    values = []
    for i, own in enumerate(ids):
        others = [j for j, other in enumerate(ids) if j != i and other >= 0]
        positives = [j for j in others if ids[j] == own]
        if own < 0 or not positives:
            continue
        scores = {j: math.exp(float(units[i] @ units[j]) / temperature) for j in others}
        total = sum(scores.values())
        values.append(-sum(math.log(scores[j] / total) for j in positives) / len(positives))
    return sum(values) / len(values)


def people(seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    units = F.normalize(torch.randn(12, 6, generator=generator, dtype=dtype))
    return units, torch.tensor([0, 0, 1, 1, 1, 2, -1, -1, 3, 3, 0, 4])


@pytest.mark.parametrize('temperature', [0.05, 0.1, 1.0])
def test_equals_the_loop(temperature):
    units, ids = people()
    got = SupervisedContrastiveLoss(temperature, loss_weight=2.0)(units, ids)
    assert float(got) == pytest.approx(2 * loop(units, ids.tolist(), temperature), rel=1e-12)


def test_gradient_is_right_and_unlabelled_people_have_none():
    units, ids = people()
    units.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: supervised_contrastive_loss(x, ids), units)
    supervised_contrastive_loss(units, ids).backward()
    assert torch.isfinite(units.grad).all()
    assert (units.grad[ids < 0] == 0).all()
    assert (units.grad[ids >= 0].norm(dim=1) > 0).all()


@pytest.mark.parametrize('ids', [[], [0], [0, 1, 2], [-1, -1]])
def test_no_anchor_gives_zero_with_a_gradient(ids):
    units = torch.rand(len(ids), 4, requires_grad=True)
    value = supervised_contrastive_loss(units, torch.tensor(ids, dtype=torch.int64))
    value.backward()
    assert value == 0
    assert (units.grad == 0).all()


def test_order_does_not_matter():
    units, ids = people()
    order = torch.randperm(len(ids), generator=torch.Generator().manual_seed(1))
    first = supervised_contrastive_loss(units, ids)
    torch.testing.assert_close(supervised_contrastive_loss(units[order], ids[order]), first)


def test_float32_under_autocast():
    units, ids = people(dtype=torch.float32)
    plain = supervised_contrastive_loss(units, ids)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        value = supervised_contrastive_loss(units, ids)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, plain)


def test_wrong_temperature_is_refused():
    with pytest.raises(ValueError, match='temperature must be positive'):
        SupervisedContrastiveLoss(temperature=0)
