"""A training loop that resumes exactly, also within an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import all_gather, get_rank
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmclsa.engine.resumable_loader import PlacedBatches, resumable_loader
from mmclsa.engine.seeding import seed_everything
from mmclsa.engine.stopping import stop_request
from mmclsa.errors import ConfigError
from mmclsa.registry import LOOPS
from mmclsa.utils.config_mistakes import check_arguments

__all__ = ['ResumableEpochBasedTrainLoop']

_OF_STEPS = 0  # sets the seeds of training steps apart from those of samples
_DONE, _OF = 'batches_done', 'batches_of_epoch'


@LOOPS.register_module()
class ResumableEpochBasedTrainLoop(EpochBasedTrainLoop):
    """MMEngine's loop over epochs, exact after a kill and resume.

    Every random number follows from the place in the training: a sample's
    from (seed of the run, epoch, rank, position in the epoch), a training
    step's from (seed, iteration, rank). The order of the samples is the
    sampler's, which follows from (seed, epoch); batches that were done
    before a stop are skipped without being loaded. So the steps after a
    checkpoint are the same whether a run stopped there or not, and however
    many data workers there are.

    Every checkpoint says how many batches of its epoch are done, so those
    that are written in the middle of an epoch (``CheckpointHook`` with
    ``by_epoch=False``, :class:`~mmclsa.engine.hooks.InterimCheckpointHook`)
    can be resumed from too. A run that was stopped between an epoch and its
    validation validates first.

    Args:
        runner: The runner.
        dataloader: The training loader, or its config.
        **kwargs: Of ``mmengine.runner.EpochBasedTrainLoop``: ``max_epochs``,
            ``val_begin``, ``val_interval``, ``dynamic_intervals``.

    Raises:
        ConfigError: If the loader's batches cannot be skipped, or an argument
            has a wrong type.
    """

    dataloader: DataLoader

    def __init__(self, runner: Runner, dataloader: Any, **kwargs: Any) -> None:
        check_arguments(EpochBasedTrainLoop, kwargs)
        super().__init__(runner, dataloader, **kwargs)
        self.dataloader = resumable_loader(self.dataloader)
        self._built_with_seed = runner.seed
        self._start = 0

    @property
    def batches(self) -> PlacedBatches:
        """What decides where an epoch starts."""
        return self.dataloader.batch_sampler  # type: ignore[return-value]

    def run(self) -> nn.Module:
        """Train to the end.

        Returns:
            The trained model.

        Raises:
            ConfigError: If the processes do not stand at the same step.
        """
        self._take_up()
        try:
            self._run()
        finally:
            # Who breaks off does not call after_train, where a hook would do it.
            stop_request.release()
            self._end_workers()
        return self.runner.model

    def _run(self) -> None:
        self.runner.call_hook('before_train')
        if self._iter and not self._start:
            # It may have been stopped before this validation had come to its end.
            self._decide_current_val_interval()
            self._validate_if_due()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._decide_current_val_interval()
            self._validate_if_due()
        self.runner.call_hook('after_train')

    def _end_workers(self) -> None:
        """End the workers that would live on for another epoch, which does not come.

        A runner is part of reference cycles, and when a cycle is collected the
        workers' queues are closed before the workers are told to end: PyTorch
        would wait for them for five seconds and then kill them.
        """
        if getattr(self.dataloader, '_iterator', None) is not None:
            self.dataloader._iterator = None

    def _validate_if_due(self) -> None:
        due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        if self.runner.val_loop is not None and self._epoch >= self.val_begin and due:
            self.runner.val_loop.run()

    def run_epoch(self) -> None:
        """Train for an epoch, or for what is left of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        self.batches.seed, self.batches.epoch = self.runner.seed, self._epoch
        self.batches.start = start = self._start
        for number, data_batch in enumerate(self.dataloader, start):
            self.run_iter(number, data_batch)
        self._note(0)
        self._start = 0
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        """Train for a step.

        Args:
            idx: Number of the batch in its epoch, from 0.
            data_batch: The batch.
        """
        seed_everything(self.runner.seed, _OF_STEPS, self._iter, get_rank())
        self._note(idx + 1)
        super().run_iter(idx, data_batch)

    def _note(self, done: int) -> None:
        """Write down how far the epoch is; it goes into every checkpoint."""
        self.runner.message_hub.update_info(_DONE, done)
        self.runner.message_hub.update_info(_OF, len(self.dataloader))

    def _take_up(self) -> None:
        """Find out where the training stands, from the checkpoint if there is one."""
        hub, here = self.runner.message_hub, len(self.dataloader)
        done, then = hub.get_info(_DONE, 0), hub.get_info(_OF, here)
        self._start = done
        if done and then != here:
            self._start = done * here // then
            self.runner.logger.warning(
                f'The checkpoint has done {done} batches of an epoch of {then}, which has {here} '
                f'now: it goes on after {self._start}, and is not the same training.'
            )
        sampler = self.batches.sampler
        if getattr(sampler, 'seed', None) == self._built_with_seed:
            sampler.seed = self.runner.seed  # of the checkpoint, where the config has none
        place = torch.tensor([self._epoch, self._iter, self._start])
        if any(not torch.equal(place, other) for other in all_gather(place)):
            raise ConfigError(
                'the processes go on from different checkpoints: '
                'the work_dir must be one that all nodes share'
            )
