"""Ramping up the weight of a loss."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmclsa.engine.bare_model import bare_model
from mmclsa.errors import ConfigError
from mmclsa.registry import HOOKS

__all__ = ['LossWeightRampHook', 'ramp_factor']


def ramp_factor(progress: float, begin: float, end: float) -> float:
    """Compute the share of its final weight that a loss has.

    Args:
        progress: How far the training is, in epochs.
        begin: Until then it is 0.
        end: From then on it is 1; in between it grows linearly.

    Returns:
        In [0, 1].

    Example:
        >>> ramp_factor(0.5, 1, 3), ramp_factor(2, 1, 3), ramp_factor(3, 1, 3)
        (0.0, 0.5, 1.0)
        >>> ramp_factor(0.9, 1, 1), ramp_factor(1.0, 1, 1)
        (0.0, 1.0)
    """
    if progress >= end:
        return 1.0
    return max(progress - begin, 0.0) / (end - begin) if progress > begin else 0.0


@HOOKS.register_module()
class LossWeightRampHook(Hook):
    """Ramp the weight of a loss from 0 to the value in the config.

    The weight follows from the number of the iteration alone, so a resumed
    run has the weights of an unbroken one.

    Args:
        module: Where the loss is in the model, such as ``reid.head.loss_align``;
            it has an attribute ``loss_weight``.
        begin: Until this epoch (also a part of one) the weight is 0.
        end: From this epoch on it is whole; ``begin`` for a step.
    """

    def __init__(self, module: str, begin: float = 0.0, end: float = 1.0) -> None:
        if not 0 <= begin <= end:
            raise ConfigError(
                f'begin and end of LossWeightRampHook must be 0 <= begin <= end, but are {begin} '
                f'and {end}'
            )
        self.module, self.begin, self.end = module, begin, end

    def before_train(self, runner: Runner) -> None:
        """Find the loss and its final weight.

        Raises:
            ConfigError: If there is no such loss, or its whole weight is 0.
        """
        model = bare_model(runner)
        try:
            self._loss: Any = model.get_submodule(self.module)
            self._whole = float(self._loss.loss_weight)
        except AttributeError:
            raise ConfigError(
                f'LossWeightRampHook finds no loss with a loss_weight at model.{self.module}'
            ) from None
        if not self._whole:
            raise ConfigError(
                f'LossWeightRampHook has nothing to let grow: model.{self.module}.loss_weight is 0'
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the weight of this iteration."""
        progress = runner.iter / len(runner.train_dataloader)
        self._loss.loss_weight = self._whole * ramp_factor(progress, self.begin, self.end)

    def after_train(self, runner: Runner) -> None:
        """Restore the final weight."""
        self._loss.loss_weight = self._whole
