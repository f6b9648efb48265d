"""Kill a small training at random (kill -9), resume it, compare it with an uninterrupted one.

The training is a narrowed clsa_tiny_synthetic.py, with a checkpoint after every epoch and, within
epochs, about every second. Each run ends after a random time, or when the training is done; the
next one starts with --resume auto. Each process and its data workers are killed at once, as when a
machine is lost. In the end, the weights, the optimizer, the memory and its pointer are compared
bit by bit.
"""

from __future__ import annotations

import argparse
import os
import random
import runpy
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.text import counted


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=50)
    parser.add_argument(
        '--longest', type=float, default=8, help='longest time before a kill, in seconds'
    )
    parser.add_argument('--ranks', type=int, default=1, help='number of processes, over gloo')
    parser.add_argument('--epochs', type=int, default=12)
    parser.add_argument('--batches', type=int, default=20, help='batches per epoch')
    parser.add_argument('--workers', type=int, default=1, help='data workers per process')
    parser.add_argument('--seed', type=int, default=0, help='seed of the kill times')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/kill_and_resume'))
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

import torch

import mmclsa.datasets
import mmclsa.engine.hooks
import mmclsa.models  # noqa: F401
from mmclsa.compat import load_torch_file

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'clsa' / 'clsa_tiny_synthetic.py'
LEAF = """_base_ = [{config!r}]
model = dict(reid=dict(head=dict(num_identities=6, loss_id=dict(queue_size=7))))
train_dataloader = dict(
    batch_size=4,
    num_workers={workers},
    sampler=dict(num_persons=2, num_batches={batches}),
    dataset=dict(num_scenes=16, img_size=(128, 96), num_identities=6),
)
train_cfg = dict(max_epochs={epochs}, val_interval=9999)
val_dataloader = val_cfg = val_evaluator = None
default_hooks = dict(interim=dict(minutes=0.02, agree_every=2))
log_level = 'WARNING'
"""


def start(config: Path, work_dir: Path, ranks: int) -> list[int]:
    """Fork the processes of a training, each the head of a process group of its own."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = str(probe.getsockname()[1])
    pids = []
    for rank in range(ranks):
        pid = os.fork()
        if pid:
            os.setpgid(pid, pid)  # here too, so that it is so before anybody kills it
            pids.append(pid)
            continue
        os.setpgid(0, 0)
        log = os.open(work_dir.with_suffix('.log'), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.update(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(ranks),
            MASTER_ADDR='127.0.0.1', MASTER_PORT=port,
        )  # fmt: skip
        launcher = 'pytorch' if ranks > 1 else 'none'
        sys.argv = ['train.py', str(config), '--work-dir', str(work_dir), '--resume', 'auto']
        sys.argv += ['--launcher', launcher]
        try:
            runpy.run_path(str(ROOT / 'tools' / 'train.py'), run_name='__main__')
        except SystemExit as ended:
            sys.stdout.flush()
            os._exit(int(ended.code or 0))
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    return pids


def live(config: Path, work_dir: Path, ranks: int, seconds: float | None) -> bool:
    """Let a training run until its end, or until it is killed; tell whether it is done."""
    pids = start(config, work_dir, ranks)
    deadline = time.monotonic() + (seconds if seconds is not None else float('inf'))
    waiting, codes = list(pids), []
    while waiting and time.monotonic() < deadline:
        for pid in list(waiting):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                waiting.remove(pid)
                codes.append(os.waitstatus_to_exitcode(status))
        time.sleep(0.002)
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):  # it has ended
            os.killpg(pid, signal.SIGKILL)
    for pid in waiting:
        os.waitpid(pid, 0)
    if any(codes):
        raise SystemExit(f'a life ended by itself, with {codes}: see {work_dir}.log')
    return not waiting


def differences(one: Any, other: Any, where: str = '') -> list[str]:
    """List what is not the same, to the bit."""
    if isinstance(one, dict) and one.keys() == other.keys():
        return [d for key in one for d in differences(one[key], other[key], f'{where}.{key}')]
    if isinstance(one, (list, tuple)) and len(one) == len(other):
        pairs = enumerate(zip(one, other))
        return [d for number, (a, b) in pairs for d in differences(a, b, f'{where}[{number}]')]
    same = torch.equal(one, other) if torch.is_tensor(one) else one == other
    return [] if same else [where]


def count(value: Any) -> int:
    """Count the tensors."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return sum(map(count, value))
    return int(torch.is_tensor(value))


def main() -> int:
    """Kill, resume, compare."""
    args = parse_args()
    config = args.work_dir / 'narrow.py'
    if args.work_dir.exists() and not config.is_file():
        raise ConfigError(
            f'--work-dir {args.work_dir} exists and is not of this tool, which would delete it'
        )
    shutil.rmtree(args.work_dir, ignore_errors=True)
    args.work_dir.mkdir(parents=True)
    config.write_text(LEAF.format(config=str(CONFIG), **vars(args)))
    whole, broken = args.work_dir / 'whole', args.work_dir / 'broken'
    begun = time.monotonic()
    assert live(config, whole, args.ranks, None)
    print(f'unbroken: {time.monotonic() - begun:.1f} s', flush=True)
    moments = random.Random(args.seed)
    kills, told, leftovers, done = 0, [], 0, False
    while not done:
        seconds = moments.uniform(0, args.longest) if kills < args.kills else None
        done = live(config, broken, args.ranks, seconds)
        kills += not done
        pointer = broken / 'last_checkpoint'
        told.append(pointer.read_text().rsplit('/', 1)[1] if pointer.exists() else 'nothing')
        leftovers += len(list(broken.glob('.*.tmp*'))) > 0
        print(f'life {len(told)}: {"done" if done else f"killed after {seconds:.2f} s"}, '
              f'last checkpoint {told[-1]}', flush=True)  # fmt: skip
    name = f'epoch_{args.epochs}.pth'
    parts = ('state_dict', 'optimizer', 'param_schedulers')
    ends = [load_torch_file(folder / name) for folder in (whole, broken)]
    differ = [d for part in parts for d in differences(ends[0][part], ends[1][part], part)]
    within = sum(name == 'latest.pth' for name in told)
    compared = count([ends[0][part] for part in parts])
    print(
        f'{counted(kills, "kill")} of {counted(args.ranks, "process")}: {within} within an epoch, '
        f'{told.count("nothing")} before the first checkpoint, {leftovers} in a write; '
        f'{counted(compared, "tensor")} compared, {len(differ)} differ'
    )
    print(*differ[:10], sep='\n')
    return int(bool(differ) or bool(list(broken.glob('.*.tmp*'))))


if __name__ == '__main__':
    run_tool(main)
