"""The config and the weights that an inferencer is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner.checkpoint import _load_checkpoint

from mmclsa.engine import load_config
from mmclsa.errors import ConfigError
from mmclsa.utils.checkpoint import is_url, read_checkpoint

__all__ = ['as_config', 'configured_threshold', 'load_weights']


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


def as_config(
    model: str | Path | Config | dict[str, Any] | None, checkpoint: dict[str, Any] | None
) -> Config:
    """Read, copy or find the config.

    Args:
        model: The config, its path, or None for the one in the checkpoint.
        checkpoint: What :func:`load_weights` gave, or None.

    Returns:
        A config of its own, which the caller may change.

    Raises:
        ConfigError: If there is none, or it has no model.

    Example:
        >>> as_config(dict(model=dict(type='PersonSearcher')), None).model.type
        'PersonSearcher'
    """
    if isinstance(model, (str, Path)):
        cfg = load_config(str(model))
    elif model is not None:
        cfg = Config(dict(model)) if not isinstance(model, Config) else model
        cfg = Config(cfg.to_dict())
    else:
        text = ((checkpoint or {}).get('meta') or {}).get('cfg')
        if not text:
            raise ConfigError('model must be a config where the weights do not have one in them')
        cfg = Config.fromstring(text, '.py')
    if 'model' not in cfg:
        raise ConfigError('the config has no field "model"')
    return cfg


def configured_threshold(cfg: Config) -> float:
    """Say from which score on a config's metric counts a detection.

    Args:
        cfg: The config.

    Returns:
        The first ``det_thresh`` of its ``test_evaluator``; 0.5 if there is none.

    Example:
        >>> configured_threshold(Config(dict(test_evaluator=dict(det_thresh=0.3))))
        0.3
    """
    evaluators = cfg.get('test_evaluator') or []
    for evaluator in [evaluators] if isinstance(evaluators, dict) else evaluators:
        if 'det_thresh' in evaluator:
            return float(evaluator['det_thresh'])
    return 0.5
