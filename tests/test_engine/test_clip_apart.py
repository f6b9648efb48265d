"""Clipping parts of a model on their own."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from mmclsa.engine.clip_apart import ClipApartConstructor, split_parameters
from mmclsa.errors import ConfigError


@pytest.fixture(autouse=True)
def _scope() -> None:
    DefaultScope.get_instance('test_clip_apart', scope_name='mmclsa')


def model():
    torch.manual_seed(0)
    return nn.ModuleDict({'detector': nn.Linear(4, 3), 'reid': nn.Linear(4, 3)})


def wrapper_of(net, **clip):
    cfg = dict(
        constructor='ClipApartConstructor',
        optimizer=dict(type='SGD', lr=1.0),
        clip_grad=clip or dict(max_norm=1.0),
        paramwise_cfg=dict(clip_apart=['reid']),
    )
    return build_optim_wrapper(net, cfg)


def step(net, wrapper, scale):
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    inputs = torch.ones(2, 4)
    wrapper.update_params(net['detector'](inputs).sum() + scale * net['reid'](inputs).sum())
    return {name: before[name] - p.detach() for name, p in net.named_parameters()}


def norm_of(steps, part):
    return torch.stack([s.norm() for name, s in steps.items() if name.startswith(part)]).norm()


def test_a_large_part_does_not_shrink_another():
    net = model()
    small = step(net, wrapper_of(net, max_norm=100.0), scale=1.0)
    for scale in (1.0, 1000.0):
        net = model()
        moved = step(net, wrapper_of(net, max_norm=100.0), scale)
        torch.testing.assert_close(norm_of(moved, 'detector'), norm_of(small, 'detector'))
    assert norm_of(moved, 'reid') == pytest.approx(100.0, rel=1e-4)


def test_each_part_is_clipped():
    net = model()
    moved = step(net, wrapper_of(net, max_norm=0.5), scale=7.0)
    assert norm_of(moved, 'detector') == pytest.approx(0.5, rel=1e-4)
    assert norm_of(moved, 'reid') == pytest.approx(0.5, rel=1e-4)


def test_the_norm_over_all_and_those_of_parts_are_logged():
    net = model()
    wrapper = wrapper_of(net, max_norm=0.5)
    step(net, wrapper, scale=3.0)
    logged = {name: buffer.current() for name, buffer in wrapper.message_hub.log_scalars.items()}
    one = (2**2 * 4 * 3 + 2**2 * 3) ** 0.5
    assert logged['train/grad_norm_rest'] == pytest.approx(one)
    assert logged['train/grad_norm_reid'] == pytest.approx(3 * one)
    assert logged['train/grad_norm'] == pytest.approx((1 + 9) ** 0.5 * one)


def test_clipping_by_value():
    net = model()
    moved = step(net, wrapper_of(net, type='value', clip_value=0.25), scale=2.0)
    assert max(float(s.abs().max()) for s in moved.values()) == pytest.approx(0.25)


def test_other_paramwise_options_still_work():
    net = model()
    cfg = dict(
        optimizer=dict(type='SGD', lr=1.0),
        clip_grad=dict(max_norm=1.0),
    )
    options = dict(clip_apart=['reid'], custom_keys=dict(reid=dict(lr_mult=0.5)))
    wrapper = ClipApartConstructor(cfg, options)(net)
    rates = {id(p): g['lr'] for g in wrapper.optimizer.param_groups for p in g['params']}
    assert rates[id(net['reid'].weight)] == 0.5
    assert rates[id(net['detector'].weight)] == 1.0


def test_every_parameter_is_in_one_part():
    net = model()
    split = split_parameters(net, ['reid', 'detector'])
    assert {name: len(of) for name, of in split.items()} == dict(reid=2, detector=2, rest=0)


def test_mistakes():
    with pytest.raises(ConfigError, match='clip_apart'):
        build_optim_wrapper(
            model(), dict(constructor='ClipApartConstructor', optimizer=dict(type='SGD', lr=1.0))
        )
    with pytest.raises(ConfigError, match='head'):
        split_parameters(model(), ['head'])
