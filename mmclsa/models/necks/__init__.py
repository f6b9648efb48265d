"""Necks."""

from mmclsa.models.necks.clsa_neck import CLSANeck

__all__ = ['CLSANeck']
