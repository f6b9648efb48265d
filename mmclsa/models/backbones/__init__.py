"""Backbones that MMDetection does not have."""

from mmclsa.models.backbones.osnet import OSNet

__all__ = ['OSNet']
