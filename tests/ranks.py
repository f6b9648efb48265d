"""Starting the ranks of a test, each a process that has imported everything already."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Callable
from typing import Any

import torch
import torch.multiprocessing as mp

# A new interpreter takes four seconds to import these, a fork of the server none. The server
# has no threads and runs no network, so that its forks cannot hang.
_IMPORTED = ['mmdet.models', 'mmdet.evaluation', 'mmclsa.models', 'mmclsa.evaluation.metrics']


def free_port() -> int:
    """Find a port of this machine that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


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
