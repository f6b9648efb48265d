"""A trained model and the pictures that its cost is measured on."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from torch import nn

from mmclsa.engine.launch import check_load_from
from mmclsa.registry import DATASETS, MODELS

__all__ = ['Pictures', 'Predictor', 'count_parameters', 'load_predictor', 'read_pictures']


@dataclass(frozen=True)
class Pictures:
    """Pictures of a test set, after its pipeline.

    Attributes:
        batches: One picture each, as a data loader gives them, without
            queries: nobody is described but those who are detected.
        size: Mean height and width of what the network sees, pixels.
    """

    batches: tuple[dict[str, Any], ...]
    size: tuple[float, float]


@dataclass(frozen=True)
class Predictor:
    """A model that is ready to predict, and its pictures.

    Attributes:
        model: In evaluation mode; with ``data_preprocessor`` and ``predict``.
        pictures: What it predicts.
    """

    model: Any
    pictures: Pictures

    def batch(self, place: int) -> dict[str, Any]:
        """Give one picture as ``model.predict`` takes it: inputs, and data samples of its own."""
        found = self.pictures.batches[place]
        own = dict(inputs=found['inputs'], data_samples=copy.deepcopy(found['data_samples']))
        prepared: dict[str, Any] = self.model.data_preprocessor(own, False)
        return prepared

    @torch.no_grad()
    def predict(self, place: int) -> Any:
        """Detect and describe everybody in one picture; the people found."""
        return self.model(**self.batch(place), mode='predict')[0].pred_instances

    def predict_all(self) -> list[int]:
        """Predict all pictures, one by one; the number of people in each."""
        return [len(self.predict(place)) for place in range(len(self.pictures.batches))]


def read_pictures(cfg: Config, count: int) -> Pictures:
    """Read pictures of the test set, evenly spread over it.

    Args:
        cfg: Config with a ``test_dataloader``.
        count: Number of pictures; all if there are fewer.

    Returns:
        The pictures.
    """
    init_default_scope(cfg.get('default_scope', 'mmclsa'))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    places = np.unique(np.linspace(0, len(dataset) - 1, count).round().astype(int))
    batches = []
    for place in places.tolist():
        item = dataset[place]
        if 'query_instances' in item['data_samples']:
            del item['data_samples'].query_instances
        batches.append(pseudo_collate([item]))
    sizes = np.array([batch['inputs'][0].shape[-2:] for batch in batches], float)
    height, width = sizes.mean(0).tolist()
    return Pictures(tuple(batches), (height, width))


def load_predictor(
    cfg: Config, weights: str, pictures: Pictures, device: torch.device
) -> Predictor:
    """Build a model, load its weights and warm it up.

    Args:
        cfg: Its config.
        weights: Its checkpoint; empty for what the config initialises.
        pictures: What it is to predict.
        device: Where.

    Returns:
        The model in evaluation mode.

    Raises:
        UserError: If the weights are not those of the model.
    """
    init_default_scope(cfg.get('default_scope', 'mmclsa'))
    model: Any = MODELS.build(copy.deepcopy(cfg.model))
    if weights:
        check_load_from(model, weights, whole=True)
        load_checkpoint(model, weights, map_location='cpu', logger='silent')
    else:
        model.init_weights()
    predictor = Predictor(model.to(device).eval(), pictures)
    predictor.predict(0)
    return predictor


def count_parameters(model: nn.Module, training_only: str = '.id_losses.') -> Mapping[str, int]:
    """Count the parameters of a model; buffers, such as OIM's memory, are none.

    Args:
        model: The model.
        training_only: Parameters with this in their name are not used at test
            time: the classifiers over the training identities.

    Returns:
        ``total``, ``trained`` (not frozen), ``training_only``, and
        ``detector``, those of the part of that name.

    Example:
        >>> parts = nn.ModuleDict({'detector': nn.Linear(2, 1), 'reid': nn.Linear(3, 1)})
        >>> counted = count_parameters(parts)
        >>> counted['total'], counted['detector'], counted['trained']
        (7, 3, 7)
    """
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return dict(
        total=sum(sizes.values()),
        trained=trained,
        training_only=sum(n for name, n in sizes.items() if training_only in name),
        detector=sum(n for name, n in sizes.items() if name.startswith('detector.')),
    )
