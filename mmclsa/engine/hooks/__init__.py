"""Hooks that MMEngine does not have."""

from mmclsa.engine.hooks.atomic_checkpoint import AtomicCheckpointHook
from mmclsa.engine.hooks.epoch_seed import EpochSeedHook, EpochStream
from mmclsa.engine.hooks.identity_check import IdentityCheckHook
from mmclsa.engine.hooks.loss_weight_ramp import LossWeightRampHook

__all__ = [
    'AtomicCheckpointHook',
    'EpochSeedHook',
    'EpochStream',
    'IdentityCheckHook',
    'LossWeightRampHook',
]
