"""Finding the weights in what somebody saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.logging import print_log

__all__ = ['find_state_dict', 'is_state_dict', 'with_state_dict']

#: Where weights are kept beside other things, the first that is there counts.
_FIELDS = (
    *('state_dict', 'model', 'model_state_dict', 'model_state', 'net', 'network'),
    *('weights', 'params', 'module', 'ema', 'model_ema', 'ema_state_dict', 'params_ema'),
    'teacher',  # of two networks, in self-supervised training
)
# What wrappers of models put before all names.
_WRAPPERS = ('module.', '_orig_mod.')
_DEPTH = 2  # such as {'ema': {'module': ...}}


def is_state_dict(value: Any) -> bool:
    """Say whether something is a mapping of names to tensors, and nothing else.

    Example:
        >>> is_state_dict({'fc.weight': torch.ones(2)}), is_state_dict({'epoch': 3})
        (True, False)
    """
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(name, str) for name in value)
        and all(isinstance(tensor, torch.Tensor) for tensor in value.values())
    )


def find_state_dict(content: Any, depth: int = _DEPTH) -> tuple[str, Mapping[str, Any]] | None:
    """Find the weights in what a checkpoint holds.

    Args:
        content: Of the checkpoint.
        depth: How many mappings are looked into, one within the other.

    Returns:
        The name of the field, empty for all of the content, and its tensors by
        name; None if there are none.

    Example:
        >>> field, weights = find_state_dict({'epoch': 3, 'model': {'fc.weight': torch.ones(2)}})
        >>> field, list(weights)
        ('model', ['fc.weight'])
    """
    if not isinstance(content, Mapping):
        return None
    if isinstance(content.get('state_dict'), Mapping):
        inner = find_state_dict(content['state_dict'], 0)
        return 'state_dict', inner[1] if inner else content['state_dict']
    if is_state_dict(content):
        return '', content
    for field in _FIELDS if depth else ():
        found = find_state_dict(content.get(field), depth - 1)
        if found is not None:
            return f'{field}.{found[0]}' if found[0] else field, found[1]
    return None


def with_state_dict(content: Any) -> Any:
    """Put the weights where MMEngine looks for them, under their own names.

    Args:
        content: Of a checkpoint of any author.

    Returns:
        The same with ``state_dict``, whose names are without the prefixes of
        wrappers (``module.``, ``_orig_mod.``); what has no weights is returned
        as it is.

    Example:
        >>> with_state_dict({'module.fc.weight': 1}), list(
        ...     with_state_dict({'module.fc.weight': torch.ones(2)})['state_dict']
        ... )
        ({'module.fc.weight': 1}, ['fc.weight'])
    """
    found = find_state_dict(content)
    if found is None:
        return content
    field, weights = found
    plain = _unwrapped(weights)
    if field == 'state_dict' and plain is weights:
        return content
    if field not in ('', 'state_dict'):
        print_log(f'The weights are those in the field "{field}" of the checkpoint.', 'current')
    return {**(content if field else {}), 'state_dict': plain}


def _unwrapped(weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take off the prefixes that all names have."""
    for prefix in _WRAPPERS:
        if weights and all(str(name).startswith(prefix) for name in weights):
            return _unwrapped({name[len(prefix) :]: value for name, value in weights.items()})
    return weights
