"""Options of ``tools/train.py`` that fit a training to the hardware there is."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmclsa.errors import ConfigError
from mmclsa.utils.choices import PRECISIONS

__all__ = ['build_runner', 'set_amp', 'set_auto_scale_lr']

_STEP = 'base_step_size'


def set_amp(cfg: Config, precision: str = 'fp16') -> None:
    """Turn on automatic mixed precision.

    Args:
        cfg: Config whose ``optim_wrapper`` changes.
        precision: 'fp16', with a dynamic scale of the loss, or 'bf16', whose
            range is that of float32, without one.

    Raises:
        ConfigError: If there is no GPU, or none that computes in bfloat16.
    """
    if not torch.cuda.is_available():
        raise ConfigError('--amp needs a GPU, but PyTorch finds none')
    if precision == 'bf16' and not torch.cuda.is_bf16_supported():
        raise ConfigError('--amp bf16 needs a GPU that computes in bfloat16; this one has fp16')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.dtype = PRECISIONS[precision]
    cfg.optim_wrapper.setdefault(
        'loss_scale', 'dynamic' if precision == 'fp16' else dict(enabled=False)
    )


def set_auto_scale_lr(cfg: Config) -> None:
    """Let MMEngine scale the learning rate by the pictures of an optimiser step.

    MMEngine counts the pictures of a batch on all ranks. A step over
    ``optim_wrapper.accumulative_counts`` batches sees as many times more,
    which is taken off ``base_batch_size`` here. The config's own number is kept
    beside it, so that a config that was dumped says the same once more.

    Args:
        cfg: Config with ``auto_scale_lr``.

    Raises:
        ConfigError: If the config does not say what its rate was chosen for.

    Example:
        >>> cfg = Config(dict(auto_scale_lr=dict(base_batch_size=16),
        ...                   optim_wrapper=dict(accumulative_counts=4)))
        >>> set_auto_scale_lr(cfg)
        >>> cfg.auto_scale_lr
        {'base_batch_size': 4.0, 'enable': True, 'base_step_size': 16}
    """
    given = cfg.get('auto_scale_lr') or {}
    base: Any = given.get('base_batch_size')
    batches = cfg.optim_wrapper.get('accumulative_counts', 1)
    if _STEP in given and base == given[_STEP] / batches:  # as a training has dumped it
        base = given[_STEP]
    if not isinstance(base, (int, float)) or base <= 0:
        raise ConfigError(
            '--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config, the '
            f'number of pictures a step that its learning rate is for, but got {base}'
        )
    cfg.auto_scale_lr.update({'base_batch_size': base / batches, 'enable': True, _STEP: base})


def build_runner(cfg: Config) -> Any:
    """Build the runner that a config asks for, as MMDetection's tools do.

    Args:
        cfg: The config; ``runner_type='FlexibleRunner'`` chooses MMEngine's
            runner with strategies (FSDP and others).

    Returns:
        The runner.
    """
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
