"""Samplers: which items make a batch."""

from mmclsa.datasets.samplers.checks import check_aspect_ratios, check_balanced_batches
from mmclsa.datasets.samplers.identity_balanced import IdentityBalancedSampler

__all__ = ['IdentityBalancedSampler', 'check_aspect_ratios', 'check_balanced_batches']
