"""The cost of a step: what is counted, and that it is counted once."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from mmclsa.engine.cost import (
    count_flops,
    peak_of_allocations,
    record_saved_tensors,
    step_memory,
)

ROWS, DIMS = 10, 8
ONE = ROWS * DIMS * 4  # bytes of a float32 activation


@pytest.fixture
def rows():
    return torch.randn(ROWS, DIMS)


def saved_bytes(run, model=None):
    with record_saved_tensors(model) as saved:
        kept = run()
    assert kept is not None
    return saved.nbytes


class TestSavedTensors:
    def test_two_operations_that_save_one_tensor_count_it_once(self, rows):
        leaf = rows.requires_grad_()
        assert saved_bytes(lambda: leaf * leaf + leaf.view(-1, DIMS).square()) == ONE

    def test_weights_do_not_count(self, rows):
        model = nn.Linear(DIMS, DIMS)
        assert saved_bytes(lambda: model(rows), model) == ONE
        assert saved_bytes(lambda: model(rows.requires_grad_())) == ONE + DIMS * DIMS * 4

    def test_nothing_is_saved_without_a_gradient(self, rows):
        with torch.no_grad():
            assert saved_bytes(lambda: rows.exp().exp()) == 0

    def test_checkpointing_saves_only_the_input(self, rows):
        layers = nn.Sequential(*[nn.Sequential(nn.Linear(DIMS, DIMS), nn.Tanh()) for _ in range(4)])
        plain = saved_bytes(lambda: layers(rows), layers)
        assert plain == 5 * ONE
        fewer = saved_bytes(lambda: checkpoint(layers, rows, use_reentrant=False), layers)
        assert fewer == ONE

    def test_what_was_counted_is_freed(self, rows):
        """A GPU kept every graph that was counted: each model's peak had those before it."""

        class Hook:
            def __call__(self, grad):
                return grad

        hook = Hook()
        with record_saved_tensors():
            output = rows.requires_grad_().exp()  # exp saves its own output
            output.register_hook(hook)
        alive = weakref.ref(hook)
        del hook, output
        assert alive() is None

    def test_bfloat16_halves_them(self, rows):
        model = nn.Sequential(nn.Linear(DIMS, DIMS), nn.Linear(DIMS, DIMS))
        with torch.autocast('cpu', torch.bfloat16):
            # Two activations, and the second layer's narrow weight, which is no parameter.
            found = saved_bytes(lambda: model(rows), model)
        assert found == 2 * ONE // 2 + DIMS * DIMS * 2


def test_step_memory_of_a_part_that_is_frozen():
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4))
    model[0].requires_grad_(False)
    memory = step_memory(model, saved_bytes=1000, optimizer_states=2)
    # 16 weights, 8 of the norm, 8 statistics; the counter of batches has 8 bytes.
    assert memory.parameters == (16 + 8 + 8) * 4 + 8
    assert memory.gradients == 8 * 4
    assert memory.optimizer == 2 * 8 * 4
    assert memory.total == 1000 + memory.parameters + 3 * 8 * 4


def test_peak_is_what_lives_at_once():
    def run():
        small = torch.zeros(1000)
        del small
        return torch.zeros(2000) + torch.zeros(2000)

    # 1000, then three times 2000: what was freed before does not count.
    assert peak_of_allocations(run) == 24000


def test_peak_is_above_what_was_held_before():
    held = torch.zeros(5000)
    assert 4000 <= peak_of_allocations(lambda: held[:1000] + 1) < 5000


def test_flops_of_a_product_and_its_gradient(rows):
    weight = torch.randn(DIMS, 3, requires_grad=True)
    assert count_flops(lambda: rows @ weight) in (None, 2 * ROWS * DIMS * 3)
    assert count_flops(lambda: (rows @ weight).sum().backward()) in (None, 4 * ROWS * DIMS * 3)
