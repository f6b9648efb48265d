"""Synchronising the buffers of all processes before validation and saving."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmclsa.engine.buffers import average_buffers, named_buffers
from mmclsa.registry import HOOKS

__all__ = ['AverageBuffersHook']


@HOOKS.register_module()
class AverageBuffersHook(Hook):
    """Average the running statistics of batch norm over all processes.

    Each process keeps its own in training. Without this each validates
    another model, and the checkpoint holds a third: that of the first
    process. As ``mmengine.hooks.SyncBuffersHook``, but also for the buffers
    of an ``EMAHook``, and without a change to what is the same everywhere:
    counters, pointers, identity memories.

    It comes before the checkpoint is written and before the ``EMAHook``
    swaps its weights in.
    """

    priority = 'ABOVE_NORMAL'

    def after_train_epoch(self, runner: Runner) -> None:
        """Average at the end of an epoch, before the checkpoint."""
        average_buffers(named_buffers(runner).values())

    def before_val_epoch(self, runner: Runner) -> None:
        """Average before a validation in the middle of an epoch."""
        average_buffers(named_buffers(runner).values())
