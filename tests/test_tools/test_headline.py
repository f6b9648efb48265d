"""The headline configs as a user starts them: train and test, in one process and in two.

On fake CUHK-SYSU and PRW with pictures, small by one variable of the config, from
ResNet-50 weights in torchvision's layout.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config

from mmclsa.compat import load_torch_file
from tests.fakes import make_fake_cuhk_sysu, make_fake_prw, make_resnet50_weights
from tests.helpers import REPO
from tests.ranks import run_tool_forked

gloo = pytest.mark.skipif(torch.cuda.is_available(), reason='gloo is for machines without GPU')

# Name of the config: its folder below the data, who writes it, and its training identities.
HEADLINES = {
    'clsa_r50_cuhk': ('cuhk_sysu', make_fake_cuhk_sysu, 4),
    'clsa_r50_prw': ('prw', make_fake_prw, 4),
}
FROZEN = 'detector.backbone.layer1.0.conv1.weight'


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    """Data and weights where MMCLSA_DATA and MMCLSA_WEIGHTS will point."""
    root = tmp_path_factory.mktemp('headline')
    for folder, make, _ in HEADLINES.values():
        make(root / folder, num_train=4, num_test=4, num_queries=2)
    make_resnet50_weights(root / 'resnet50_imagenet.pth')
    return root


@pytest.fixture(autouse=True)
def environment(home, monkeypatch):
    """The network is not there, and MMEngine writes into the process's environment."""
    monkeypatch.setenv('MMCLSA_DATA', str(home))
    monkeypatch.setenv('MMCLSA_WEIGHTS', str(home))
    monkeypatch.setenv('HTTPS_PROXY', 'http://127.0.0.1:9')
    monkeypatch.setenv('https_proxy', 'http://127.0.0.1:9')
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.chdir(REPO)


def options(name, batch_size):
    changes = {
        'num_identities': HEADLINES[name][2],
        'queue_size': 8,
        'image_scale': '(160,96)',
        'max_epochs': 1,
        'train_dataloader.batch_size': batch_size,
        'default_hooks.logger.interval': 1,
        'default_hooks.checkpoint.save_optimizer': False,
    }
    for loader in ('train', 'val', 'test'):
        changes[f'{loader}_dataloader.num_workers'] = 0
        changes[f'{loader}_dataloader.persistent_workers'] = False
    return ['--cfg-options', *(f'{key}={value}' for key, value in changes.items())]


def run_script(script, *args, **env):
    path = os.pathsep.join([str(REPO), os.environ.get('PYTHONPATH', '')])
    return subprocess.run(
        ['bash', f'tools/{script}.sh', *map(str, args)],
        cwd=REPO,
        env={**os.environ, 'PYTHON': sys.executable, 'PYTHONPATH': path, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=540,
    )


def check_training(work, name, home):
    """Two steps were made, from the weights, on small pictures, and written down."""
    checkpoint = load_torch_file(work / 'epoch_1.pth')
    assert checkpoint['meta']['iter'] == 2
    state = checkpoint['state_dict']
    weights = load_torch_file(home / 'resnet50_imagenet.pth')
    assert torch.equal(state[FROZEN], weights['layer1.0.conv1.weight'])
    assert not torch.equal(
        state[FROZEN.replace('layer1', 'layer4')], weights['layer4.0.conv1.weight']
    )
    tables = [v for k, v in state.items() if k.endswith('memory.table')]
    assert [len(table) for table in tables] == [HEADLINES[name][2]] * 3
    assert all(value.isfinite().all() for value in state.values())
    cfg = Config.fromfile(work / f'{name}.py')
    scales = [step.scale for step in cfg.train_dataloader.dataset.pipeline if 'scale' in step]
    assert scales == [cfg.image_scale] == [(160, 96)]


@pytest.mark.parametrize('name', HEADLINES)
def test_headline(name, home, tmp_path, run_tool_here):
    config = f'configs/clsa/{name}.py'
    work = tmp_path / 'one'
    run_tool_here('tools/train.py', config, '--work-dir', work, *options(name, 2))
    check_training(work, name, home)
    figures = tmp_path / 'one.json'
    run_tool_here(
        'tools/test.py', config, work / 'epoch_1.pth', '--work-dir', work, '--json', figures,
        *options(name, 2),
    )  # fmt: skip
    one = json.loads(figures.read_text())
    assert {key.rpartition('/')[2] for key in one} >= {'mAP', 'top1', 'recall', 'ap'}
    if torch.cuda.is_available():
        return
    figures = tmp_path / 'two.json'
    command = [config, work / 'epoch_1.pth', '--work-dir', work, '--json', figures]
    done = run_tool_forked('tools/test.py', *command, *options(name, 2), ranks=2)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(figures.read_text()) == pytest.approx(one, abs=1e-4)


@gloo
@pytest.mark.parametrize('name', HEADLINES)
def test_headline_in_two_processes(name, home, tmp_path):
    work = tmp_path / 'two'
    command = [f'configs/clsa/{name}.py', '--work-dir', work, *options(name, 1)]
    if name == 'clsa_r50_cuhk':
        done = run_script('dist_train', command[0], 2, *command[1:])
    else:
        done = run_tool_forked('tools/train.py', *command, ranks=2)
    assert done.returncode == 0, done.stderr[-3000:]
    check_training(work, name, home)


@gloo
def test_no_weights_and_no_network_under_torchrun(tmp_path):
    """One sentence with both ways and exit code 2, of torchrun too."""
    done = run_script(
        'dist_train', 'configs/clsa/clsa_r50_cuhk.py', 2, '--work-dir', tmp_path / 'work',
        MMCLSA_WEIGHTS=str(tmp_path), TORCH_HOME=str(tmp_path / 'hub'),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr[-3000:]
    assert 'Traceback' not in done.stdout + done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if 'resnet50' in line]
    assert sentence.startswith(f'error: the weights {tmp_path}/resnet50_imagenet.pth do not exist')
    assert 'resnet50-0676ba61.pth cannot be downloaded' in sentence


@pytest.mark.parametrize('script', ['train', 'test'])
def test_no_weights_and_no_network(script, tmp_path, monkeypatch, run_tool_to_its_error):
    """And without a checkpoint to test, the same."""
    monkeypatch.setenv('MMCLSA_WEIGHTS', str(tmp_path))
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    sentence = run_tool_to_its_error(
        f'tools/{script}.py', 'configs/clsa/clsa_r50_prw.py', '--work-dir', tmp_path / 'work'
    )
    assert f'{tmp_path}/resnet50_imagenet.pth do not exist' in sentence
    assert 'MMCLSA_WEIGHTS names the folder' in sentence
