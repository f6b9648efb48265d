"""Saving by the clock and on signals, what a killed write leaves, and buffers of many ranks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from mmclsa.engine import failures
from mmclsa.engine.buffers import average_buffers, gather_rank_buffers
from mmclsa.engine.failures import explain, explain_failures
from mmclsa.engine.hooks import InterimCheckpointHook
from mmclsa.engine.stopping import ShieldedWorker, StopRequest, stop_request
from mmclsa.errors import ConfigError
from tests.helpers import REPO
from tests.ranks import run_ranks
from tests.test_engine.toy import toy_config
from tests.test_tools.runs import alive, wait_for


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmclsa')


def runner_of(work_dir: Path, *hooks: dict, **overrides) -> tuple[Runner, list[str]]:
    cfg = Config(toy_config(work_dir, **overrides))
    cfg.custom_hooks.extend(hooks)
    runner = Runner.from_cfg(cfg)
    said: list[str] = []
    runner.logger.info = runner.logger.warning = lambda text, *args: said.append(str(text))
    return runner, said


class TestInterimCheckpointHook:
    def test_by_the_clock(self, tmp_path):
        hook = {'type': 'InterimCheckpointHook', 'minutes': 1e-6}
        runner, said = runner_of(tmp_path, custom_hooks=[hook])
        runner.train()
        assert sum('latest.pth after' in text for text in said) == 3 * 6

    @pytest.mark.parametrize('name', ['SIGTERM', 'SIGUSR1'])
    def test_signals_are_heeded_in_training_alone(self, tmp_path, name):
        before = signal.getsignal(getattr(signal, name))
        runner, said = runner_of(tmp_path, {'type': 'SignalAt', 'step': 2, 'name': name})
        with pytest.raises(SystemExit) as ended:
            runner.train()
        assert ended.value.code == 75
        assert any(f'Told to stop by {name}' in text for text in said)
        assert signal.getsignal(getattr(signal, name)) is before
        assert stop_request.reason is None

    def test_a_validation_is_left(self, tmp_path):
        runner, said = runner_of(tmp_path)
        hook = next(hook for hook in runner.hooks if isinstance(hook, InterimCheckpointHook))
        hook._saver = type('Saver', (), {'last_ckpt': 'work/epoch_2.pth'})()
        hook.after_val_iter(runner)
        stop_request.reason = 'SIGTERM'
        with pytest.raises(SystemExit):
            hook.after_val_iter(runner)
        assert '--resume auto goes on from work/epoch_2.pth' in said[-1]

    @pytest.mark.parametrize(
        'override',
        [
            {'train_cfg': {'by_epoch': True, 'max_epochs': 1}},
            {'checkpoint': {'type': 'CheckpointHook'}},
        ],
    )
    def test_without_what_it_needs_it_is_off_and_says_so(self, tmp_path, override):
        runner, said = runner_of(tmp_path, **override)
        runner.train()
        assert any('InterimCheckpointHook is off' in text for text in said)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

    @pytest.mark.parametrize('wrong', [{'minutes': 0}, {'agree_every': 0}])
    def test_wrong_numbers(self, wrong):
        with pytest.raises(ConfigError, match='positive'):
            InterimCheckpointHook(**wrong)


class TestLeftovers:
    def test_go_when_the_next_training_starts(self, tmp_path):
        left = [tmp_path / f'.epoch_3.{"a" * 8}.tmp.pth', tmp_path / f'.latest.{"b" * 8}.tmp.pth']
        left += [tmp_path / f'.last_checkpoint.{"c" * 8}.tmp']
        others = [tmp_path / '.hidden.pth', tmp_path / f'.figures.{"d" * 8}.tmp.json']
        for path in left + others:
            path.write_text('half')
        runner, said = runner_of(tmp_path)
        runner.train()
        assert not any(path.exists() for path in left)
        assert all(path.exists() for path in others), 'another tool may be writing those'
        assert sum('which a killed run left behind' in text for text in said) == 3

    def test_a_checkpoint_that_was_to_be_deleted(self, tmp_path, monkeypatch):
        """Killed after the new checkpoint and before the old one is deleted."""
        keep = {'max_keep_ckpts': 1}
        runner, _ = runner_of(tmp_path, checkpoint=keep)
        saver = next(hook for hook in runner.hooks if hasattr(hook, 'save_interim'))
        monkeypatch.setattr(saver, '_delete', lambda names: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            runner.train()
        monkeypatch.undo()
        runner_of(tmp_path, checkpoint=keep, resume=True)[0].train()
        assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_3.pth']


WATCHED = """
import os, sys, time
from mmclsa.engine.stopping import watch_parent
watched, watches = os.pipe()
if os.fork():
    os.read(watched, 1)
    os._exit(0)
watch_parent(every=0.1)
print(os.getpid(), flush=True)
os.write(watches, b'.')
time.sleep(240)
"""
WORKER = """
import os, signal, sys, time
from mmclsa.engine.stopping import ShieldedWorker
pid = os.fork()
if not pid:
    ShieldedWorker(None, ('SIGTERM', 'SIGUSR1'))(0)
    print('ready', flush=True)
    time.sleep(240)
