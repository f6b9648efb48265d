"""Backbones that MMDetection does not have."""

from mmclsa.models.backbones.osnet import OSNet
from mmclsa.models.backbones.reid_resnet import ReIDResNet
from mmclsa.models.backbones.solider_swin import SoliderSwin

__all__ = ['OSNet', 'ReIDResNet', 'SoliderSwin']
