"""Hooks that MMEngine does not have."""

from mmclsa.engine.hooks.atomic_checkpoint import AtomicCheckpointHook
from mmclsa.engine.hooks.average_buffers import AverageBuffersHook
from mmclsa.engine.hooks.ema import PersonSearchEMAHook
from mmclsa.engine.hooks.finite_loss import FiniteLossHook
from mmclsa.engine.hooks.identity_check import IdentityCheckHook
from mmclsa.engine.hooks.interim_checkpoint import InterimCheckpointHook
from mmclsa.engine.hooks.loss_weight_ramp import LossWeightRampHook
from mmclsa.engine.hooks.record_levels import RecordLevelsHook

__all__ = [
    'AtomicCheckpointHook',
    'AverageBuffersHook',
    'FiniteLossHook',
    'IdentityCheckHook',
    'InterimCheckpointHook',
    'LossWeightRampHook',
    'PersonSearchEMAHook',
    'RecordLevelsHook',
]
