"""Two processes over gloo, started as a user starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from tests.helpers import REPO
from tests.test_engine.toy import toy_config

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason='gloo is for machines without GPU'
)


def run_script(*args: object) -> subprocess.CompletedProcess:
    path = os.pathsep.join([str(REPO), os.environ.get('PYTHONPATH', '')])
    return subprocess.run(
        ['bash', *map(str, args)],
        cwd=REPO,
        env={**os.environ, 'PYTHON': sys.executable, 'PYTHONPATH': path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_dist_train(tmp_path: Path) -> None:
    cfg = Config(toy_config(tmp_path / 'work'))
    cfg.custom_imports = {'imports': ['tests.test_engine.toy']}
    cfg.custom_hooks.append({'type': 'SameOnEveryRank'})
    cfg.train_dataloader.num_workers = 0
    cfg.dump(tmp_path / 'toy.py')
    result = run_script('tools/dist_train.sh', tmp_path / 'toy.py', 2)
    assert result.returncode == 0, result.stderr[-3000:]
    checkpoint = torch.load(tmp_path / 'work' / 'epoch_3.pth', weights_only=False)
    assert checkpoint['meta']['iter'] == 3 * 3  # 12 samples, 2 ranks, batches of 2


@pytest.mark.parametrize(
    ('script', 'words'), [('train', 'CONFIG GPUS'), ('test', 'CONFIG CHECKPOINT')]
)
def test_usage(script, words):
    result = run_script(f'tools/dist_{script}.sh', 'config.py')
    assert result.returncode == 2
    assert words in result.stderr


@pytest.mark.parametrize(
    'arguments', [['train.sh', 'none.py', 2], ['test.sh', 'setup.py', 'none.pth', 2]]
)
def test_absent_file_is_one_sentence(arguments):
    result = run_script(f'tools/dist_{arguments[0]}', *arguments[1:])
    assert result.returncode == 2
    assert result.stderr == f'error: the file {arguments[-2]} does not exist\n'
