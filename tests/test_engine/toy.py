"""A training run of a second, with randomness in the model and in the workers."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.dist import all_gather, get_rank
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn

from mmclsa.registry import DATASETS, HOOKS, MODELS, TRANSFORMS

_RUNS = itertools.count()


@TRANSFORMS.register_module(force=True)
class ToyNoise:
    """Change a number a little by every generator."""

    def __call__(self, results: dict) -> dict:
        noise = random.random() + np.random.rand() + torch.rand(())
        return {'inputs': torch.full((4,), float(results['value'])) + noise}


@DATASETS.register_module(force=True)
class ToyDataset(BaseDataset):
    """Twelve numbers."""

    def __init__(self, num_identities: int | None = None, **kwargs) -> None:
        metainfo = {'num_identities': num_identities}
        super().__init__(metainfo=metainfo, pipeline=[{'type': 'ToyNoise'}], **kwargs)

    def load_data_list(self) -> list[dict]:
        return [{'value': value} for value in range(12)]


@MODELS.register_module(force=True)
class ToyModel(BaseModel):
    """A linear layer behind batch norm and dropout, and a buffer that remembers."""

    def __init__(self, num_identities: int = 3) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, num_identities)
        self.head.num_identities = num_identities
        self.register_buffer('memory', torch.zeros(4))

    def forward(self, inputs, mode='tensor'):
        inputs = torch.stack(inputs)
        output = self.head(nn.functional.dropout(self.norm(inputs), 0.5, self.training))
        if mode != 'loss':
            return list(output.unbind())
        with torch.no_grad():
            self.memory.lerp_(inputs.mean(0), 0.5)
        return {'loss': output.square().mean()}


def toy_config(work_dir, **overrides) -> dict:
    """A complete config in the shape of the project's own."""
    hooks = {
        'checkpoint': {'type': 'AtomicCheckpointHook', 'interval': 1},
        'logger': {'type': 'LoggerHook', 'interval': 100},
    }
    hooks['checkpoint'].update(overrides.pop('checkpoint', {}))
    cfg = {
        'default_scope': 'mmclsa',
        'model': {'type': 'ToyModel'},
        'work_dir': str(work_dir),
        'train_dataloader': {
            'dataset': {'type': 'ToyDataset'},
            'batch_size': 2,
            'num_workers': 0,
            'sampler': {'type': 'DefaultSampler', 'shuffle': True},
        },
        'train_cfg': {'type': 'ResumableEpochBasedTrainLoop', 'max_epochs': 3},
        'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.001, 'momentum': 0.9}},
        'param_scheduler': [{'type': 'MultiStepLR', 'milestones': [1, 2], 'end': 3}],
        'default_hooks': hooks,
        'custom_hooks': [
            {'type': 'IdentityCheckHook'},
            {'type': 'AverageBuffersHook'},
            {'type': 'InterimCheckpointHook'},
        ],
        'randomness': {'seed': 5},
        'log_level': 'ERROR',
        # By default the second in which it started: two runs in one share their log.
        'experiment_name': f'toy_{next(_RUNS)}',
    }
    return {**cfg, **overrides}


@HOOKS.register_module(force=True)
class SignalAt(Hook):
    """Send a signal to this process during a step, in the rank that is named."""

    def __init__(self, step: int, name: str = 'SIGTERM', rank: int = 0) -> None:
        self.step, self.name, self.rank = step, name, rank

    def before_train_iter(self, runner, *args, **kwargs) -> None:
        if runner.iter == self.step and get_rank() == self.rank:
            os.kill(os.getpid(), getattr(signal, self.name))


@HOOKS.register_module(force=True)
class CrashAt(Hook):
    """Break the training off before a step, without saving anything."""

    def __init__(self, step: int) -> None:
        self.step = step

    def before_train_iter(self, runner, *args, **kwargs) -> None:
        if runner.iter == self.step:
            raise KeyboardInterrupt


@HOOKS.register_module(force=True)
class Slow(Hook):
    """Take a while for every step, and say by a file of each rank that it has begun."""

    def __init__(self, seconds: float = 0.1) -> None:
        self.seconds, self.said = seconds, False

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        if not self.said:  # once: whoever reads it meanwhile would find it empty
            Path(runner.work_dir, f'rank{get_rank()}.pid').write_text(str(os.getpid()))
            self.said = True
        time.sleep(self.seconds)


@HOOKS.register_module(force=True)
class SameOnEveryRank(Hook):
    """Fail when the ranks' parameters differ after a step."""

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        weight = runner.model.module.head.weight.detach()
        others = all_gather(weight)
        assert len(others) == 2
        assert all(torch.equal(weight, other) for other in others)


@HOOKS.register_module(force=True)
class RecordBatches(Hook):
    """Keep the first number of every sample."""

    def __init__(self) -> None:
        self.values: list[np.ndarray] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.values.append(np.array([float(item[0]) for item in data_batch['inputs']]))
