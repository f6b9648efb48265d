"""A loss that comes in late: the weights that it has in each step."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from torch import nn

from mmclsa.engine.hooks import LossWeightRampHook
from mmclsa.errors import ConfigError


class Loss(nn.Module):
    loss_weight = 2.0


def runner(iters_per_epoch=4):
    model = nn.ModuleDict({'head': nn.ModuleDict({'align': Loss()})})
    return SimpleNamespace(model=model, iter=0, train_dataloader=[None] * iters_per_epoch)


def weights(hook, run, start=0, stop=12):
    hook.before_train(run)
    seen = []
    for run.iter in range(start, stop):
        hook.before_train_iter(run, 0)
        seen.append(run.model['head']['align'].loss_weight)
    hook.after_train(run)
    return seen


def test_it_grows_from_nothing_to_the_configs_weight():
    run = runner()
    seen = weights(LossWeightRampHook('head.align', begin=1, end=2), run)
    assert seen == [0.0] * 5 + [0.5, 1.0, 1.5] + [2.0] * 4
    assert run.model['head']['align'].loss_weight == 2.0, 'as the config says, after training'


def test_a_step():
    seen = weights(LossWeightRampHook('head.align', begin=0.5, end=0.5), runner(), stop=4)
    assert seen == [0.0, 0.0, 2.0, 2.0]


def test_a_resumed_run_has_the_weights_of_an_unbroken_one():
    hook = LossWeightRampHook('head.align', begin=0, end=3)
    assert weights(hook, runner(), start=5) == weights(hook, runner())[5:]


@pytest.mark.parametrize('module', ['head.nothing', 'head'])
def test_no_such_loss(module):
    with pytest.raises(ConfigError, match=f'model.{module}'):
        LossWeightRampHook(module).before_train(runner())


def test_of_a_loss_that_is_off(monkeypatch):
    monkeypatch.setattr(Loss, 'loss_weight', 0.0)
    with pytest.raises(ConfigError, match='loss_weight is 0'):
        LossWeightRampHook('head.align').before_train(runner())


def test_range():
    with pytest.raises(ConfigError, match='begin'):
        LossWeightRampHook('head.align', begin=2, end=1)
