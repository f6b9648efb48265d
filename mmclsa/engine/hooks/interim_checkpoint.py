"""Saving within an epoch: at time intervals, and before the process is stopped."""

from __future__ import annotations

import time
from typing import Any, NoReturn

import torch
from mmengine.device import get_device
from mmengine.dist import all_reduce, barrier, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmclsa.engine.hooks.atomic_checkpoint import AtomicCheckpointHook
from mmclsa.engine.loops import ResumableEpochBasedTrainLoop
from mmclsa.engine.stopping import ShieldedWorker, stop_request
from mmclsa.errors import ConfigError
from mmclsa.registry import HOOKS
from mmclsa.utils.cli import PREEMPTED_EXIT_CODE
from mmclsa.utils.text import counted

__all__ = ['InterimCheckpointHook']

_NOTHING, _SAVE, _STOP = 0, 1, 2


@HOOKS.register_module()
class InterimCheckpointHook(Hook):
    """Save a checkpoint within an epoch at time intervals, and on a signal to stop.

    A signal is noted, the step and the gradient accumulation under way are
    finished, the training is saved, and the process exits with code 75. On
    several processes it is enough that one of them gets the signal: they
    agree on the step, with one small collective every ``agree_every`` steps.
    In validation nothing needs to be saved, so it ends at once, and is done
    again when the training is resumed.

    It needs an :class:`AtomicCheckpointHook`, which writes, and a loop that
    can go on from the middle of an epoch, such as
    :class:`~mmclsa.engine.loops.ResumableEpochBasedTrainLoop`. Without them
    it says so and does nothing.

    Args:
        minutes: Save when the last checkpoint is so old; None for never.
        signals: Names of the signals that ask to save and stop.
        agree_every: Steps between two agreements of several processes.

    Raises:
        ConfigError: If a number is not positive.
    """

    # After every hook that changes something in a step.
    priority = 'LOWEST'

    def __init__(
        self,
        minutes: float | None = 10,
        signals: tuple[str, ...] = ('SIGTERM', 'SIGUSR1'),
        agree_every: int = 10,
    ) -> None:
        if agree_every < 1 or (minutes is not None and minutes <= 0):
            raise ConfigError(
                'InterimCheckpointHook needs positive minutes (or None) and agree_every, '
                f'not {minutes} and {agree_every}'
            )
        self.minutes = minutes
        self.signals = tuple(signals)
        self.agree_every = agree_every
        self._saver: AtomicCheckpointHook | None = None
        self._agreed = _NOTHING

    def before_train(self, runner: Runner) -> None:
        """Handle the signals from now on, and shield the data workers from them."""
        savers = [hook for hook in runner.hooks if isinstance(hook, AtomicCheckpointHook)]
        loop = runner.train_loop
        by_epoch = isinstance(loop, EpochBasedTrainLoop)
        if not savers or (by_epoch and not isinstance(loop, ResumableEpochBasedTrainLoop)):
            runner.logger.warning(
                'InterimCheckpointHook is off, as it needs default_hooks.checkpoint of type '
                'AtomicCheckpointHook and train_cfg of type ResumableEpochBasedTrainLoop: nothing '
                'is saved in the middle of an epoch, nor on a signal.'
            )
            return
        self._saver = savers[0]
        loops = [loop, *([runner.val_loop] if runner.val_loop else [])]
        for loader in (each.dataloader for each in loops):
            loader.worker_init_fn = ShieldedWorker(loader.worker_init_fn, self.signals)
        stop_request.heed(self.signals)

    def after_train_iter(self, runner: Runner, batch_idx: int, *args: Any, **kwargs: Any) -> None:
        """Save, and perhaps leave, if that was asked for."""
        if self._saver is None:
            return
        step = runner.iter + 1
        if get_world_size() == 1 or step % self.agree_every == 0:
            self._agreed = max(self._agreed, _greatest(self._wish(self._saver.saved_at)))
        # Gradients that are still being summed up are in no checkpoint.
        between = step % getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        if self._agreed == _NOTHING or between:
            return
        agreed, self._agreed = self._agreed, _NOTHING
        path = self._saver.save_interim(runner)
        if agreed == _STOP:
            barrier()  # while the first process writes
            self._leave(runner, path)
        runner.logger.info(f'Saved {path} after {counted(step, "step")}.')

    def after_val_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Leave a validation if that was asked for."""
        if self._saver is not None and stop_request.reason:
            self._leave(runner, self._saver.last_ckpt)

    def after_train(self, runner: Runner) -> None:
        """Restore the signal handlers."""
        stop_request.release()

    def _wish(self, saved_at: float) -> int:
        if stop_request.reason:
            return _STOP
        age = time.monotonic() - saved_at
        due = self.minutes is not None and age >= 60 * self.minutes
        return _SAVE if due and is_main_process() else _NOTHING

    def _leave(self, runner: Runner, path: str | None) -> NoReturn:
        where = f'--resume auto goes on from {path}' if path else 'there is no checkpoint yet'
        runner.logger.warning(
            f'Told to stop by {stop_request.reason or "another process"}: {where}.'
        )
        stop_request.release()
        raise SystemExit(PREEMPTED_EXIT_CODE)


def _greatest(wish: int) -> int:
    """Give the greatest wish of all processes; they all must ask."""
    if get_world_size() == 1:
        return wish
    flag = torch.tensor(wish, device=get_device())
    all_reduce(flag, op='max')
    return int(flag)
