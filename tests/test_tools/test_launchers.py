"""srun, mpirun and torchrun on two nodes, all played on this machine."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import ClassVar

import pytest
import torch

from mmclsa.compat import load_torch_file
from mmclsa.engine.distributed import local_rank, rank_environment
from mmclsa.errors import ConfigError
from tests.ranks import free_port
from tests.test_tools.runs import finish, started, toy_file

gloo = pytest.mark.skipif(torch.cuda.is_available(), reason='gloo is for machines without GPU')

# Starts as many local processes as it is told, with the variables that slurm sets.
FAKE_SRUN = """#!/usr/bin/env bash
echo "$@" > "$(dirname "$0")/asked"
tasks=1
while [[ "$1" == -* ]]; do
    case "$1" in
        --ntasks=*) tasks=${1#*=} ;;
        -p) shift ;;
    esac
    shift
done
export SLURM_NTASKS=$tasks SLURM_JOB_ID=$FAKE_JOB SLURM_JOB_NODELIST='node[1-2]'
pids=()
for task in $(seq 0 $((tasks - 1))); do
    SLURM_PROCID=$task SLURM_LOCALID=$task "$@" &
    pids+=($!)
done
code=0
for pid in "${pids[@]}"; do wait "$pid" || code=$?; done
exit $code
"""
FAKE_SCONTROL = """#!/usr/bin/env bash
[ "$*" = 'show hostnames node[1-2]' ] && printf '127.0.0.1\\n127.0.0.2\\n'
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A folder with srun and scontrol, the first in PATH."""
    folder = tmp_path / 'slurm'
    folder.mkdir()
    for name, text in {'srun': FAKE_SRUN, 'scontrol': FAKE_SCONTROL}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv('PATH', str(folder), prepend=':')
    return folder


def assert_two_ranks_trained(work_dir):
    """12 samples, 2 ranks, batches of 2, 3 epochs."""
    assert load_torch_file(work_dir / 'epoch_3.pth')['meta']['iter'] == 3 * 3


@gloo
def test_slurm(tmp_path, slurm):
    log = tmp_path / 'log'
    config = toy_file(tmp_path, {'type': 'SameOnEveryRank'})
    env = {'GPUS': '2', 'SRUN_ARGS': '--quotatype=spot --time=10', 'FAKE_JOB': str(free_port())}

    env['PATH'] = f'{slurm}:{os.environ["PATH"]}'
    command = ['tools/slurm_train.sh', 'gpus', 'a name', config, tmp_path / 'work']
    code = finish('bash', *command, '--resume', 'auto', log=log, **env)
    assert code == 0, log.read_text()[-3000:]
    assert_two_ranks_trained(tmp_path / 'work')
    asked = (slurm / 'asked').read_text()
    expected = '-p gpus --job-name=a name --gres=gpu:2 --ntasks=2 --ntasks-per-node=2'
    assert asked.startswith(f'{expected} --cpus-per-task=5 --kill-on-bad-exit=1 --quotatype=spot')


@gloo
def test_mpi(tmp_path):
    config = toy_file(tmp_path, {'type': 'SameOnEveryRank'})
    port = str(free_port())
    with ExitStack() as stack:
        ranks = [
            stack.enter_context(
                started(
                    'bash', '-c', 'exec "$PYTHON" "$@"', 'bash', 'tools/train.py', config,
                    '--launcher', 'mpi',
                    log=tmp_path / f'log{rank}',
                    OMPI_COMM_WORLD_RANK=str(rank),
                    OMPI_COMM_WORLD_LOCAL_RANK=str(rank),
                    OMPI_COMM_WORLD_SIZE='2',
                    MASTER_ADDR='127.0.0.1',
                    MASTER_PORT=port,
                )
            )
            for rank in range(2)
        ]  # fmt: skip
        codes = [rank.wait(240) for rank in ranks]
    assert codes == [0, 0], (tmp_path / 'log0').read_text()[-3000:]
    assert_two_ranks_trained(tmp_path / 'work')


@gloo
def test_two_nodes(tmp_path):
    config = toy_file(tmp_path, {'type': 'SameOnEveryRank'})
    env = {'NNODES': '2', 'MASTER_ADDR': '127.0.0.1', 'PORT': str(free_port())}
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(
                started(
                    'bash', 'tools/dist_train.sh', config, 1,
                    log=tmp_path / f'log{node}', NODE_RANK=str(node), **env,
                )
            )
            for node in range(2)
        ]  # fmt: skip
        codes = [node.wait(240) for node in nodes]
    assert codes == [0, 0], (tmp_path / 'log0').read_text()[-3000:]
    assert_two_ranks_trained(tmp_path / 'work')


def test_many_nodes_need_an_address(tmp_path):
    log = tmp_path / 'log'
    code = finish('bash', 'tools/dist_train.sh', 'setup.py', 1, log=log, NNODES='2')
    assert code == 2
    assert log.read_text().startswith('error: NNODES is 2: set MASTER_ADDR')
    for number in ('1:2', 'two', '0'):
        log.unlink()
        code = finish('bash', 'tools/dist_test.sh', 'setup.py', 'none', 1, log=log, NNODES=number)
        assert code == 2
        assert log.read_text() == f'error: NNODES must be a number from 1 up, but is {number}\n'


@pytest.mark.parametrize(
    ('script', 'last'), [('slurm_train.sh', 'WORK_DIR'), ('slurm_test.sh', 'CHECKPOINT')]
)
def test_usage(tmp_path, script, last):
    log = tmp_path / 'log'
    assert finish('bash', f'tools/{script}', 'gpus', 'name', log=log) == 2
    assert f'PARTITION JOB_NAME CONFIG {last}' in log.read_text()


class TestRankEnvironment:
    SLURM: ClassVar[dict[str, str]] = {
        'SLURM_PROCID': '5',
        'SLURM_NTASKS': '16',
        'SLURM_LOCALID': '1',
    }

    def set(self, monkeypatch, variables):
        for name in ('MASTER_ADDR', 'MASTER_PORT'):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    def test_slurm(self, monkeypatch, slurm):
        job = {'SLURM_JOB_NODELIST': 'node[1-2]', 'SLURM_JOB_ID': '1234567'}
        self.set(monkeypatch, self.SLURM | job)
        assert local_rank('slurm') == 1
        assert rank_environment('slurm') == {
            'RANK': '5',
            'WORLD_SIZE': '16',
            'LOCAL_RANK': '1',
            'MASTER_ADDR': '127.0.0.1',
            'MASTER_PORT': str(20000 + 1234567 % 20000),
        }

    def test_what_is_set_is_kept(self, monkeypatch):
        self.set(monkeypatch, self.SLURM | {'MASTER_ADDR': 'a', 'MASTER_PORT': '7'})
        found = rank_environment('slurm')
        assert (found['MASTER_ADDR'], found['MASTER_PORT']) == ('a', '7')

    def test_first_node_unknown(self, monkeypatch):
        self.set(monkeypatch, self.SLURM)
        monkeypatch.setenv('PATH', '')
        with pytest.raises(ConfigError, match='set MASTER_ADDR'):
            rank_environment('slurm')

    @pytest.mark.parametrize(
        ('launcher', 'words'),
        [('slurm', 'slurm_train.sh'), ('mpi', 'mpirun'), ('pytorch', 'torchrun')],
    )
    def test_not_started_by_it(self, monkeypatch, launcher, words):
        for name in ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(ConfigError, match=words):
            rank_environment(launcher)
