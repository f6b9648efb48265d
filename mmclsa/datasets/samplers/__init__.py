"""Samplers: which items make a batch."""

from mmclsa.datasets.samplers.identity_balanced import IdentityBalancedSampler

__all__ = ['IdentityBalancedSampler']
