"""Backbones by name, for configs: what depends on one is written here and nowhere else.

A backbone decides the channels of a detector's neck and of the re-ID branch's, and the
strides of its levels. A config says ``model = scene_model('swin-t')`` and gets all of it;
nothing is built or imported here, so that reading a config stays quick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.backbone_table import BACKBONES, EMBEDDINGS, Backbone

__all__ = [
    'BACKBONES',
    'EMBEDDINGS',
    'backbone_weights',
    'crop_model',
    'frozen_lowest',
    'published_model',
    'scene_model',
]

_LEVELS = 3  # of CLSA, the highest of a backbone


def _find(name: str) -> Backbone:
    if name not in BACKBONES:
        raise ConfigError(f'the backbone must be one of {", ".join(BACKBONES)}, but is {name!r}')
    return BACKBONES[name]


def backbone_weights(name: str, folder: str = 'weights') -> str:
    """Say where published weights of a backbone are.

    Args:
        name: In :data:`BACKBONES`.
        folder: Where one's own are.

    Returns:
        A path or an address.

    Raises:
        ConfigError: If the backbone is unknown.

    Example:
        >>> backbone_weights('mobilenetv2'), backbone_weights('resnet18')
        ('weights/mobilenet_v2_imagenet.pth', 'mmclsa://resnet18_imagenet.pth')
    """
    return _find(name).weights.replace('{weights}', folder)


def scene_model(
    name: str,
    weights: str | None = None,
    channels: Sequence[int] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Give a ``PersonSearcher`` with a feature pyramid and ``SceneReID`` a backbone.

    Args:
        name: In :data:`BACKBONES`.
        weights: What it starts from; None for random numbers.
        channels: Of its stages, where the options change them.
        **options: More settings of the backbone.

    Returns:
        The part of ``model`` that depends on the backbone, to be merged with
        the rest: its config, the channels of both necks, indices and strides
        of the levels.

    Raises:
        ConfigError: If the backbone is unknown.

    Example:
        >>> model = scene_model('mobilenetv2')
        >>> model['detector']['neck'], model['reid']['strides']
        ({'in_channels': [24, 32, 96, 1280]}, (8, 16, 32))
    """
    found = _find(name)
    widths = list(channels or found.channels)
    first = len(widths) - _LEVELS
    backbone = _config(found, found.stages, weights, {**found.scene, **options})
    detector = dict(backbone=backbone, neck=dict(in_channels=widths))
    if found.normalize:
        detector['data_preprocessor'] = dict(found.normalize)
    return dict(
        detector=detector,
        reid=dict(
            in_indices=tuple(range(first, len(widths))),
            strides=found.strides[first:],
            neck=dict(in_channels=widths[first:]),
        ),
    )


def crop_model(
    name: str,
    weights: str | None = None,
    channels: Sequence[int] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Give a ``PersonSearcher`` with ``CropReID`` a backbone for the crops.

    Arguments, what is returned, and errors are as for :func:`scene_model`.

    Example:
        >>> crop_model('osnet-x0.25')['reid']['neck']
        {'in_channels': [64, 96, 128]}
    """
    found = _find(name)
    widths = list(channels or found.channels)[-_LEVELS:]
    backbone = _config(found, found.stages[-_LEVELS:], weights, options)
    return dict(reid=dict(backbone=backbone, neck=dict(in_channels=widths), **found.normalize))


def frozen_lowest(name: str) -> dict[str, Any]:
    """Give the settings that keep a backbone's stem and lowest stage as they are in training.

    Args:
        name: In :data:`BACKBONES`.

    Returns:
        Settings of the backbone; none where it cannot be done.

    Raises:
        ConfigError: If the backbone is unknown.

    Example:
        >>> frozen_lowest('mobilenetv2'), frozen_lowest('pvt-v2-b0')
        ({'frozen_stages': 2, 'norm_eval': True}, {})
    """
    return dict(_find(name).lowest)


def published_model(name: str, weights: str | None = None) -> dict[str, Any]:
    """Give a ``PersonSearcher`` a published re-ID network as it is, without a pyramid.

    Args:
        name: In :data:`BACKBONES`, with the embedding in :data:`EMBEDDINGS`.
        weights: File of a tool of ``tools/model_converters/``; None for random
            numbers.

    Returns:
        ``model`` with the branch alone, which takes the place of another.

    Raises:
        ConfigError: If there is no such network.

    Example:
        >>> published_model('bot-r50')['reid']['head']
        {'type': 'GlobalReIDHead', 'in_channels': 2048}
    """
    if name not in EMBEDDINGS:
        raise ConfigError(f'the network must be one of {", ".join(EMBEDDINGS)}, but is {name!r}')
    found, embedding = _find(name), EMBEDDINGS[name]
    backbone = {**found.cfg, 'out_indices': found.stages[-1:]}
    head = dict(type='GlobalReIDHead', in_channels=found.channels[-1], **embedding.head)
    reid = dict(
        _delete_=True,
        type='CropReID',
        crop_size=embedding.crop_size,
        backbone=backbone,
        neck=None,
        head=head,
        init_cfg=None,
        **found.normalize,
    )
    if weights is not None:
        reid['init_cfg'] = dict(type='Pretrained', checkpoint=weights, prefix='reid.')
    return dict(reid=reid)


def _config(
    found: Backbone, indices: tuple[int, ...], weights: str | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the config of a backbone, which takes the place of another."""
    cfg = dict(_delete_=True, **found.cfg, out_indices=indices, init_cfg=None)
    if weights is not None:
        cfg['init_cfg'] = dict(type='Pretrained', checkpoint=weights, **found.init)
    return {**cfg, **options}
