"""Starting processes that have imported everything already, alone or as ranks.

A new interpreter takes four seconds of one core to import MMDetection, a fork of a server that
has, none. The server has no threads and runs no network, so that its forks cannot hang.
That a tool starts by itself is tested where it is the point (``run_python``, ``runs.py``).
"""

from __future__ import annotations

import multiprocessing
import os
import random
import runpy
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing as mp

from tests.helpers import REPO

_IMPORTED = [
    'matplotlib.backends.backend_agg',
    'mmclsa.datasets',
    'mmclsa.engine',
    'mmclsa.evaluation.metrics',
    'mmclsa.inference',
    'mmclsa.models',
    'mmdet.evaluation',
    'mmdet.models',
    'torch._dynamo',
]
_DRAW = random.SystemRandom()


def free_port() -> int:
    """Find a port of this machine that nobody listens on.

    It is used seconds later, so it is none of those that the system gives to whoever asks for
    any, and is not drawn by a generator that two workers of pytest may have seeded alike.
    """
    while True:
        port = _DRAW.randrange(20_000, 32_768)
        with socket.socket() as sock, suppress(OSError):
            sock.bind(('127.0.0.1', port))
            return port


def run_ranks(work: Callable[..., None], ranks: int, *args: Any) -> None:
    """Call a function of a module in so many processes joined by gloo, and wait for their end.

    Args:
        work: Called with the rank, the number of ranks, and what follows.
        ranks: Number of processes.
        *args: Anything that can be pickled.
    """
    multiprocessing.set_forkserver_preload(_IMPORTED)
    arguments = (work, ranks, free_port(), *args)
    mp.start_processes(_joined, arguments, nprocs=ranks, start_method='forkserver')


def _joined(rank: int, work: Callable[..., None], ranks: int, port: int, *args: Any) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=ranks
    )
    work(rank, ranks, *args)
    torch.distributed.destroy_process_group()


def run_tool_forked(
    script: object, *args: object, ranks: int = 1, timeout: float = 300, **env: str
) -> subprocess.CompletedProcess:
    """Run a tool as a command, in a fork; on many ranks with the variables of torchrun.

    Args:
        script: Path from the root of the repository.
        *args: Its command line.
        ranks: Number of processes; each is given ``--launcher pytorch`` if there are more.
        timeout: Seconds after which all are killed.
        **env: Variables beside those of the tests.

    Returns:
        The first exit code that is not 0, and what all have written, in order of ranks.
    """
    words = [str(script), *map(str, args), *(['--launcher', 'pytorch'] if ranks > 1 else [])]
    variables = {**os.environ, 'OMP_NUM_THREADS': '1', **env}
    if ranks > 1:
        variables |= {'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(free_port())}
        variables |= {'WORLD_SIZE': str(ranks), 'LOCAL_WORLD_SIZE': str(ranks)}
    multiprocessing.set_forkserver_preload(_IMPORTED)
    context = multiprocessing.get_context('forkserver')
    with tempfile.TemporaryDirectory() as folder:
        processes = []
        for rank in range(ranks):
            own = {'RANK': str(rank), 'LOCAL_RANK': str(rank)} if ranks > 1 else {}
            call = (words, {**variables, **own}, f'{folder}/{rank}')
            processes.append(context.Process(target=_tool, args=call))
        codes = _finish(processes, timeout)
        out, err = (
            ''.join(Path(f'{folder}/{rank}.{name}').read_text() for rank in range(ranks))
            for name in ('out', 'err')
        )
    code = next((code for code in codes if code), 0)
    return subprocess.CompletedProcess(words, code, out, err)


def _finish(processes: list[BaseProcess], timeout: float) -> list[int]:
    """Run them to their end; as torchrun does, kill the others when one fails."""
    deadline = time.monotonic() + timeout
    for process in processes:
        process.start()
    while any(process.exitcode is None for process in processes):
        late = time.monotonic() > deadline
        if late or any(process.exitcode for process in processes):
            for process in processes:
                process.join(0 if late else 30)
                process.kill()
        processes[0].join(0.02)
        time.sleep(0.01)
    return [process.exitcode or 0 for process in processes]


def _tool(words: list[str], variables: dict[str, str], out: str) -> None:
    os.chdir(REPO)
    os.environ.clear()
    os.environ.update(variables)
    for number, name in ((1, 'out'), (2, 'err')):
        descriptor = os.open(f'{out}.{name}', os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv = words
    torch.set_num_threads(1)
    runpy.run_path(words[0], run_name='__main__')
