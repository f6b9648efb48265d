from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmclsa.compat import load_torch_file
from mmclsa.engine.hooks.identity_check import dataset_identities, head_identities
from mmclsa.errors import ConfigError
from tests.helpers import REPO
from tests.test_engine.toy import ToyDataset, toy_config

# Kills itself, as kill -9 would, while a checkpoint is being written.
KILLED_RUN = """
import os, signal, sys
from mmengine.config import Config
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.runner import Runner
import mmclsa.engine.file_backend as backend
from tests.test_engine.toy import toy_config

whole_put, calls = backend.AtomicLocalBackend.put, []
def put(self, obj, filepath):
    calls.append(filepath)
    if len(calls) == int(sys.argv[2]):
        with backend.atomic_write(filepath) as temporary:
            temporary.write_bytes(obj[: len(obj) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
    whole_put(self, obj, filepath)
backend.AtomicLocalBackend.put = put
Runner.from_cfg(Config(toy_config(sys.argv[1], checkpoint={'max_keep_ckpts': 1}))).train()
"""


def train(work_dir: Path, **overrides) -> dict:
    runner = Runner.from_cfg(Config(toy_config(work_dir, **overrides)))
    runner.train()
    return runner.model.state_dict()


def assert_same(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmclsa')


class TestAtomicCheckpointHook:
    @pytest.mark.parametrize('write', [3, 4], ids=['checkpoint', 'pointer'])
    def test_kill_in_a_write_leaves_a_whole_checkpoint(self, tmp_path, write):
        """Files are written in turn: epoch_1, its pointer, epoch_2, its pointer."""
        unbroken = train(tmp_path / 'unbroken')
        work_dir = tmp_path / 'killed'
        result = subprocess.run(
            [sys.executable, '-c', KILLED_RUN, str(work_dir), str(write)],
            cwd=REPO,
            env={**os.environ, 'PYTHONPATH': str(REPO)},
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert result.returncode == -signal.SIGKILL, result.stderr.decode()
        named = Path((work_dir / 'last_checkpoint').read_text())
        assert named.name == 'epoch_1.pth'
        assert load_torch_file(named)['meta']['epoch'] == 1
        assert_same(train(work_dir, resume=True), unbroken)

    def test_keeps_the_newest(self, tmp_path):
        train(tmp_path, checkpoint={'max_keep_ckpts': 2})
        assert sorted(path.name for path in tmp_path.glob('*.pth')) == [
            'epoch_2.pth',
            'epoch_3.pth',
        ]
        assert (tmp_path / 'last_checkpoint').read_text().endswith('epoch_3.pth')
        assert not list(tmp_path.glob('.*'))

    def test_keeps_on_after_resuming(self, tmp_path):
        keep = {'max_keep_ckpts': 1}
        train(
            tmp_path,
            checkpoint=keep,
            train_cfg={'type': 'ResumableEpochBasedTrainLoop', 'max_epochs': 1},
        )
        train(tmp_path, checkpoint=keep, resume=True)
        assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_3.pth']

    def test_says_as_data_which_model_it_is_of(self, tmp_path):
        steps = [{'type': 'LoadSceneImage'}, {'type': 'PackPersonSearchInputs'}]
        testing = {
            'test_dataloader': {'dataset': {'type': 'ToyDataset', 'pipeline': steps}},
            'test_evaluator': {'type': 'PersonSearchMetric', 'det_thresh': 0.3},
            'test_cfg': {},
        }
        train(tmp_path, train_cfg={'by_epoch': True, 'max_epochs': 1}, **testing)
        said = json.loads(load_torch_file(tmp_path / 'epoch_1.pth')['meta']['mmclsa_model'])
        assert said['model'] == {'type': 'ToyModel'}
        assert [step['type'] for step in said['pipeline']] == [step['type'] for step in steps]
        assert said['det_thresh'] == 0.3


class TestIdentityCheckHook:
    def test_wrong_number_is_one_sentence(self, tmp_path):
        cfg = Config(toy_config(tmp_path))
        cfg.train_dataloader.dataset.num_identities = 7
        with pytest.raises(ConfigError, match=r'model\.head\.num_identities is 3.* has 7 ident'):
            Runner.from_cfg(cfg).train()

    def test_right_number_passes(self, tmp_path):
        cfg = Config(
            toy_config(
                tmp_path, train_cfg={'type': 'ResumableEpochBasedTrainLoop', 'max_epochs': 1}
            )
        )
        cfg.train_dataloader.dataset.num_identities = 3
        Runner.from_cfg(cfg).train()

    def test_looks_into_wrappers(self):
        class Wrapper:
            dataset = ToyDataset(num_identities=4)

        assert dataset_identities(Wrapper()) == 4
        assert dataset_identities(object()) is None

    def test_names_the_outermost_module_only(self):
        model = torch.nn.Module()
        model.head = torch.nn.Module()
        model.head.num_identities = 5
        model.head.loss = torch.nn.Module()
        model.head.loss.num_identities = 5
        assert head_identities(model) == {'head': 5}
