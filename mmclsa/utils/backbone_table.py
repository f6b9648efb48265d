"""What configs must know of each backbone; :mod:`mmclsa.utils.backbones` makes configs of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ['BACKBONES', 'EMBEDDINGS', 'Backbone', 'Embedding']

_SWIN = 'https://github.com/SwinTransformer/storage/releases/download/v1.0.0'
_PVT = 'https://github.com/whai362/PVT/releases/download/v2'
_CNN_LOWEST = dict(frozen_stages=1, norm_eval=True)
_CONVERTED = dict(prefix='reid.backbone.')  # as tools/model_converters/ name them
_NON_LOCAL = (0, 2, 3, 0)
_CONVNEXT = 'https://download.openmmlab.com/mmclassification/v0/convnext/downstream'


@dataclass(frozen=True)
class Backbone:
    """What configs must know of a backbone.

    Attributes:
        cfg: Its config, without ``out_indices`` and ``init_cfg``.
        channels: Of its stages, from low to high.
        weights: Where published weights are; ``{weights}`` stands for the
            folder of one's own.
        indices: ``out_indices`` of these stages; empty for 0, 1, 2, ...
        first_stride: Of the lowest stage; each next one has twice that.
        init: More fields of ``init_cfg``.
        scene: More settings where a detector shares it.
        normalize: ``mean`` and ``std`` of the channels, RGB in 0..255, where
            they are not ImageNet's.
        lowest: Settings that keep the stem and the lowest stage as they are in
            training.
    """

    cfg: Mapping[str, Any]
    channels: tuple[int, ...]
    weights: str
    indices: tuple[int, ...] = ()
    first_stride: int = 4
    init: Mapping[str, Any] = field(default_factory=dict)
    scene: Mapping[str, Any] = field(default_factory=dict)
    normalize: Mapping[str, list[float]] = field(default_factory=dict)
    lowest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stages(self) -> tuple[int, ...]:
        """``out_indices`` of the stages, from low to high."""
        return self.indices or tuple(range(len(self.channels)))

    @property
    def strides(self) -> tuple[int, ...]:
        """Of the stages, from low to high, in pixels."""
        return tuple(self.first_stride * 2**stage for stage in range(len(self.channels)))


def _resnet(depth: int, weights: str, widest: int) -> Backbone:
    cfg = dict(
        type='mmdet.ResNet',
        depth=depth,
        num_stages=4,
        frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=True,
        style='pytorch',
    )
    channels = tuple(widest // 2**k for k in (3, 2, 1, 0))
    return Backbone(cfg, channels, weights, lowest=_CNN_LOWEST)


def _swin(depths: tuple[int, ...], weights: str) -> Backbone:
    cfg = dict(
        type='mmdet.SwinTransformer',
        embed_dims=96,
        depths=depths,
        num_heads=(3, 6, 12, 24),
        window_size=7,
        drop_path_rate=0.2,
        convert_weights=True,  # from the names of Swin's authors
    )
    channels = (96, 192, 384, 768)
    return Backbone(cfg, channels, f'{_SWIN}/{weights}', lowest=dict(frozen_stages=1))


def _pvt(embed_dims: int, channels: tuple[int, ...], weights: str) -> Backbone:
    cfg = dict(
        type='mmdet.PyramidVisionTransformerV2', embed_dims=embed_dims, num_layers=[2, 2, 2, 2]
    )
    return Backbone(cfg, channels, f'{_PVT}/{weights}')


def _osnet(width: float, variant: str = 'plain') -> Backbone:
    name = f'x{width}' if variant == 'plain' else f'{variant}_x{width}'
    return Backbone(
        dict(type='mmclsa.OSNet', width=width, variant=variant),
        tuple(int(width * count) for count in (256, 384, 512)),
        f'{{weights}}/osnet_{name}.pth',
        init=_CONVERTED,
        lowest=_CNN_LOWEST,
    )


def _fast_reid(name: str, ibn: bool = False, non_local: tuple[int, ...] = (0,) * 4) -> Backbone:
    return Backbone(
        dict(type='mmclsa.ReIDResNet', depth=50, ibn=ibn, non_local=non_local),
        (256, 512, 1024, 2048),
        f'{{weights}}/{name}.pth',
        init=_CONVERTED,
        # The anchors of a detector want levels of stride 4, 8, 16, 32.
        scene=dict(strides=(1, 2, 2, 2)),
        lowest=_CNN_LOWEST,
    )


def _solider(
    embed_dims: int, depths: tuple[int, ...], num_heads: tuple[int, ...], name: str
) -> Backbone:
    return Backbone(
        dict(type='mmclsa.SoliderSwin', embed_dims=embed_dims, depths=depths, num_heads=num_heads),
        tuple(embed_dims * 2**stage for stage in range(4)),
        f'{{weights}}/{name}.pth',
        init=_CONVERTED,
        normalize=dict(mean=[127.5] * 3, std=[127.5] * 3),
        lowest=dict(frozen_stages=1),
    )


#: By the names that configs say.
BACKBONES: Mapping[str, Backbone] = {
    'resnet18': _resnet(18, 'mmclsa://resnet18_imagenet.pth', 512),
    'resnet50': _resnet(50, 'mmclsa://resnet50_imagenet.pth', 2048),
    'resnet101': _resnet(101, 'mmclsa://resnet101_imagenet.pth', 2048),
    'mobilenetv2': Backbone(
        dict(type='mmdet.MobileNetV2'),
        (24, 32, 96, 1280),
        '{weights}/mobilenet_v2_imagenet.pth',
        indices=(1, 2, 4, 7),
        lowest=dict(frozen_stages=2, norm_eval=True),
    ),
    'swin-t': _swin((2, 2, 6, 2), 'swin_tiny_patch4_window7_224.pth'),
    'swin-s': _swin((2, 2, 18, 2), 'swin_small_patch4_window7_224.pth'),
    'pvt-v2-b0': _pvt(32, (32, 64, 160, 256), 'pvt_v2_b0.pth'),
    'pvt-v2-b1': _pvt(64, (64, 128, 320, 512), 'pvt_v2_b1.pth'),
    # Needs MMPretrain; see docs/backbones.md.
    'convnext-t': Backbone(
        dict(
            type='mmpretrain.ConvNeXt',
            arch='tiny',
            drop_path_rate=0.4,
            layer_scale_init_value=1.0,
            gap_before_final_norm=False,
        ),
        (96, 192, 384, 768),
        f'{_CONVNEXT}/convnext-tiny_3rdparty_32xb128-noema_in1k_20220301-795e9634.pth',
        init=dict(prefix='backbone.'),
        lowest=dict(frozen_stages=1),
    ),
    'osnet-x1.0': _osnet(1.0),
    'osnet-x0.75': _osnet(0.75),
    'osnet-x0.5': _osnet(0.5),
    'osnet-x0.25': _osnet(0.25),
    'osnet-ibn-x1.0': _osnet(1.0, 'ibn'),
    'osnet-ain-x1.0': _osnet(1.0, 'ain'),
    'osnet-ain-x0.75': _osnet(0.75, 'ain'),
    'osnet-ain-x0.5': _osnet(0.5, 'ain'),
    'osnet-ain-x0.25': _osnet(0.25, 'ain'),
    'bot-r50': _fast_reid('bot_r50'),
    'bot-r50-ibn': _fast_reid('bot_r50-ibn', ibn=True),
    'agw-r50': _fast_reid('agw_r50', non_local=_NON_LOCAL),
    'agw-r50-ibn': _fast_reid('agw_r50-ibn', ibn=True, non_local=_NON_LOCAL),
    'sbs-r50': _fast_reid('sbs_r50', non_local=_NON_LOCAL),
    'sbs-r50-ibn': _fast_reid('sbs_r50-ibn', ibn=True, non_local=_NON_LOCAL),
    'solider-swin-t': _solider(96, (2, 2, 6, 2), (3, 6, 12, 24), 'solider_swin-t'),
    'solider-swin-s': _solider(96, (2, 2, 18, 2), (3, 6, 12, 24), 'solider_swin-s'),
    'solider-swin-b': _solider(128, (2, 2, 18, 2), (4, 8, 16, 32), 'solider_swin-b'),
}


@dataclass(frozen=True)
class Embedding:
    """How a published network makes its embedding of its last map.

    Attributes:
        head: Settings of ``GlobalReIDHead``.
        crop_size: Height and width of the crops that it was trained with.
    """

    head: Mapping[str, Any]
    crop_size: tuple[int, int] = (256, 128)


def _embedding(name: str) -> Embedding | None:
    family = name.partition('-')[0]
    if family == 'osnet':
        return Embedding(dict(embed_dims=512, bias=True, relu=True))
    if family == 'solider':
        return Embedding(dict(test_feature='before'), (384, 128))
    if family in ('agw', 'sbs'):
        return Embedding(dict(pool='gem'), (384, 128) if family == 'sbs' else (256, 128))
    return Embedding({}) if family == 'bot' else None


#: Of the backbones that are published as whole re-ID networks.
EMBEDDINGS: Mapping[str, Embedding] = {
    name: embedding for name in BACKBONES if (embedding := _embedding(name)) is not None
}
