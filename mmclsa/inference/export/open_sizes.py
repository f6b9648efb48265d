"""Backbones whose trace would hold for one number of crops, or for one size of picture."""

from __future__ import annotations

import copy
from functools import partial

from mmdet.models.backbones import PyramidVisionTransformer, SwinTransformer
from mmdet.models.backbones.swin import ShiftWindowMSA
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.models import CropReID

__all__ = ['check_picture_sizes', 'with_any_number']


def merge_windows(windows: Tensor, height: int, width: int, size: int) -> Tensor:
    """Put windows together to maps, however many there are.

    MMDetection's Swin computes how many, which a trace keeps as a number.

    Args:
        windows: Shape (N * windows of a map, size, size, C), row by row.
        height: Of a map, a multiple of size.
        width: Of a map, a multiple of size.
        size: Of a window.

    Returns:
        Shape (N, height, width, C).

    Example:
        >>> import torch
        >>> merge_windows(torch.arange(8.0).view(2, 2, 2, 1), 2, 4, size=2)[0, :, :, 0]
        tensor([[0., 1., 4., 5.],
                [2., 3., 6., 7.]])
    """
    channels = windows.shape[-1]
    cells = windows.view(-1, height // size, width // size, size, size, channels)
    return cells.transpose(2, 3).reshape(-1, height, width, channels)


def with_any_number(reid: CropReID) -> CropReID:
    """Copy a branch so that its trace takes any number of crops."""
    reid = copy.deepcopy(reid)
    for module in reid.backbone.modules():
        if isinstance(module, ShiftWindowMSA):
            module.window_reverse = partial(merge_windows, size=module.window_size)
    return reid


def check_picture_sizes(backbone: nn.Module) -> None:
    """Refuse a detector's backbone that can be traced for one size of picture alone.

    Args:
        backbone: The detector's.

    Raises:
        ConfigError: If it is a Swin or a PVT, whose windows and padding are
            computed outside of what a trace sees.
    """
    if isinstance(backbone, (SwinTransformer, PyramidVisionTransformer)):
        raise ConfigError(
            f'{type(backbone).__name__} cannot be exported as the backbone of a detector, as its '
            'graph would hold for one size of picture; as the backbone of CropReID it can'
        )
