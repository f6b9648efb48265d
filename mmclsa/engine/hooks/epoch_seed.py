"""Randomness that depends on the epoch alone, so that a resumed run is exact."""

from __future__ import annotations

import random

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import get_worker_info

from mmclsa.registry import HOOKS

__all__ = ['EpochSeedHook', 'seed_worker']


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed every generator anew at the start of each training epoch.

    The seed follows from (seed of the run, epoch, rank), so nothing that came
    before the epoch matters: a run that was killed and resumed draws the same
    numbers as an unbroken one, and a changed validation interval does not
    change the training. Workers that load data take their seeds from
    the process that starts them; MMEngine gives them the same one every
    epoch, which repeats each epoch's augmentation.

    Training that counts iterations instead of epochs, and worker processes
    that outlive an epoch (``persistent_workers=True``), cannot be resumed
    exactly; the hook warns of the latter.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Let the workers take their seeds from this process.

        Args:
            runner: The runner of the training.
        """
        loader = runner.train_dataloader
        loader.worker_init_fn = seed_worker
        if loader.num_workers > 0 and loader.persistent_workers:
            runner.logger.warning(
                'train_dataloader has persistent_workers=True: resuming this run will not '
                'repeat the augmentation of an unbroken one.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed Python, NumPy and PyTorch for this epoch.

        Args:
            runner: The runner of the training.
        """
        entropy = np.random.SeedSequence([runner.seed, runner.epoch, get_rank()])
        _seed_everything(int(entropy.generate_state(1)[0]))


def seed_worker(worker_id: int) -> None:
    """Seed Python and NumPy in a process that loads data.

    PyTorch has seeded itself there already, from a number that the training
    process drew when the epoch began, plus ``worker_id``.

    Args:
        worker_id: Index of the worker, as PyTorch passes it.
    """
    info = get_worker_info()
    _seed_everything((info.seed if info else torch.initial_seed() + worker_id) % 2**32)


def _seed_everything(seed: int) -> None:
    """Seed the three generators with a number below 2**32."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
