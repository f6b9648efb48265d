from __future__ import annotations

import importlib.util
import re

import pytest
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from mmclsa.datasets.samplers import IdentityBalancedSampler
from mmclsa.engine import build_runner
from mmclsa.errors import UserError
from mmclsa.registry import DATASETS, MODELS
from mmclsa.utils.cli import user_message
from mmclsa.utils.config_mistakes import mistake_in_config, wrong_argument
from tests.test_engine.toy import toy_config


@MODELS.register_module(force=True)
class FaultyToy(BaseModel):
    """A model that is the fault of who wrote it."""

    def __init__(self, width: int = 1) -> None:
        super().__init__()
        self.layer = nn.Linear(str(width), 1)

    def forward(self, inputs, mode='tensor'):
        """Never called."""


@DATASETS.register_module(force=True)
class FaultyData(BaseDataset):
    """MMEngine calls it while it builds what the config names."""

    def load_data_list(self):
        return [].absent


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Gathering versions of compilers takes longer than all else."""
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)


def raised_by(work_dir, options):
    cfg = Config(toy_config(work_dir))
    cfg.merge_from_dict(options)
    with pytest.raises(Exception) as raised:  # noqa: PT011  whatever comes of it
        build_runner(cfg).train()
    return raised.value


@pytest.mark.parametrize(
    ('options', 'told'),
    [
        (
            {'optim_wrapper.optimizer.type': 'Adamm'},
            'asks for the optimizer Adamm, which is not known',
        ),
        ({'optim_wrapper.optimizer.lr': 'abc'}, r"SGD\(lr='abc', momentum=0.9\) cannot be built"),
        ({'optim_wrapper.clip_gradd': 1}, 'the argument clip_gradd, which it does not have'),
        ({'param_scheduler.0.milestones': 3}, 'milestones=3, which must be List'),
        ({'train_cfg.max_epochs': 'abc'}, "max_epochs='abc', which must be int"),
        ({'train_cfg.val_interval': 'abc'}, "val_interval='abc', which must be int"),
        ({'optim_wrapper.clip_grad': {'max_normm': 1}}, "clip_grad cannot be built: .*'max_normm'"),
        ({'train_dataloader.num_workers': -1}, 'num_workers option should be non-negative'),
        (
            {'train_dataloader.sampler.type': 'DefSampler'},
            'asks for DefSampler, which the registry',
        ),
        ({'default_hooks.checkpoint.interval_x': 1}, 'the argument interval_x, which it does not'),
        ({'default_hooks.checkpoint.interval': 'abc'}, "interval='abc', which must be int"),
        ({'custom_hooks.0.nonsense': 1}, r'IdentityCheckHook\(nonsense=1\) cannot be built'),
        ({'custom_hooks.2.minutes': 'abc'}, "minutes='abc', which must be float"),
        ({'randomness.nonsense': 1}, "unexpected keyword argument 'nonsense'"),
        (
            {'model': {'type': 'CLSANeck', 'in_channels': [], 'out_channels': 8}},
            'in_channels must list 2 to 4',
        ),
        ({'log_level': 'abc'}, "logger cannot be built: KeyError: 'abc'"),
    ],
)
def test_a_mistake_is_a_sentence(tmp_path, options, told):
    """Each was a traceback, or came after an epoch."""
    error = raised_by(tmp_path, options)
    message = mistake_in_config(error) or (isinstance(error, UserError) and user_message(error))
    assert message
    assert '\n' not in message
    assert re.search(told, message)


@pytest.mark.skipif(
    importlib.util.find_spec('tensorboard') is not None, reason='tensorboard is installed'
)
def test_a_backend_whose_package_is_not_there(tmp_path):
    backend = dict(type='Visualizer', vis_backends=[dict(type='TensorboardVisBackend')])
    message = mistake_in_config(raised_by(tmp_path, {'visualizer': backend}))
    assert 'ImportError: Please run "pip install future tensorboard"' in message


@pytest.mark.parametrize(
    'options', [{'model.type': 'FaultyToy'}, {'train_dataloader.dataset.type': 'FaultyData'}, {}]
)
def test_a_fault_of_a_program_is_none(tmp_path, options, monkeypatch):
    """Of the user's own package, and of mmclsa's: the config says nothing wrong."""

    def fault(*args):
        raise TypeError('in mmclsa')

    monkeypatch.setattr(
        'mmclsa.engine.hooks.interim_checkpoint.InterimCheckpointHook.__init__', fault
    )
    assert mistake_in_config(raised_by(tmp_path, options)) is None


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (dict(num_persons='4'), "num_persons='4', which must be int"),
        (dict(num_persons=None), 'num_persons=None, which must be int'),
        (dict(num_batches=[]), r'num_batches=\[\], which must be int | None'),
        (dict(num_persons=4, num_batches=None, seed=None, nonsense=1, dataset=object()), None),
    ],
)
def test_wrong_argument(arguments, told):
    message = wrong_argument(IdentityBalancedSampler, arguments)
    assert message == told if told is None else message.endswith(told.replace('\\', ''))
