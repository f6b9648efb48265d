"""Exponential moving average of the model, without its memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmclsa.models.memory import IdentityMemory
from mmclsa.registry import HOOKS

__all__ = ['PersonSearchEMAHook']


@HOOKS.register_module()
class PersonSearchEMAHook(EMAHook):
    """Exponential moving average of weights and batch-norm statistics.

    MMEngine's hook either keeps the source model's batch-norm statistics
    beside averaged weights, or averages every buffer: then a memory's rows
    are no unit vectors, a slot of its circular queue mixes the strangers that
    passed through it, and the queue's pointer, an integer, stays where the
    average began. Here floating-point buffers are averaged, and a memory and
    integers are the source model's own, so that the ``state_dict`` of a
    checkpoint can be tested and trained on.

    With several processes :class:`AverageBuffersHook` makes the average one.

    Args:
        ema_type: An average that MMEngine's registry knows.
        update_buffers: Average batch-norm statistics too.
        **kwargs: As for ``mmengine.hooks.EMAHook``: ``momentum``,
            ``begin_epoch``, ``interval``, ...
    """

    def __init__(
        self,
        ema_type: str = 'ExponentialMovingAverage',
        update_buffers: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(ema_type=ema_type, update_buffers=update_buffers, **kwargs)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Update the average, and copy what is not averaged."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        for mine, source in zip(_kept(self.ema_model.module), _kept(self.src_model)):
            mine.data.copy_(source.data)


def _kept(model: nn.Module) -> Iterator[Tensor]:
    """List the buffers that are no estimate: integers, and all of a memory."""
    for module in model.modules():
        for buffer in module.buffers(recurse=False):
            if isinstance(module, IdentityMemory) or not buffer.is_floating_point():
                yield buffer
