"""Clipping the gradients of each part of a model separately."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import torch
from mmengine.logging import MessageHub
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from torch import Tensor, nn

from mmclsa.errors import ConfigError
from mmclsa.registry import OPTIM_WRAPPER_CONSTRUCTORS

__all__ = ['ClipApartConstructor', 'split_parameters']


def split_parameters(model: nn.Module, parts: Iterable[str]) -> dict[str, list[nn.Parameter]]:
    """Sort a model's parameters by the part that they are in.

    Args:
        model: The model.
        parts: Names of its modules, none within another.

    Returns:
        Parameters by part; those of no part are under ``rest``.

    Raises:
        ConfigError: If a part has no parameter.

    Example:
        >>> model = nn.ModuleDict({'a': nn.Linear(2, 3), 'b': nn.Linear(3, 1)})
        >>> {name: len(of) for name, of in split_parameters(model, ['b']).items()}
        {'b': 2, 'rest': 2}
    """
    split: dict[str, list[nn.Parameter]] = {part: [] for part in parts}
    split['rest'] = []
    for name, parameter in model.named_parameters():
        part = next((part for part in split if name.startswith(f'{part}.')), 'rest')
        split[part].append(parameter)
    for part, parameters in split.items():
        if not parameters and part != 'rest':
            raise ConfigError(f'clip_apart names {part!r}, but the model has no parameter there')
    return split


class _ClipEach:
    """Stands in for ``torch.nn.utils.clip_grad_norm_``, on each part by itself."""

    def __init__(
        self, parts: Mapping[str, list[nn.Parameter]], clip: Callable[..., Tensor | None]
    ) -> None:
        self.part_of = {id(p): name for name, of in parts.items() for p in of}
        self.clip = clip

    def __call__(self, parameters: list[nn.Parameter], **kwargs: Any) -> Tensor | None:
        """Clip each part; log its norm, and return that of all of them."""
        sorted_by_part: dict[str, list[nn.Parameter]] = {}
        for parameter in parameters:
            sorted_by_part.setdefault(self.part_of[id(parameter)], []).append(parameter)
        norms = {name: self.clip(of, **kwargs) for name, of in sorted_by_part.items()}
        known = {name: norm for name, norm in norms.items() if norm is not None}
        for name, norm in known.items():
            MessageHub.get_current_instance().update_scalar(f'train/grad_norm_{name}', float(norm))
        return torch.stack(list(known.values())).norm() if known else None


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class ClipApartConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's constructor, and gradients that are clipped by part of the model.

    One norm over all lets the part with the large gradients, early on the
    re-ID branch, shrink those of the others. With ::

        optim_wrapper = dict(
            constructor='ClipApartConstructor',
            paramwise_cfg=dict(clip_apart=['reid']),
            clip_grad=dict(max_norm=10.0),
            ...
        )

    ``reid`` is clipped at 10 and the rest at 10. It works with any wrapper,
    ``AmpOptimWrapper`` too. The norms are logged as ``grad_norm_reid``,
    ``grad_norm_rest`` and, over both, ``grad_norm``.

    Args:
        optim_wrapper_cfg: As for MMEngine's constructor; with ``clip_grad``.
        paramwise_cfg: As for MMEngine's constructor; with ``clip_apart``,
            the names of the modules.

    Raises:
        ConfigError: If there is nothing to clip apart.
    """

    def __init__(
        self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None
    ) -> None:
        options = dict(paramwise_cfg or {})
        self.parts = list(options.pop('clip_apart', ()))
        if not self.parts or not optim_wrapper_cfg.get('clip_grad'):
            raise ConfigError(
                'ClipApartConstructor needs optim_wrapper.clip_grad and '
                'optim_wrapper.paramwise_cfg.clip_apart, the modules to clip on their own'
            )
        super().__init__(optim_wrapper_cfg, options)

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer wrapper of a model."""
        wrapper = super().__call__(model)
        inner = cast(nn.Module, getattr(model, 'module', model))
        wrapper.clip_func = _ClipEach(split_parameters(inner, self.parts), wrapper.clip_func)
        return wrapper
