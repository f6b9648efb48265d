"""OSNet: a light network that sees people at all scales at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from mmcv.cnn import ConvModule, build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmclsa.errors import ConfigError
from mmclsa.models.checks import check_number
from mmclsa.registry import MODELS

__all__ = ['OSNet', 'OmniScaleBlock']

_IN = dict(type='IN', affine=True)
_BN = dict(type='BN')
_STREAMS = 4  # of a block; the t-th sees (2t + 1) x (2t + 1) pixels
_BOTTLENECK = 4  # channels of a block to those of its streams
_GATE = 16  # channels of a stream to those within its gate


class LightConv(nn.Module):
    """A 3 x 3 convolution in two: all channels of a pixel, then the pixels of each channel.

    Args:
        channels: In and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.depthwise = ConvModule(
            channels, channels, 3, padding=1, groups=channels, bias=False, norm_cfg=_BN
        )

    def forward(self, feats: Tensor) -> Tensor:
        """Convolve feats (N, C, H, W)."""
        return self.depthwise(self.pointwise(feats))


class AggregationGate(nn.Module):
    """Weigh the channels of a stream by what the whole of it shows.

    One gate serves all streams of a block, so that they compete.

    Args:
        channels: Of a stream.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // _GATE, 1)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, feats: Tensor) -> Tensor:
        """Weigh feats (N, C, H, W)."""
        mean = F.adaptive_avg_pool2d(feats, 1)
        return feats * self.excite(self.squeeze(mean).relu()).sigmoid()


class OmniScaleBlock(nn.Module):
    """A residual block of four streams, each deeper and wider in view than the one before.

    Args:
        in_channels: Channels that come.
        out_channels: Channels that go.
        norm: Where instance normalisation is: 'none', 'inside' the residual in
            place of its last batch norm (AIN), or 'outside', after the sum
            (IBN).
    """

    def __init__(self, in_channels: int, out_channels: int, norm: str = 'none') -> None:
        super().__init__()
        channels = out_channels // _BOTTLENECK
        self.reduce = ConvModule(in_channels, channels, 1, bias=False, norm_cfg=_BN)
        self.streams = nn.ModuleList(
            nn.Sequential(*(LightConv(channels) for _ in range(depth)))
            for depth in range(1, _STREAMS + 1)
        )
        self.gate = AggregationGate(channels)
        last = dict(bias=False, act_cfg=None)
        own_norm = _IN if norm == 'inside' else _BN
        self.expand = ConvModule(channels, out_channels, 1, norm_cfg=own_norm, **last)
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.shortcut = ConvModule(in_channels, out_channels, 1, norm_cfg=_BN, **last)
        self.norm: nn.Module = nn.Identity()
        if norm == 'outside':
            self.norm = build_norm_layer(_IN, out_channels)[1]

    def forward(self, feats: Tensor) -> Tensor:
        """Turn feats (N, C_in, H, W) into (N, C_out, H, W)."""
        reduced = self.reduce(feats)
        first, *others = (self.gate(stream(reduced)) for stream in self.streams)
        residual = self.expand(sum(others, start=first))
        return self.norm(self.shortcut(feats) + residual).relu()


#: Instance normalisation of each block of each stage.
_VARIANTS = {
    'plain': (('none', 'none'),) * 3,
    'ibn': (('outside', 'outside'), ('none', 'none'), ('none', 'none')),
    'ain': (('inside', 'inside'), ('none', 'inside'), ('inside', 'none')),
}


@MODELS.register_module()
class OSNet(BaseModule):
    """Omni-scale network.

    Zhou et al., "Omni-Scale Feature Learning for Person Re-Identification",
    ICCV 2019; with instance normalisation "Learning Generalisable Omni-Scale
    Representations for Person Re-Identification", TPAMI 2021. Weights of
    torchreid are converted by ``tools/model_converters/torchreid.py``.

    Three stages of two blocks, with strides 4, 8 and 16 and, for width 1, 256,
    384 and 512 channels. A stage's map is that before the transition to the
    next (a 1 x 1 convolution and an average of 2 x 2); the last one's is that
    after the network's last convolution, which the published embedding pools.

    Args:
        width: Factor of all channels: 1, 0.75, 0.5 or 0.25 as published.
        variant: 'plain', 'ibn' (instance normalisation after the blocks of the
            first stage) or 'ain' (within the blocks that the authors' search
            chose).
        out_indices: Stages whose maps are given, from 0.
        frozen_stages: Stages that do not learn, the stem with the first; 0 for
            the stem alone, -1 for none.
        norm_eval: Keep the statistics of batch norm as they are in training.
        init_cfg: Initialisation config; None for He's.

    Raises:
        ConfigError: If the variant is unknown, or a stage that does not exist
            is asked for.

    Example:
        >>> import torch
        >>> maps = OSNet(width=0.25).eval()(torch.rand(1, 3, 64, 32))
        >>> [tuple(level.shape) for level in maps]
        [(1, 64, 16, 8), (1, 96, 8, 4), (1, 128, 4, 2)]
    """

    #: Of the stem and the stages, for width 1.
    channels = (64, 256, 384, 512)

    def __init__(
        self,
        width: float = 1.0,
        variant: str = 'plain',
        out_indices: Sequence[int] = (0, 1, 2),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg or _HE)
        check_number('OSNet', 0, above=True, width=width)
        if variant not in _VARIANTS:
            raise ConfigError(f'variant must be one of {tuple(_VARIANTS)}, but is {variant!r}')
        stages = range(len(self.channels) - 1)
        if not out_indices or not set(out_indices) <= set(stages):
            raise ConfigError(f'out_indices must be of {tuple(stages)}, but is {out_indices}')
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        stem, *channels = (int(width * count) for count in self.channels)
        norm = _BN if variant == 'plain' else _IN
        self.stem = ConvModule(3, stem, 7, stride=2, padding=3, bias=False, norm_cfg=norm)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stages = nn.ModuleList()
        self.transitions = nn.ModuleList()
        before = stem
        for count, norms in zip(channels, _VARIANTS[variant]):
            blocks = [
                OmniScaleBlock(before, count, norms[0]),
                OmniScaleBlock(count, count, norms[1]),
            ]
            self.stages.append(nn.Sequential(*blocks))
            # The last has no stage after it: it ends the network.
            self.transitions.append(ConvModule(count, count, 1, bias=False, norm_cfg=_BN))
            before = count
        self._freeze()

    def _freeze(self) -> None:
        frozen: list[nn.Module] = [self.stem] if self.frozen_stages >= 0 else []
        for index in range(min(self.frozen_stages, len(self.stages))):
            frozen += [self.stages[index], self.transitions[index]]
        for part in frozen:
            part.eval()
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> OSNet:
        """Switch mode; frozen stages, and by option batch norm, stay in evaluation mode."""
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Compute the chosen stages' maps of pictures (N, 3, H, W)."""
        feats = self.pool(self.stem(pictures))
        maps = []
        last = len(self.stages) - 1
        for index, (stage, transition) in enumerate(zip(self.stages, self.transitions)):
            feats = stage(feats)
            after = transition(feats)
            if index in self.out_indices:
                maps.append(after if index == last else feats)
            feats = after if index == last else F.avg_pool2d(after, 2)
        return tuple(maps)


_HE: list[dict[str, Any]] = [
    dict(type='Kaiming', layer='Conv2d', mode='fan_out', nonlinearity='relu'),
    dict(type='Constant', val=1, layer=['_BatchNorm', 'InstanceNorm2d']),
]
