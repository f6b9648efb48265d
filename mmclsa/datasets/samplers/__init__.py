"""Samplers: which items make a batch."""

from mmclsa.datasets.samplers.identity_balanced import (
    IdentityBalancedSampler,
    check_balanced_batches,
)

__all__ = ['IdentityBalancedSampler', 'check_balanced_batches']
