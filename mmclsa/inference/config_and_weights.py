"""The config and the weights that an inferencer is given."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner.checkpoint import _load_checkpoint

from mmclsa.engine import load_config
from mmclsa.engine.launch import check_pretrained
from mmclsa.engine.model_description import config_of_checkpoint
from mmclsa.errors import ConfigError
from mmclsa.inference.model_names import find_config
from mmclsa.utils.checkpoint import is_url, read_checkpoint
from mmclsa.utils.weight_places import is_complete

__all__ = ['as_config', 'check_describes', 'check_device', 'initialise', 'load_weights']


def load_weights(weights: str) -> dict[str, Any]:
    """Read a checkpoint into the CPU's memory.

    Args:
        weights: Its path or URL.

    Returns:
        The checkpoint, with a ``state_dict``.

    Raises:
        UserError: If the file does not exist or is no checkpoint.
    """
    return _load_checkpoint(weights, 'cpu') if is_url(weights) else read_checkpoint(weights)


def check_device(device: str | None) -> None:
    """Refuse a device that this machine, or this PyTorch, does not have.

    Args:
        device: Its name, or None for any.

    Raises:
        ConfigError: If nothing can be computed there.

    Example:
        >>> check_device('cpu')
    """
    if device is None:
        return
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter: not compiled for it
        (reason, *_) = str(error).splitlines() or ['']
        raise ConfigError(
            f'device must be one that PyTorch has here, such as cpu, but is {device!r} ({reason})'
        ) from error


def as_config(
    model: str | Path | Config | dict[str, Any] | None,
    checkpoint: dict[str, Any] | None,
    weights: str = '',
) -> Config:
    """Read, copy or find the config.

    Args:
        model: The config, its path, the name of one that comes with mmclsa, or
            None for the one in the checkpoint.
        checkpoint: What :func:`load_weights` gave, or None.
        weights: Where it is from, for messages.

    Returns:
        A config of its own, which the caller may change.

    Raises:
        ConfigError: If there is none, or it has no model.

    Example:
        >>> as_config(dict(model=dict(type='PersonSearcher')), None).model.type
        'PersonSearcher'
    """
    if isinstance(model, (str, Path)):
        cfg = load_config(find_config(model))
    elif model is not None:
        cfg = Config(dict(model)) if not isinstance(model, Config) else model
        cfg = Config(cfg.to_dict())
    else:
        found = config_of_checkpoint(checkpoint or {}, weights)
        if found is None:
            raise ConfigError('model must be a config where the weights do not have one in them')
        cfg = found
    if 'model' not in cfg:
        raise ConfigError('the config has no field "model"')
    return cfg


def check_describes(model: dict[str, Any]) -> dict[str, Any]:
    """Refuse a model without a re-ID branch.

    Args:
        model: Its config.

    Returns:
        The same.

    Raises:
        ConfigError: If it has none, such as a detector alone.

    Example:
        >>> list(check_describes(dict(type='PersonSearcher', reid=dict(type='CropReID'))))
        ['type', 'reid']
        >>> check_describes(dict(type='FasterRCNN'))
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: the model of the config is a FasterRCNN, ...
    """
    if 'reid' not in model:
        raise ConfigError(
            f'the model of the config is a {model.get("type")}, which describes nobody: a '
            'PersonSearcher is expected (tools/model_converters/join.py makes one of a detector '
            'and a re-ID network)'
        )
    return model


def initialise(model: Any, cfg: Config) -> None:
    """Initialise a model that there is no checkpoint of.

    Args:
        model: The model.
        cfg: Its config.

    Raises:
        ConfigError: If a file that it is to be initialised from is not there.

    Warns:
        UserWarning: If the files that the config names are not all its weights.
    """
    check_pretrained(cfg.model)
    if not is_complete(cfg.model):
        warnings.warn(
            'No checkpoint is loaded: the model is as its config initialises it.', stacklevel=5
        )
    logger = MMLogger.get_current_instance()
    level = logger.level
    # MMEngine tells of each of a thousand tensors how it was initialised.
    logger.setLevel(logging.WARNING)
    try:
        model.init_weights()
    finally:
        logger.setLevel(level)
