"""A convolution that sees a person whole, between alignment and pooling."""

from __future__ import annotations

from mmcv.cnn import DepthwiseSeparableConvModule
from torch import Tensor, nn

__all__ = ['PersonBlock']


class PersonBlock(nn.Module):
    """A light residual block on the aligned map of a person.

    RoIAlign and a pooling leave one linear layer to learn what a person is;
    this adds a depthwise-separable 3x3 convolution on the person's own cells.
    It costs about ``channels * (channels + 9)`` multiplications a cell.

    Args:
        channels: Channels of the map, which it keeps.
        kernel_size: Of the depthwise convolution, odd.

    Example:
        >>> import torch
        >>> PersonBlock(8)(torch.rand(2, 8, 6, 3)).shape
        torch.Size([2, 8, 6, 3])
    """

    def __init__(self, channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.conv = DepthwiseSeparableConvModule(
            channels, channels, kernel_size, padding=kernel_size // 2, norm_cfg=dict(type='BN')
        )

    def forward(self, feats: Tensor) -> Tensor:
        """Add the block's output to feats (N, C, H, W)."""
        # Also of nobody: a rank whose weights had no gradient would stop the others.
        return feats + self.conv(feats)