sys.stdin.readline()
os.kill(pid, signal.SIGTERM)
print(os.waitpid(pid, 0)[1], flush=True)
"""


@pytest.mark.skipif(not Path('/proc').is_dir(), reason='looks processes up in /proc')
class TestStopping:
    def start(self, code):
        return subprocess.Popen(
            [sys.executable, '-c', code], cwd=REPO, env={**os.environ, 'PYTHONPATH': str(REPO)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def test_ends_with_its_parent(self):
        with self.start(WATCHED) as parent:
            out, error = parent.communicate(timeout=200)
            wait_for(lambda: not alive(int(out)), 20, Path(os.devnull))
            assert f'the process {parent.pid} that started this one is gone' in error

    def test_a_worker_heeds_its_parent_alone(self):
        with self.start(WORKER) as parent:
            assert parent.stdout.readline() == 'ready\n'
            (worker,) = Path(f'/proc/{parent.pid}/task/{parent.pid}/children').read_text().split()
            for name in (signal.SIGTERM, signal.SIGUSR1):
                os.kill(int(worker), name)
            time.sleep(0.5)
            assert Path(f'/proc/{worker}').exists()
            out, _ = parent.communicate('\n', timeout=200)
            assert out == '0\n', 'its parent ends it, with the code 0'

    def test_unknown_signals_are_left_out(self):
        request = StopRequest()
        request.heed(('SIGNONE',))
        request.release()
        ShieldedWorker(None, ('SIGNONE',))

    def test_own_init_of_a_worker_is_called(self, monkeypatch):
        monkeypatch.delattr(signal, 'sigwaitinfo')
        called: list[int] = []
        ShieldedWorker(called.append, ('SIGTERM',))(3)
        assert called == [3]


class TestExplain:
    @pytest.mark.parametrize(
        ('said', 'words'),
        [
            ('DataLoader worker (pid 3) is killed by signal: Killed.', 'fewer num_workers'),
            ('DataLoader worker (pid(s) 3, 4) exited unexpectedly', 'fewer num_workers'),
            ('DataLoader worker (pid 3) is killed by signal: Bus error.', 'shared memory'),
            (
                'unable to allocate shared memory(shm) for file </torch_9>: No space left',
                'shm-size',
            ),
            ('unable to write to file </torch_9_1_0>: No space left on device (28)', 'shm-size'),
            (
                'unable to open shared memory object </torch_9>: Too many open files (24)',
                'ulimit -n',
            ),
            ('[/x/gloo/transport/tcp/pair.cc:534] Connection closed by peer', 'Another process'),
            ('NCCL error: remote process exited or there was a network error', 'Another process'),
        ],
    )
    def test_known(self, said, words):
        with pytest.raises(RuntimeError, match=words), explain_failures():
            raise RuntimeError(said)

    @pytest.mark.parametrize('error', [ConnectionResetError(104, 'reset'), EOFError()])
    def test_worker_whose_end_the_system_has_not_told_yet(self, error, monkeypatch):
        """Seen: now and then a data worker that was killed was not named."""
        monkeypatch.setattr(failures, '_SOON', 0.0)

        def get(timeout):
            raise error

        loader = SimpleNamespace(
            _data_queue=SimpleNamespace(get=get), _workers=[], _workers_status=[]
        )
        with pytest.raises(RuntimeError, match='fewer num_workers'), explain_failures():
            _MultiProcessingDataLoaderIter._try_get_data(loader)
        with pytest.raises(type(error)), explain_failures():  # of something else
            raise error.with_traceback(None)

    def test_worker_whose_end_is_told_while_another_error_is_looked_at(self, monkeypatch):
        """PyTorch raises it from a signal, wherever the main thread is."""
        genuine, told = failures.explain, []

        def interrupted(error):
            if not told:
                told.append(error)
                raise RuntimeError('DataLoader worker (pid 3) is killed by signal: Killed.')
            return genuine(error)

        monkeypatch.setattr(failures, 'explain', interrupted)
        with pytest.raises(RuntimeError, match='fewer num_workers'), explain_failures():
            raise EOFError
        assert told

    def test_others_are_left_alone(self):
        assert explain(RuntimeError('mat1 and mat2 shapes cannot be multiplied')) is None
        with pytest.raises(RuntimeError, match='mat1'), explain_failures():
            raise RuntimeError('mat1 and mat2')


def check_buffers(rank, ranks):
    torch.manual_seed(0)
    memory, own = torch.rand(1000), torch.full((2, 2), float(rank))
    buffers = {'memory': memory, 'own': own, 'pointer': torch.tensor(7), 'empty': torch.zeros(0)}
    seen = gather_rank_buffers(buffers)
    assert [list(each) for each in seen] == [['own']] * ranks, seen
    assert [each['own'].unique().item() for each in seen] == [0.0, 1.0, 2.0]
    before = memory.clone()
    average_buffers(buffers.values())
    assert torch.equal(memory, before), 'what is the same everywhere keeps every bit'
    assert own.unique().item() == 1.0
    assert buffers['pointer'] == 7
    assert gather_rank_buffers(buffers) == [{}] * ranks


@pytest.mark.timeout(300)
def test_buffers_of_three_ranks():
    """A third of three times a number is not that number in float32."""
    value = torch.rand(1000)
    assert not torch.equal((value + value + value) / 3, value)
    run_ranks(check_buffers, 3)
