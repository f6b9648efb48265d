import math

import numpy as np
import pytest
import torch

from mmclsa.models.losses import (
    SemanticAlignmentLoss,
    semantic_alignment_loss,
)


def by_hand(source, targets, temperature):
    """The formula in float64 and plain loops."""
    total = 0.0
    for target in targets:
        for s, t in zip(np.float64(source), np.float64(target)):
            p = np.exp(s / temperature - np.max(s / temperature))
            q = np.exp(t / temperature - np.max(t / temperature))
            p, q = p / p.sum(), q / q.sum()
            total += sum(a * (math.log(a) - math.log(b)) for a, b in zip(p, q)) / len(source)
    return temperature**2 * total


@pytest.mark.parametrize('temperature', [0.5, 1.0, 3.0, 10.0])
@pytest.mark.parametrize('shape', [(1, 2), (7, 5), (3, 40)])
def test_equals_the_formula_in_float64(shape, temperature):
    torch.manual_seed(1)
    source, *targets = (torch.randn(3, *shape, dtype=torch.float64) * 2).unbind()
    got = semantic_alignment_loss(source, targets, temperature)
    expected = by_hand(source.numpy(), [t.numpy() for t in targets], temperature)
    assert got.item() == pytest.approx(expected, rel=1e-10)
    single = semantic_alignment_loss(source.float(), [t.float() for t in targets], temperature)
    assert single.item() == pytest.approx(expected, rel=1e-4)


def test_frozen_golden_values():
    torch.manual_seed(0)
    source, low, middle = torch.randn(3, 4, 6).unbind()
    values = [
        semantic_alignment_loss(source, [low]).item(),
        semantic_alignment_loss(source, [low, middle]).item(),
        semantic_alignment_loss(source, [low, middle], temperature=1.0).item(),
    ]
    assert values == pytest.approx(GOLDEN, rel=1e-5)


GOLDEN = [0.869782, 1.53722, 1.242857]


@pytest.mark.parametrize('detach_source', [True, False])
def test_gradcheck(detach_source):
    torch.manual_seed(2)
    source, low, middle = torch.randn(3, 3, 4, dtype=torch.float64).requires_grad_().unbind()
    leaf = [t.detach().clone().requires_grad_() for t in (low, middle)]
    if detach_source:
        fixed = source.detach()
        assert torch.autograd.gradcheck(
            lambda a, b: semantic_alignment_loss(fixed, [a, b], 3.0, True), leaf
        )
    else:
        inputs = [source.detach().clone().requires_grad_(), *leaf]
        assert torch.autograd.gradcheck(
            lambda s, a, b: semantic_alignment_loss(s, [a, b], 3.0, False), inputs
        )


def test_source_gets_no_gradient_by_default():
    source, target = (torch.randn(3, 4, requires_grad=True) for _ in range(2))
    semantic_alignment_loss(source, [target]).backward()
    assert source.grad is None
    assert target.grad.abs().sum() > 0
    source.grad = target.grad = None
    semantic_alignment_loss(source, [target], detach_source=False).backward()
    assert source.grad.abs().sum() > 0


@pytest.mark.parametrize('num_targets', [0, 2])
def test_nobody_gives_zero_with_a_gradient_path(num_targets):
    source = torch.zeros(0, 5, requires_grad=True)
    targets = [torch.zeros(0, 5, requires_grad=True) for _ in range(num_targets)]
    loss = semantic_alignment_loss(source, targets)
    assert loss.item() == 0
    loss.backward()
    assert all(t.grad is not None and torch.isfinite(t.grad).all() for t in [source, *targets])


def test_huge_logits_stay_finite():
    source = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]])
    target = source.flip(1).clone().requires_grad_()
    loss = semantic_alignment_loss(source, [target], temperature=1.0)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(target.grad).all()
    assert loss.item() == pytest.approx(by_hand_huge(source, target.detach()), rel=1e-6)


