"""A ResNet stage of any width as the shared head of a RoI head."""

from __future__ import annotations

from typing import Any

from mmdet.models.backbones import ResNet
from mmdet.models.layers import ResLayer as Stage
from mmdet.models.roi_heads.shared_heads import ResLayer

from mmclsa.registry import MODELS

__all__ = ['RoIResLayer']


@MODELS.register_module()
class RoIResLayer(ResLayer):
    """MMDetection's ``ResLayer``, for backbones that are narrower than 64 channels too.

    Args:
        depth: Of the ResNet whose stage it is.
        stage: Which stage, from 0; 3 is res5.
        stride: Of the stage's first block.
        base_channels: Of the ResNet, as in MMDetection's backbone.
        norm_eval: Keep the batch norms in evaluation mode.
        options: Of MMDetection's class.

    Example:
        >>> import torch
        >>> layer = RoIResLayer(18, stage=2, base_channels=8)
        >>> layer(torch.rand(2, 16, 14, 14)).shape
        torch.Size([2, 32, 7, 7])
    """

    def __init__(
        self,
        depth: int,
        stage: int = 3,
        stride: int = 2,
        base_channels: int = 64,
        norm_eval: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(depth, stage, stride, norm_eval=norm_eval, **options)
        if base_channels != 64:
            block, counts = ResNet.arch_settings[depth]
            inner = base_channels * 2 ** (stage - 1) * block.expansion
            kept = {name: options[name] for name in ('style', 'with_cp') if name in options}
            narrow = Stage(
                block,
                inner,
                base_channels * 2**stage,
                counts[stage],
                stride=stride,
                norm_cfg=self.norm_cfg,
                **kept,
            )
            setattr(self, f'layer{stage + 1}', narrow)
