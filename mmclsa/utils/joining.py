"""One checkpoint of a two-step searcher, from those of its detector and its re-ID network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmclsa.errors import ConfigError
from mmclsa.utils.checkpoint import read_checkpoint

__all__ = ['detector_weights', 'join_checkpoints', 'reid_weights']

DETECTOR = 'detector.'
REID = 'reid.'
_ORDER = 'the detector comes first, the re-ID network second'
# What a CropReID is made of; a SceneReID has no backbone of its own.
_REID_PARTS = ('backbone', 'neck', 'head')


def _parts(weights: Mapping[str, Any]) -> set[str]:
    return {name.partition('.')[0] for name in weights}


def _below(weights: Mapping[str, Any], prefix: str) -> dict[str, Tensor]:
    return {
        name[len(prefix) :]: tensor for name, tensor in weights.items() if name.startswith(prefix)
    }


def _is_bare_reid(parts: set[str]) -> bool:
    return parts.issuperset(_REID_PARTS) and not any(part.endswith('_head') for part in parts)


def detector_weights(weights: Mapping[str, Any], path: str | Path) -> dict[str, Tensor]:
    """Take a detector out of a checkpoint.

    Args:
        weights: Tensors by name: of a detector of MMDetection, whoever trained
            it, or of a ``PersonSearcher`` (below ``detector.``).
        path: Where they came from, for messages.

    Returns:
        The detector's tensors under its own names.

    Raises:
        ConfigError: If there is no detector.

    Example:
        >>> theirs = {'backbone.w': torch.ones(1), 'bbox_head.w': torch.ones(1)}
        >>> list(detector_weights(theirs, 'a.pth'))
        ['backbone.w', 'bbox_head.w']
        >>> ours = {f'detector.{name}': tensor for name, tensor in theirs.items()}
        >>> list(detector_weights({**ours, 'reid.head.w': torch.ones(1)}, 'b.pth'))
        ['backbone.w', 'bbox_head.w']
    """
    found = _below(weights, DETECTOR)
    if not found:
        parts = _parts(weights)
        if 'reid' in parts or _is_bare_reid(parts):
            raise ConfigError(f'{path} has a re-ID network and no detector: {_ORDER}')
        # Of MMDetection's preprocessor; a searcher has its own.
        found = {n: t for n, t in weights.items() if not n.startswith('data_preprocessor.')}
    parts = _parts(found)
    if 'backbone' not in parts or not any(part.endswith('head') for part in parts):
        raise ConfigError(
            f'{path} is no detector of MMDetection: a backbone and a head are expected, but there '
            f'is {", ".join(sorted(parts)[:8])}'
        )
    return found


def reid_weights(weights: Mapping[str, Any], path: str | Path) -> dict[str, Tensor]:
    """Take a re-ID network of its own out of a checkpoint.

    Args:
        weights: Tensors by name: of a ``CropReID``, or of a ``PersonSearcher``
            that has one (below ``reid.``).
        path: Where they came from, for messages.

    Returns:
        The network's tensors under its own names.

    Raises:
        ConfigError: If there is no re-ID network, or one without a backbone.

    Example:
        >>> names = ['backbone.w', 'neck.w', 'head.w']
        >>> list(reid_weights({f'reid.{name}': torch.ones(1) for name in names}, 'a.pth')) == names
        True
    """
    found = _below(weights, REID)
    if found and 'backbone' not in _parts(found):
        raise ConfigError(
            f'the re-ID branch in {path} has no backbone of its own (SceneReID shares that of its '
            'detector): a CropReID is expected'
        )
    if found:
        return found
    if not _is_bare_reid(_parts(weights)):
        found_parts = ', '.join(sorted(_parts(weights))[:8])
        raise ConfigError(
            f'{path} has no re-ID network (a CropReID, or a PersonSearcher with one), but '
            f'{found_parts}: {_ORDER}'
        )
    return dict(weights)


def join_checkpoints(detector: str | Path, reid: str | Path) -> dict[str, Any]:
    """Make the checkpoint of a two-step ``PersonSearcher``.

    Weights alone are taken: of a run with averaged weights (EMA) those that
    MMEngine saves as its ``state_dict``, the averaged ones. Optimizers, logs
    and the other part of each file are left out.

    Args:
        detector: Checkpoint that has the detector.
        reid: Checkpoint that has the re-ID network.

    Returns:
        ``state_dict`` and ``meta``: ``dataset_meta`` of the re-ID network's
        training, and ``joined``, the names of the files.

    Raises:
        ConfigError: If a file cannot be read, lacks its part, or has weights
            that are not finite.
    """
    contents = {DETECTOR: read_checkpoint(detector), REID: read_checkpoint(reid)}
    parts = {
        DETECTOR: detector_weights(contents[DETECTOR]['state_dict'], detector),
        REID: reid_weights(contents[REID]['state_dict'], reid),
    }
    state: dict[str, Tensor] = {}
    for (prefix, part), path in zip(parts.items(), (detector, reid)):
        _check_finite(part, path)
        # Cloned: a view would drag all of its storage into the file.
        state.update({prefix + name: tensor.detach().clone() for name, tensor in part.items()})
    meta: dict[str, Any] = {'joined': {'detector': Path(detector).name, 'reid': Path(reid).name}}
    for content in (contents[REID], contents[DETECTOR]):
        dataset_meta = (content.get('meta') or {}).get('dataset_meta')
        if dataset_meta:
            meta['dataset_meta'] = dataset_meta
            break
    return {'meta': meta, 'state_dict': state}


def _check_finite(weights: Mapping[str, Tensor], path: str | Path) -> None:
    for name, tensor in weights.items():
        if not torch.is_tensor(tensor):
            raise ConfigError(f'{name} in {path} is a {type(tensor).__name__}, not a tensor')
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ConfigError(f'{name} in {path} is not finite')
