"""FSDP over two gloo processes: it trains; docs/training.md tells why it cannot save there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.dist import all_gather
from mmengine.hooks import Hook

from mmclsa.registry import HOOKS
from tests.helpers import REPO
from tests.test_engine.toy import ToyModel, toy_config

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason='gloo is for machines without GPU'
)


@HOOKS.register_module(force=True)
class HalfOfTheWeights(Hook):
    """Fail unless each rank holds half of the weights."""

    def before_train(self, runner) -> None:
        held = sum(p.numel() for p in runner.strategy.model.parameters())
        parts = [int(part) for part in all_gather(torch.tensor([held]))]
        whole = sum(p.numel() for p in ToyModel().parameters())
        assert sum(parts) == whole, parts
        assert max(parts) == (whole + 1) // 2, parts
        print('sharded', parts)


@pytest.mark.timeout(300)
def test_two_processes_train(tmp_path):
    cfg = Config(toy_config(tmp_path / 'work'))
    cfg.custom_imports = {'imports': ['tests.test_engine.toy', 'tests.test_tools.test_fsdp']}
    cfg.custom_hooks = [{'type': 'HalfOfTheWeights'}]
    cfg.default_hooks.checkpoint = None
    cfg.train_dataloader.num_workers = 0
    cfg.env_cfg = {}
    cfg.runner_type = 'FlexibleRunner'
    wrapper = dict(type='MMFullyShardedDataParallel', use_orig_params=True, device_id='cpu')
    cfg.strategy = dict(type='FSDPStrategy', model_wrapper=wrapper, state_dict_cfg='full')
    cfg.dump(tmp_path / 'toy.py')
    path = os.pathsep.join([str(REPO), os.environ.get('PYTHONPATH', '')])
    result = subprocess.run(
        ['bash', 'tools/dist_train.sh', str(tmp_path / 'toy.py'), '2'],
        cwd=REPO,
        env={**os.environ, 'PYTHON': sys.executable, 'PYTHONPATH': path},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert 'sharded' in result.stdout
