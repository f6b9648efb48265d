"""A training whose loss is not finite ends with a sentence, its checkpoints whole."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmclsa.engine.hooks import FiniteLossHook
from mmclsa.errors import TrainingError
from mmclsa.registry import MODELS
from tests.test_engine.toy import ToyModel, toy_config


@MODELS.register_module(force=True)
class SpoiltToy(ToyModel):
    """A toy that a step spoils: its loss, or only its gradient."""

    def __init__(self, at: int, what: str = 'loss') -> None:
        super().__init__()
        self.at, self.what, self.steps = at, what, 0

    def forward(self, inputs, mode='tensor'):
        losses = super().forward(inputs, mode)
        self.steps += 1
        if self.steps == self.at and self.what == 'loss':
            losses['loss_id_l1'] = losses['loss'] * torch.nan
        elif self.steps == self.at:
            # Finite forward, 0 * inf = nan backward.
            losses['loss_id_l1'] = (self.head.weight * 0).sqrt().sum()
        return losses


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmclsa')


def run(work_dir, at, what, interval=1, by_epoch=False):
    cfg = toy_config(
        work_dir,
        model=dict(type='SpoiltToy', at=at, what=what),
        checkpoint=dict(interval=interval, by_epoch=by_epoch),
    )
    cfg['custom_hooks'] = [*cfg['custom_hooks'], dict(type='FiniteLossHook')]
    Runner.from_cfg(Config(cfg)).train()


@pytest.mark.parametrize('what', ['loss', 'gradient'])
@pytest.mark.parametrize('at', [4, 18])
def test_training_stops_and_no_spoilt_checkpoint_is_written(tmp_path, at, what):
    with pytest.raises(TrainingError, match=f'(at|after) iteration {at - (what != "loss")}'):
        run(tmp_path, at, what)
    written = sorted(tmp_path.glob('iter_*.pth'))
    assert [path.stem for path in written] == sorted(f'iter_{step}' for step in range(1, at))
    for path in written:
        state = torch.load(path, weights_only=False)['state_dict']
        assert all(tensor.isfinite().all() for tensor in state.values())


def test_training_stops_where_no_checkpoint_is_near(tmp_path):
    with pytest.raises(TrainingError, match='iteration 4: loss_id_l1 is not finite'):
        run(tmp_path, 4, 'loss', interval=3, by_epoch=True)


def test_the_pictures_of_the_batch_are_named():
    runner, hook = SimpleNamespace(iter=6), FiniteLossHook()
    samples = [SimpleNamespace(metainfo=dict(img_id=f's{k}.jpg')) for k in (3, 8)]
    losses = {'loss_id_l0': torch.tensor(torch.inf), 'loss': torch.tensor(torch.nan)}
    hook.after_train_iter(runner, 6, dict(data_samples=samples), losses)
    with pytest.raises(TrainingError, match=r'7: loss_id_l0 is not .* pictures s3.jpg, s8.jpg;'):
        hook.after_train(runner)


def test_what_is_no_loss_may_be_infinite():
    hook = FiniteLossHook()
    hook.after_train_iter(SimpleNamespace(iter=0), 0, None, {'acc': torch.tensor(torch.inf)})
    hook.after_train(SimpleNamespace(iter=0))


def test_what_may_be_infinite_on_purpose():
    """The mask of an attention, and what a module keeps beside tensors."""
    model = torch.nn.Linear(2, 1)
    model.register_buffer('mask', torch.full((2, 2), -torch.inf))
    runner = SimpleNamespace(model=model, hooks=[], iter=3)
    state = {**model.state_dict(), '_extra_state': {'scale': 1}}
    FiniteLossHook().before_save_checkpoint(runner, {'state_dict': state})
    for name, value in (('mask', torch.nan), ('weight', torch.inf)):
        spoilt = {**state, name: torch.full((1, 2), value)}
        with pytest.raises(TrainingError, match=f'{name} is not finite'):
            FiniteLossHook().before_save_checkpoint(runner, {'state_dict': spoilt})
