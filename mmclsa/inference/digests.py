"""Digests of a model: which embeddings may be compared."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import torch
from torch import nn

from mmclsa.utils.weight_places import machine_settings

__all__ = ['config_digest', 'weights_digest']

# Settings of training; embeddings do not depend on them.
_TRAINING = (
    *('init_cfg', 'train_cfg', 'pretrained'),
    *('train_boxes', 'train_crop_size', 'freeze_detector'),
)


def config_digest(model: Any, pipeline: Any) -> str:
    """Digest what a config says about embedding a picture.

    Args:
        model: Config of the model.
        pipeline: Config of the pipeline that pictures go through.

    Returns:
        SHA-256, 64 hexadecimal digits. Settings of training, places of
        weights and settings of the machine do not enter.

    Example:
        >>> one = config_digest(dict(type='A', init_cfg=dict(checkpoint='/here')), [])
        >>> one == config_digest(dict(type='A'), [])
        True
    """
    text = json.dumps([_plain(model), _plain(pipeline)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def weights_digest(model: nn.Module) -> str:
    """Digest the parameters and buffers of a model, wherever they were loaded from.

    A part whose weights are in no state_dict, such as ``OnnxReID``, gives
    their digest by a method ``file_digest``.

    Args:
        model: The model.

    Returns:
        SHA-256, 64 hexadecimal digits.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> before = weights_digest(layer)
        >>> _ = layer.weight.data.add_(1)
        >>> before == weights_digest(layer)
        False
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f'{name} {values.dtype} {tuple(values.shape)}'.encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    for name, module in model.named_modules():
        if callable(own := getattr(module, 'file_digest', None)):
            digest.update(f'{name} {own()}'.encode())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Reduce a config to what JSON can say."""
    if isinstance(value, dict):
        left_out = (*_TRAINING, *machine_settings(value))
        return {str(k): _plain(v) for k, v in value.items() if k not in left_out}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return getattr(value, '__qualname__', None) or repr(value)
