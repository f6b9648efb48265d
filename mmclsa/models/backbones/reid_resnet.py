"""ResNet of networks for re-ID: IBN-a, non-local blocks, a last stage that keeps its size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from mmcv.cnn.bricks import NonLocal2d
from mmdet.models.backbones.resnet import Bottleneck, ResNet
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.registry import MODELS

__all__ = ['InstanceBatchNorm', 'ReIDResNet']


class InstanceBatchNorm(nn.Module):
    """Instance norm of the first half of the channels, batch norm of the others: IBN-a.

    Pan et al., "Two at Once: Enhancing Learning and Generalization Capacities
    via IBN-Net", ECCV 2018.

    Args:
        channels: Of the map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        first = channels // 2
        self.sizes = [first, channels - first]
        self.instance_norm = nn.InstanceNorm2d(first, affine=True)
        self.batch_norm = nn.BatchNorm2d(channels - first)

    def forward(self, feats: Tensor) -> Tensor:
        """Normalise feats (N, C, H, W)."""
        first, others = feats.split(self.sizes, dim=1)
        return torch.cat([self.instance_norm(first), self.batch_norm(others)], dim=1)


class _Block(Bottleneck):
    """MMDetection's block, and what may come after it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.after: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block of x (N, C, H, W), and what comes after it."""
        return self.after(super().forward(x))


@MODELS.register_module()
class ReIDResNet(ResNet):
    """MMDetection's ResNet-50 or 101 with what BoT, AGW and SBS of fast-reid add.

    Luo et al., "Bag of Tricks and a Strong Baseline for Deep Person
    Re-Identification", CVPRW 2019 (BoT: a last stage of stride 1); Ye et al.,
    "Deep Learning for Person Re-identification: A Survey and Outlook", TPAMI
    2021 (AGW: non-local blocks); He et al., "FastReID", 2020 (SBS). Weights of
    fast-reid are converted by ``tools/model_converters/fast_reid.py``.

    Args:
        depth: 50 or 101.
        ibn: Put IBN-a after the first convolution of the blocks of the first
            three stages.
        non_local: How many of the last blocks of each stage a non-local block
            follows, such as ``(0, 2, 3, 0)``; with one channel within, as
            fast-reid has it.
        strides: Of the stages; the last is 1 as in BoT.
        **kwargs: Of MMDetection's ``ResNet``.

    Raises:
        ConfigError: If the depth is another one.
    """

    arch_settings = {50: (_Block, (3, 4, 6, 3)), 101: (_Block, (3, 4, 23, 3))}  # noqa: RUF012

    def __init__(
        self,
        depth: int = 50,
        ibn: bool = False,
        non_local: Sequence[int] = (0, 0, 0, 0),
        strides: Sequence[int] = (1, 2, 2, 1),
        **kwargs: Any,
    ) -> None:
        if depth not in self.arch_settings:
            raise ConfigError(f'depth must be one of {tuple(self.arch_settings)}, but is {depth}')
        # MMDetection's constructor makes the stages.
        self._ibn = ibn
        self._non_local = iter(non_local)
        super().__init__(depth=depth, strides=strides, **kwargs)

    def _make_stem_layer(self, in_channels: int, stem_channels: int) -> None:
        super()._make_stem_layer(in_channels, stem_channels)
        # As fast-reid has it: the padding is behind the picture alone.
        self.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)

    def make_res_layer(self, **kwargs: Any) -> nn.Sequential:
        """Make a stage, with what this network adds to its blocks."""
        stage = super().make_res_layer(**kwargs)
        planes = kwargs['planes']
        if self._ibn and planes < self.base_channels * 2**3:
            for block in stage:
                setattr(block, cast(str, block.norm1_name), InstanceBatchNorm(planes))
        count = next(self._non_local, 0)
        channels = planes * _Block.expansion
        for block in list(stage)[len(stage) - count :]:
            block.after = NonLocal2d(
                channels, reduction=channels, norm_cfg=kwargs['norm_cfg'], mode='dot_product'
            )
        return stage
