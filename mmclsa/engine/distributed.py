"""Initialising a distributed process with any launcher, with or without GPU."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
from datetime import timedelta

import torch
from mmengine.config import Config

from mmclsa.engine.stopping import watch_parent
from mmclsa.errors import ConfigError

__all__ = ['init_distributed', 'local_rank', 'rank_environment']

# What each launcher calls rank, number of processes and rank on the node.
_NAMES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': (
        'OMPI_COMM_WORLD_RANK',
        'OMPI_COMM_WORLD_SIZE',
        'OMPI_COMM_WORLD_LOCAL_RANK',
    ),
}
_STARTED_BY = {
    'pytorch': 'torchrun starts: call tools/dist_train.sh or tools/dist_test.sh',
    'slurm': 'srun starts: call tools/slurm_train.sh or tools/slurm_test.sh',
    'mpi': 'mpirun of Open MPI starts',
}


def init_distributed(cfg: Config, launcher: str) -> None:
    """Prepare for several processes, over gloo where there is no GPU.

    MMEngine starts distributed training on a GPU alone: it selects a CUDA
    device and hands its number to DistributedDataParallel.

    Args:
        cfg: Config to set the launcher and, without GPU, the wrapper in.
        launcher: One of :data:`~mmclsa.utils.choices.LAUNCHERS`.

    Raises:
        ConfigError: If that launcher did not start this process.
    """
    cfg.launcher = launcher
    if launcher == 'none':
        return
    os.environ.update(rank_environment(launcher))
    # From here on all launchers are the same to MMEngine.
    cfg.launcher = 'pytorch'
    watch_parent()
    if torch.cuda.is_available():
        return
    seconds = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', 1800)
    torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=seconds))
    # Or a process now and then dies at its end, of threads of gloo that are
    # still at work (github.com/pytorch/pytorch/pull/179291).
    atexit.register(_leave_process_group)
    cfg.model_wrapper_cfg = {
        'type': 'MMDistributedDataParallel',
        'device_ids': None,
        'broadcast_buffers': False,
        'find_unused_parameters': cfg.get('find_unused_parameters', False),
    }


def local_rank(launcher: str, default: int = 0) -> int:
    """Tell which process of its machine this one is, before anything is started.

    Args:
        launcher: One of :data:`~mmclsa.utils.choices.LAUNCHERS`.
        default: If the environment does not say.

    Returns:
        The number, from 0.

    Example:
        >>> local_rank('none')
        0
    """
    if launcher == 'none':
        return default
    return int(os.environ.get(_NAMES[launcher][2], default))


def rank_environment(launcher: str) -> dict[str, str]:
    """Translate the variables of a launcher into those of PyTorch.

    Args:
        launcher: 'pytorch', 'slurm' or 'mpi'.

    Returns:
        ``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``, ``MASTER_ADDR`` and
        ``MASTER_PORT``; the last two are kept where they are set.

    Raises:
        ConfigError: If the launcher did not start this process, or does not
            tell where the first process is.
    """
    names = _NAMES[launcher]
    absent = [name for name in names if name not in os.environ]
    if absent:
        raise ConfigError(
            f'--launcher {launcher} is for processes that {_STARTED_BY[launcher]} '
            f'(the environment has no {absent[0]})'
        )
    found = dict(zip(_NAMES['pytorch'], (os.environ[name] for name in names)))
    found['MASTER_ADDR'] = os.environ.get('MASTER_ADDR') or _first_node(launcher)
    found['MASTER_PORT'] = os.environ.get('MASTER_PORT') or _port(launcher)
    return found


def _first_node(launcher: str) -> str:
    nodes = os.environ.get('SLURM_JOB_NODELIST') or os.environ.get('SLURM_NODELIST')
    if launcher == 'slurm' and nodes and shutil.which('scontrol'):
        command = ['scontrol', 'show', 'hostnames', nodes]
        answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        if answer.strip():
            return answer.split()[0]
    raise ConfigError(
        f'--launcher {launcher} cannot find the first node: set MASTER_ADDR to its name or address'
    )


def _port(launcher: str) -> str:
    job = os.environ.get('SLURM_JOB_ID', '')
    if launcher == 'slurm' and job.isdigit():
        # Two jobs that share a node must not meet.
        return str(20000 + int(job) % 20000)
    return '29500'


def _leave_process_group() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
