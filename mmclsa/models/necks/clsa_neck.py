"""The in-network feature pyramid of CLSA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from mmdet.models.necks import FPN
from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.models.checks import check_sizes
from mmclsa.registry import MODELS

__all__ = ['CLSANeck']


@MODELS.register_module()
class CLSANeck(FPN):
    """Pyramid with one map a stage, from low to high; the last is the source.

    MMDetection's FPN (lateral 1x1 convolution, top-down addition, 3x3
    convolution) without extra levels: each output map predicts the identity.

    Args:
        in_channels: Channels of 2 to 4 backbone stages, for ResNet-50's C3 to
            C5 ``[512, 1024, 2048]``.
        out_channels: Channels of each output map.
        **kwargs: Passed to :class:`mmdet.models.necks.FPN` (``norm_cfg``,
            ``upsample_cfg``, ``init_cfg``, ...).

    Raises:
        ConfigError: If there are fewer than 2 or more than 4 stages, or one has no channel.

    Example:
        >>> import torch
        >>> neck = CLSANeck([8, 16, 32], out_channels=4)
        >>> maps = neck([torch.rand(1, 8, 8, 8), torch.rand(1, 16, 4, 4), torch.rand(1, 32, 2, 2)])
        >>> [tuple(m.shape) for m in maps]
        [(1, 4, 8, 8), (1, 4, 4, 4), (1, 4, 2, 2)]
    """

    def __init__(self, in_channels: list[int], out_channels: int = 256, **kwargs: Any) -> None:
        if not 2 <= len(in_channels) <= 4:
            raise ConfigError(
                'in_channels must list 2 to 4 backbone stages for alignment across levels, '
                f'but got {in_channels}'
            )
        check_sizes('CLSANeck', in_channels=in_channels, out_channels=out_channels)
        super().__init__(in_channels, out_channels, num_outs=len(in_channels), **kwargs)

    def merge(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Add the levels up, without the convolutions that come last.

        Args:
            inputs: The backbone's stages, from low to high.

        Returns:
            What ``fpn_convs`` turn into the output maps, one a level.
        """
        maps = [lateral(stage) for lateral, stage in zip(self.lateral_convs, inputs)]
        for level in range(len(maps) - 1, 0, -1):
            above = F.interpolate(maps[level], maps[level - 1].shape[2:], **self.upsample_cfg)
            maps[level - 1] = maps[level - 1] + above
        return maps