def by_hand_huge(source, target):
    log_p = torch.log_softmax(source.double(), 1)
    log_q = torch.log_softmax(target.double(), 1)
    return (log_p.exp() * (log_p - log_q)).sum().item() / len(source)


def test_float32_inside_under_autocast():
    torch.manual_seed(3)
    source, target = (torch.randn(2, 6, 50) * 5).bfloat16().unbind()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = semantic_alignment_loss(source, [target])
    assert loss.dtype == torch.float32
    exact = by_hand(source.double().numpy(), [target.double().numpy()], 3.0)
    assert loss.item() == pytest.approx(exact, rel=1e-5)


def test_invariances():
    torch.manual_seed(4)
    source, low, middle = torch.randn(3, 9, 7).unbind()
    loss = semantic_alignment_loss(source, [low, middle])
    order, classes = torch.randperm(9), torch.randperm(7)
    shuffled = [t[order][:, classes] for t in (source, low, middle)]
    torch.testing.assert_close(semantic_alignment_loss(shuffled[0], shuffled[1:]), loss)
    torch.testing.assert_close(semantic_alignment_loss(source + 3, [low - 5, middle]), loss)
    parts = semantic_alignment_loss(source, [low]) + semantic_alignment_loss(source, [middle])
    torch.testing.assert_close(parts, loss)
    assert semantic_alignment_loss(source, [source.clone()]).item() == pytest.approx(0, abs=1e-6)


def test_gradient_scale_hardly_depends_on_temperature():
    # What T^2 is for: without it the gradient would fall like 1 / T^2.
    torch.manual_seed(5)
    source, target = (torch.randn(8, 30) * 0.1 for _ in range(2))
    norms = []
    for temperature in (1.0, 4.0, 16.0):
        leaf = target.clone().requires_grad_()
        semantic_alignment_loss(source, [leaf], temperature).backward()
        norms.append(leaf.grad.norm().item())
    assert max(norms) / min(norms) < 1.3


@pytest.mark.parametrize('temperature', [100.0, 1e3, 1e4])
def test_hot_softmaxes_do_not_drown_in_rounding(temperature):
    """In float32 it was -0.8 in place of 1.0 at 10,000; the limit is half the variance."""
    generator = torch.Generator().manual_seed(0)
    source, target = torch.randn(2, 5, 7, generator=generator)
    target.requires_grad_()
    loss = semantic_alignment_loss(source, [target], temperature)
    loss.backward()
    assert loss.dtype == target.grad.dtype == torch.float32
    exact = semantic_alignment_loss(source.double(), [target.detach().double()], temperature)
    assert loss.item() == pytest.approx(exact.item(), rel=1e-5)
    limit = (source - target).var(dim=1, unbiased=False).mean() / 2
    assert loss.item() == pytest.approx(limit.item(), rel=20 / temperature)


def test_without_weight_nothing_is_computed_or_kept():
    source, target = torch.full((2, 3, 4), torch.inf).requires_grad_().unbind()
    value = SemanticAlignmentLoss(loss_weight=0.0)(source, [target])
    assert value == 0
    assert not value.requires_grad


def test_module_and_bad_arguments():
    source, target = torch.randn(2, 3, 4).unbind()
    module = SemanticAlignmentLoss(temperature=2.0, loss_weight=0.5)
    expected = 0.5 * semantic_alignment_loss(source, [target], 2.0)
    torch.testing.assert_close(module(source, [target]), expected)
    with pytest.raises(ValueError, match='temperature must be positive, but got 0'):
        SemanticAlignmentLoss(temperature=0)
    with pytest.raises(ValueError, match='temperature must be positive, but got -1'):
        semantic_alignment_loss(source, [target], temperature=-1)
    with pytest.raises(ValueError, match=r'target_logits\[0\].*\(3, 4\).*\(3, 2\)'):
        semantic_alignment_loss(source, [target[:, :2]])
