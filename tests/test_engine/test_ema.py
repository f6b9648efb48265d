"""The averaged model: weights and statistics averaged, the memory as it is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn

from mmclsa.engine.hooks import PersonSearchEMAHook
from mmclsa.models.memory import IdentityMemory
from mmclsa.registry import MODELS
from tests.test_engine.toy import toy_config

MOMENTUM = 0.25


@MODELS.register_module(force=True)
class Remembering(BaseModel):
    """A linear layer, a batch norm, and a memory with a queue."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.memory = IdentityMemory(3, 5, 4)

    def forward(self, inputs, mode='tensor'):
        rows = self.norm(self.linear(torch.stack(inputs)))
        if mode != 'loss':
            return list(rows.unbind())
        # A labelled person and a stranger a step.
        self.memory.update(rows[:2], torch.tensor([0, -1]))
        return {'loss': rows.square().mean() + self.linear.weight.square().sum()}


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmclsa')


def hook_on(model, hook_class=PersonSearchEMAHook, **options):
    hook = hook_class(momentum=MOMENTUM, **options)
    runner = SimpleNamespace(model=model, iter=0, epoch=0)
    hook.before_run(runner)
    return hook, runner


def train_a_little(model, hook, runner, steps=4):
    """Return the models' states after every step."""
    states = []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model([torch.randn(4) for _ in range(6)], mode='loss')['loss'].backward()
        optimizer.step()
        hook.after_train_iter(runner, 0)
        states.append({name: value.clone() for name, value in model.state_dict().items()})
    return states


@pytest.fixture
def trained():
    torch.manual_seed(0)
    model = Remembering()
    hook, runner = hook_on(model)
    return model, hook, runner, train_a_little(model, hook, runner)


class TestAverage:
    @pytest.mark.parametrize('name', ['linear.weight', 'norm.running_mean', 'norm.running_var'])
    def test_weights_and_statistics_are_averaged(self, trained, name):
        _, hook, _, states = trained
        expected = states[0][name]
        for state in states[1:]:
            expected = (1 - MOMENTUM) * expected + MOMENTUM * state[name]
        torch.testing.assert_close(hook.ema_model.module.state_dict()[name], expected)
        assert not torch.allclose(expected, states[-1][name])

    @pytest.mark.parametrize(
        'name',
        ['memory.table', 'memory.queue', 'memory.queue_pointer', 'norm.num_batches_tracked'],
    )
    def test_the_memory_is_the_source_models(self, trained, name):
        _, hook, _, states = trained
        assert torch.equal(hook.ema_model.module.state_dict()[name], states[-1][name])

    def test_mmengines_hook_would_spoil_the_memory(self):
        """Why there is a hook of our own."""
        model = Remembering()
        hook, runner = hook_on(model, EMAHook, update_buffers=True)
        train_a_little(model, hook, runner)
        averaged = hook.ema_model.module.memory
        assert int(averaged.queue_pointer) != int(model.memory.queue_pointer)
        assert averaged.table[0].norm() < 0.999

    def test_validation_borrows_the_average(self, trained):
        model, hook, runner, states = trained
        average = {k: v.clone() for k, v in hook.ema_model.module.state_dict().items()}
        hook.before_val_epoch(runner)
        for name, value in model.state_dict().items():
            assert torch.equal(value, average[name]), name
        hook.after_val_epoch(runner)
        for name, value in model.state_dict().items():
            assert torch.equal(value, states[-1][name]), name


def run(work_dir, epochs=3, **overrides):
    cfg = Config(toy_config(work_dir, **overrides))
    cfg.model = dict(type='Remembering')
    cfg.custom_hooks.append(dict(type='PersonSearchEMAHook', momentum=MOMENTUM))
    cfg.train_dataloader.update(num_workers=0, batch_size=4)
    cfg.train_cfg.max_epochs = epochs
    runner = Runner.from_cfg(cfg)
    runner.train()
    (hook,) = (hook for hook in runner.hooks if isinstance(hook, PersonSearchEMAHook))
    return runner.model.state_dict(), hook.ema_model.state_dict()


class TestCheckpoint:
    def test_it_holds_the_average_with_the_true_memory(self, tmp_path):
        source, average = run(tmp_path)
        saved = torch.load(tmp_path / 'epoch_3.pth', weights_only=False)['state_dict']
        for name, value in saved.items():
            assert torch.equal(value, average[f'module.{name}']), name
        for name in ('table', 'queue', 'queue_pointer'):
            assert torch.equal(saved[f'memory.{name}'], source[f'memory.{name}']), name

    def test_a_resumed_run_is_the_unbroken_one(self, tmp_path):
        unbroken = run(tmp_path / 'unbroken')
        run(tmp_path / 'broken', epochs=2)
        resumed = run(tmp_path / 'broken', resume=True)
        for one, other in zip(resumed, unbroken):
            for name, value in one.items():
                assert torch.equal(value, other[name]), name
