"""Stopping a training whose loss is not finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmclsa.engine.buffers import named_buffers
from mmclsa.errors import TrainingError
from mmclsa.registry import HOOKS

__all__ = ['FiniteLossHook', 'not_finite']


def not_finite(losses: Mapping[str, Any], flags: Sequence[bool]) -> str:
    """Name the losses that are not finite, the total only where it stands alone.

    Args:
        losses: By name, as a training step logs them.
        flags: Whether each is finite.

    Returns:
        The names, joined by commas; empty if all are finite.

    Example:
        >>> not_finite({'loss_id_l0': 0, 'loss_bbox': 0, 'loss': 0}, [False, True, False])
        'loss_id_l0'
    """
    bad = [name for name, finite in zip(losses, flags) if not finite]
    return ', '.join([name for name in bad if name != 'loss'] or bad)


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop when a loss is not finite, and name the loss and the pictures.

    One NaN spreads to all weights with the next step, and a training that
    goes on is lost time. Losses are looked at a step later, when the device
    has long computed them, so that nobody waits for it. A checkpoint is
    written only if the losses so far and all its weights are finite: the last
    one in the folder is always one to go on from.
    """

    def __init__(self) -> None:
        self._pending: tuple[Mapping[str, Any], Tensor, Any, int, list[str]] | None = None

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Check the losses of the previous step, and keep those of this one.

        Args:
            runner: The runner of the training.
            batch_idx: Index of the batch.
            data_batch: The batch; its pictures are named.
            outputs: The losses by name.

        Raises:
            TrainingError: If a loss was not finite.
        """
        self._look()
        losses = {
            name: value.detach()
            for name, value in (outputs or {}).items()
            if 'loss' in name and isinstance(value, Tensor)
        }
        if not losses:
            return
        flags = torch.stack([value.isfinite().all() for value in losses.values()])
        event = torch.cuda.Event() if flags.is_cuda else None
        host = flags.to('cpu', non_blocking=True)
        if event is not None:
            event.record()
        self._pending = (losses, host, event, runner.iter, _pictures(data_batch))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Refuse to save a checkpoint with weights that are not finite.

        Args:
            runner: The runner of the training.
            checkpoint: What is about to be written.

        Raises:
            TrainingError: If a loss or a weight is not finite.
        """
        self._look()
        buffers = named_buffers(runner)
        for name, tensor in checkpoint['state_dict'].items():
            if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
                continue
            # A buffer may be infinite on purpose, such as the mask of an attention.
            bad = tensor.isnan() if name in buffers else ~tensor.isfinite()
            if bad.any():
                raise TrainingError(
                    f'training stopped after iteration {runner.iter}, and no checkpoint was '
                    f'written: {name} is not finite, though the losses are, so a gradient was '
                    'not; lower optim_wrapper.optimizer.lr or clip the gradient'
                )

    def after_train(self, runner: Runner) -> None:
        """Check the last step."""
        self._look()

    def _look(self) -> None:
        """Raise if the losses that were kept are not finite."""
        if self._pending is None:
            return
        losses, flags, event, iteration, pictures = self._pending
        self._pending = None
        if event is not None:
            event.synchronize()
        bad = not_finite(losses, flags.tolist())
        if bad:
            raise TrainingError(
                f'training stopped at iteration {iteration + 1}: {bad} is not finite for the '
                f'pictures {", ".join(pictures) or "of its batch"}; the last checkpoint is from '
                'before it'
            )


def _pictures(data_batch: Any) -> list[str]:
    """Name the pictures of a batch."""
    samples = data_batch.get('data_samples', []) if isinstance(data_batch, dict) else []
    return [str(sample.metainfo.get('img_id')) for sample in samples]
