"""A runner's model, whether or not it is wrapped for several processes."""

from __future__ import annotations

from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

__all__ = ['bare_model']


def bare_model(runner: Runner) -> Any:
    """Give the model of a runner without the wrapper of distributed training.

    Args:
        runner: The runner.

    Returns:
        The module that the config describes.
    """
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
