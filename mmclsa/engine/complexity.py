"""Parameters and operations of a model on a made-up picture, by MMEngine's analysis."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.analysis import get_model_complexity_info
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmclsa.engine.inference_pipeline import bare_type, inference_pipeline
from mmclsa.errors import ConfigError
from mmclsa.registry import MODELS

__all__ = ['configured_shape', 'measure_complexity']

_NOBODY = -1  # no detector's label


def configured_shape(cfg: Mapping[str, Any]) -> tuple[int, int]:
    """Read the size that a config's test pipeline resizes pictures to.

    Args:
        cfg: A config with a ``test_dataloader``.

    Returns:
        Height and width.

    Raises:
        ConfigError: If there is no such step.

    Example:
        >>> steps = [dict(type='LoadSceneImage'), dict(type='mmdet.Resize', scale=(1500, 900))]
        >>> configured_shape(dict(test_dataloader=dict(dataset=dict(pipeline=steps))))
        (900, 1500)
    """
    for step in inference_pipeline(cfg):
        scale = step.get('scale')
        if bare_type(step) == 'Resize' and isinstance(scale, (list, tuple)) and len(scale) == 2:
            return int(scale[1]), int(scale[0])
    raise ConfigError(
        'the test pipeline of the config has no Resize with a scale of two numbers: give --shape'
    )


def measure_complexity(cfg: Config, shape: tuple[int, int], people: int) -> dict[str, Any]:
    """Count the operations of a prediction, from random weights and a random picture.

    Exactly so many people are described, by boxes that are given as queries'
    are; what the detector happens to find is dropped. Where the detector's own
    head describes people it does so for each of its proposals besides.

    Args:
        cfg: Config with a ``model``.
        shape: Height and width of the picture that the network sees.
        people: How many are described, at least 0.

    Returns:
        What ``mmengine.analysis.get_model_complexity_info`` gives: ``flops``
        (a multiply-add is one), ``params``, ``activations``, each with a
        ``_str``, ``out_table`` and ``out_arch``; ``shape``, the height and
        width after padding; and ``people``, 0 for a detector alone.

    Raises:
        ConfigError: If the config has no model.
    """
    if not cfg.get('model'):
        raise ConfigError('the config has no field "model"')
    init_default_scope(cfg.get('default_scope', 'mmclsa'))
    model: Any = MODELS.build(_without_weights(cfg.model))
    model = revert_sync_batchnorm(model).eval()
    if hasattr(model, 'person_label'):
        model.person_label = _NOBODY
    picture = torch.randint(0, 256, (3, *shape), dtype=torch.uint8)
    sample = _sample(picture, people)
    data = model.data_preprocessor(dict(inputs=[picture], data_samples=[sample]), False)
    traced = _Prediction(model, data['data_samples']).eval()
    with torch.no_grad(), _without_warnings():
        found: dict[str, Any] = get_model_complexity_info(traced, inputs=(data['inputs'],))
    described = people if hasattr(model, 'reid') else 0
    return {**found, 'shape': tuple(data['inputs'].shape[-2:]), 'people': described}


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Let MMEngine not list each kind of element-wise operation."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Prediction(nn.Module):
    """A prediction as a function of the picture alone, which can be traced."""

    def __init__(self, model: Any, data_samples: Sequence[DetDataSample]) -> None:
        super().__init__()
        self.model = model
        self.data_samples = data_samples

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        samples = [copy.copy(sample) for sample in self.data_samples]
        found = self.model.predict(inputs, samples)[0]
        described = found.get('query_instances', {}).get('embeddings')
        boxes: Tensor = found.pred_instances.bboxes
        return (boxes,) if described is None else (boxes, described)


def _sample(picture: Tensor, people: int) -> DetDataSample:
    """Make the sample of a picture in which people stand side by side."""
    height, width = picture.shape[1:]
    left = torch.linspace(0, width * 0.9, people)
    top = torch.full_like(left, height * 0.25)
    boxes = torch.stack([left, top, left + width * 0.1, top + height * 0.5], dim=1)
    sizes = dict.fromkeys(('img_shape', 'ori_shape', 'pad_shape'), (height, width))
    sample = DetDataSample(metainfo=dict(**sizes, scale_factor=(1.0, 1.0), img_id='random'))
    sample.query_instances = InstanceData(bboxes=boxes, query_ids=torch.arange(people))
    sample.set_field(picture, 'original_image', dtype=Tensor)
    return sample


def _without_weights(cfg: Any) -> Any:
    """Copy a model's config without pretrained weights, which change no count."""
    if isinstance(cfg, dict):
        kept = {key: _without_weights(value) for key, value in cfg.items()}
        pretrained = isinstance(kept.get('init_cfg'), dict) and 'checkpoint' in kept['init_cfg']
        return type(cfg)({**kept, 'init_cfg': None} if pretrained else kept)
    if isinstance(cfg, (list, tuple)):  # some classes take no list for a tuple
        return type(cfg)(_without_weights(part) for part in cfg)
    return cfg
