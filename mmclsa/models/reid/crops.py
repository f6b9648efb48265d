"""Cutting people out of pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.ops import roi_align
from torch import Tensor

from mmclsa.models.reid.boxes import at_least_a_pixel

__all__ = ['blur_by_shrinking', 'crop_people', 'crop_scenes']


def crop_people(picture: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut boxes out of a picture and resize them.

    Shrinking averages over the covered pixels, enlarging is bilinear. Boxes
    are clipped to the picture first; of one without size, or outside of the
    picture, a pixel is taken.

    Args:
        picture: Shape (C, H, W), any type.
        boxes: Shape (n, 4), x1 y1 x2 y2 in the picture's pixels.
        size: Height and width of a crop.

    Returns:
        Float32 crops of shape (n, C, height, width), in the picture's value range.

    Example:
        >>> import torch
        >>> picture = torch.arange(16.0).reshape(1, 4, 4)
        >>> crop_people(picture, torch.tensor([[0.0, 0.0, 4.0, 4.0]]), (2, 2))
        tensor([[[[ 2.5000,  4.5000],
                  [10.5000, 12.5000]]]])
    """
    clipped = at_least_a_pixel(boxes.float(), (picture.shape[1], picture.shape[2]))
    rois = torch.cat([clipped.new_zeros(len(clipped), 1), clipped], dim=1)
    # mmcv's kernel reads memory as if contiguous, whatever the strides say.
    return roi_align(picture[None].float().contiguous(), rois, size, 1.0, 0, 'avg', True)


def crop_scenes(
    pictures: Sequence[Tensor], boxes: Sequence[Tensor], size: tuple[int, int]
) -> Tensor:
    """Cut the boxes of several pictures; see :func:`crop_people`.

    Args:
        pictures: One (C, H, W) tensor a scene.
        boxes: One (n_i, 4) tensor a scene.
        size: Height and width of a crop.

    Returns:
        Float32 crops of shape (sum of n_i, C, height, width).
    """
    return torch.cat([crop_people(p, b, size) for p, b in zip(pictures, boxes)])


def blur_by_shrinking(crops: Tensor, min_height: int) -> Tensor:
    """Take resolution away from crops, each by an amount of its own.

    Each is shrunk (area averaging) to a height drawn log-uniformly between
    ``min_height`` and its own, and enlarged again (bilinear).

    Args:
        crops: Shape (n, C, H, W).
        min_height: Smallest height on the way, 1..H.

    Returns:
        Shape (n, C, H, W).

    Example:
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> blurred = blur_by_shrinking(torch.rand(2, 3, 16, 8), 4)
        >>> blurred.shape
        torch.Size([2, 3, 16, 8])
    """
    height, width = crops.shape[2:]
    factors = torch.exp(torch.rand(len(crops)) * math.log(min_height / height)).tolist()
    blurred = []
    for crop, factor in zip(crops.unsqueeze(1), factors):
        small = (max(1, round(height * factor)), max(1, round(width * factor)))
        shrunk = F.adaptive_avg_pool2d(crop, small)
        blurred.append(F.interpolate(shrunk, (height, width), mode='bilinear', align_corners=False))
    return torch.cat(blurred) if blurred else crops
