"""Whatever dies, all processes end within a minute, with a word and a code that is not 0."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from mmclsa.compat import load_torch_file
from tests.ranks import run_tool_forked
from tests.test_engine.test_loops import assert_same
from tests.test_tools.runs import (
    A_MINUTE,
    alive,
    finish,
    rank_pids,
    started,
    toy_file,
    wait_for,
)

pytestmark = [
    pytest.mark.skipif(torch.cuda.is_available(), reason='gloo is for machines without GPU'),
    pytest.mark.skipif(not Path('/proc').is_dir(), reason='looks processes up in /proc'),
]
LONG = {'train_cfg': {'type': 'ResumableEpochBasedTrainLoop', 'max_epochs': 9999}}


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f'/proc/{pid}/task').glob('*/children'):
        with suppress(OSError):  # a thread that has ended meanwhile
            found += map(int, task.read_text().split())
    return found


def workers(number: int) -> dict:
    return {
        'train_dataloader': {
            'dataset': {'type': 'ToyDataset'},
            'batch_size': 2,
            'num_workers': number,
            'persistent_workers': True,
            'sampler': {'type': 'DefaultSampler', 'shuffle': True},
        }
    }


def test_torchrun_killed(tmp_path):
    """Seen: both ranks trained on. They save, and end."""
    log = tmp_path / 'log'
    config = toy_file(tmp_path, {'type': 'Slow'}, **LONG)
    with started('bash', 'tools/dist_train.sh', config, 2, log=log) as torchrun:
        pids = rank_pids(tmp_path / 'work', 2, log)
        torchrun.send_signal(signal.SIGKILL)
        wait_for(lambda: not any(map(alive, pids)), A_MINUTE, log)
    assert 'that started this one is gone' in log.read_text()
    assert (tmp_path / 'work' / 'last_checkpoint').read_text().endswith('latest.pth')


def test_rank_killed(tmp_path):
    log = tmp_path / 'log'
    config = toy_file(tmp_path, {'type': 'Slow'}, **LONG)
    with started('bash', 'tools/dist_train.sh', config, 2, log=log) as torchrun:
        pids = rank_pids(tmp_path / 'work', 2, log)
        os.kill(pids[1], signal.SIGKILL)
        assert torchrun.wait(A_MINUTE) == 1
        assert not any(map(alive, pids))
    assert 'error: process 1 was killed from outside (SIGKILL)' in log.read_text()


def test_data_worker_killed(tmp_path):
    log = tmp_path / 'log'
    config = toy_file(tmp_path, {'type': 'Slow'}, **LONG, **workers(1))
    with started('bash', 'tools/dist_train.sh', config, 2, log=log) as torchrun:
        pids = rank_pids(tmp_path / 'work', 2, log)
        (worker,) = children(pids[0])
        os.kill(worker, signal.SIGKILL)
        assert torchrun.wait(A_MINUTE) == 1
        assert not any(map(alive, pids))
    assert 'A data worker was killed from outside' in log.read_text()


def test_disk_full(tmp_path):
    """A limit to the size of files stands for the disk; the model is larger."""
    log = tmp_path / 'log'
    config = toy_file(tmp_path, model={'type': 'ToyModel', 'num_identities': 300_000})
    limited = 'ulimit -f 2000; exec bash tools/dist_train.sh "$@"'
    assert finish('bash', '-c', limited, 'bash', config, 2, log=log, timeout=240) == 2
    text = log.read_text()
    assert 'error: cannot write' in text
    assert 'epoch_1.pth: File too large' in text
    assert not list((tmp_path / 'work').glob('*.pth'))
    assert not list((tmp_path / 'work').glob('.*.tmp*'))


def test_signal_to_every_process_of_a_job(tmp_path):
    """As slurm sends it: data workers get it too, and must not end the training before it saves."""
    log = tmp_path / 'log'
    config = toy_file(tmp_path, {'type': 'Slow'}, **LONG, **workers(2))
    with started('bash', 'tools/dist_train.sh', config, 1, log=log) as torchrun:
        pids = rank_pids(tmp_path / 'work', 1, log)
        for pid in [*children(pids[0]), *pids, torchrun.pid]:
            os.kill(pid, signal.SIGTERM)
        assert torchrun.wait(A_MINUTE) == 75
        assert not any(map(alive, pids))
    assert 'Told to stop by SIGTERM: --resume auto goes on from' in log.read_text()
    assert (tmp_path / 'work' / 'last_checkpoint').read_text().endswith('latest.pth')


def test_signal_to_torchrun(tmp_path):
    """It passes SIGUSR1 on; torchrun would die of it."""
    log = tmp_path / 'log'
    config = toy_file(tmp_path, {'type': 'Slow', 'seconds': 0.02}, **LONG)
    with started('bash', 'tools/dist_train.sh', config, 2, log=log) as torchrun:
        pids = rank_pids(tmp_path / 'work', 2, log)
        torchrun.send_signal(signal.SIGUSR1)
        assert torchrun.wait(A_MINUTE) == 75
        assert not any(map(alive, pids))
    assert (tmp_path / 'work' / 'last_checkpoint').read_text().endswith('latest.pth')


def test_two_ranks_stopped_and_resumed_are_the_unbroken_run(tmp_path):
    """The signal comes to one of them in the second epoch; both stop after the same step.

    Their batch-norm statistics differ there, and each goes on with its own.
    """
    hooks: list[dict] = [{'type': 'EMAHook', 'momentum': 0.1, 'update_buffers': True}]
    stop = {'type': 'SignalAt', 'step': 3, 'rank': 1}
    agree = {'type': 'InterimCheckpointHook', 'agree_every': 2}
    base = [{'type': 'AverageBuffersHook'}, agree, *hooks]
    whole = toy_file(tmp_path, name='whole', custom_hooks=base)
    broken = toy_file(tmp_path, name='broken', custom_hooks=[*base, stop])
    assert run_tool_forked('tools/train.py', whole, ranks=2).returncode == 0
    done = run_tool_forked('tools/train.py', broken, '--resume', 'auto', ranks=2)
    assert done.returncode == 75
    saved = load_torch_file(tmp_path / 'broken' / 'latest.pth')
    assert (saved['meta']['epoch'], saved['meta']['iter']) == (1, 4)
    own = saved['rank_buffers']
    assert {'norm.running_mean', 'memory', 'ema.module.norm.running_var'} <= own[0].keys()
    assert not torch.equal(own[0]['norm.running_mean'], own[1]['norm.running_mean'])
    resume = toy_file(tmp_path, name='broken', custom_hooks=base)
    done = run_tool_forked('tools/train.py', resume, '--resume', 'auto', ranks=2)
    assert done.returncode == 0, done.stderr[-3000:]
    ends = [load_torch_file(tmp_path / name / 'epoch_3.pth') for name in ('whole', 'broken')]
    for part in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers'):
        assert_same(ends[0][part], ends[1][part], part)
    assert 'rank_buffers' not in ends[0], 'one model on all ranks at the end of an epoch'
