"""Randomness that depends on the epoch alone, so that a resumed run is exact."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import get_worker_info

from mmclsa.registry import HOOKS

__all__ = ['EpochSeedHook', 'EpochStream', 'find_pipelines']


class EpochStream:
    """First step of a pipeline: seeds its worker process anew every epoch.

    A worker that lives on through the epochs (``persistent_workers=True``)
    would otherwise draw numbers that a run resumed in new workers cannot
    repeat; one that does not gets the same seed from MMEngine every epoch,
    which repeats the augmentation.

    Args:
        seed: Seed of the run.
        rank: Rank of the training process.
    """

    def __init__(self, seed: int, rank: int) -> None:
        self.seed = seed
        self.rank = rank
        # In shared memory: the workers are other processes, started once.
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._seeded_for = -1

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Seed the worker if the epoch is new to it; leave the sample alone.

        Args:
            results: The sample.

        Returns:
            The sample.
        """
        info = get_worker_info()
        epoch = int(self.epoch)
        if info is not None and epoch != self._seeded_for:
            _seed_everything(self.seed, epoch, self.rank, info.id + 1)
            self._seeded_for = epoch
        return results


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed every generator anew at the start of each training epoch.

    The seed follows from (seed of the run, epoch, rank, worker), so nothing
    that came before the epoch matters: a run that was killed and resumed
    draws the same numbers as an unbroken one, and a changed validation
    interval does not change the training. Training that counts iterations
    instead of epochs is one long epoch, and cannot be resumed exactly.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Put an :class:`EpochStream` before the steps of every pipeline.

        Args:
            runner: The runner of the training.
        """
        self._stream = EpochStream(runner.seed, get_rank())
        # Starting workers draws a number, keeping them does not: not from ours.
        runner.train_dataloader.generator = torch.Generator()
        pipelines = list(find_pipelines(runner.train_dataloader.dataset))
        for pipeline in pipelines:
            pipeline.transforms.insert(0, self._stream)
        if not pipelines and runner.train_dataloader.num_workers > 0:
            runner.logger.warning(
                'The training set has no pipeline, so its workers cannot be seeded by epoch: '
                'a resumed run may differ from an unbroken one.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed Python, NumPy and PyTorch for this epoch.

        Args:
            runner: The runner of the training.
        """
        self._stream.epoch.fill_(runner.epoch)
        _seed_everything(runner.seed, runner.epoch, get_rank(), 0)


def find_pipelines(dataset: Any) -> Iterator[Compose]:
    """Find the pipelines that each sample of a data set enters first.

    Args:
        dataset: A data set, perhaps within wrappers such as ConcatDataset.

    Yields:
        The pipeline of every innermost data set.
    """
    parts = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    inner = [part for part in parts if part is not None]
    for part in inner:
        yield from find_pipelines(part)
    if not inner and isinstance(getattr(dataset, 'pipeline', None), Compose):
        yield dataset.pipeline


def _seed_everything(*numbers: int) -> None:
    """Seed the three generators with a number that follows from all given."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
