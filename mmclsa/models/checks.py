"""Refusing numbers that no module can be built with, before PyTorch or MMCV stumble over them."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

from mmclsa.errors import ConfigError

__all__ = ['check_number', 'check_size', 'check_sizes', 'with_defaults', 'with_values']


def with_defaults(cfg: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    """Complete the config of a part.

    Args:
        cfg: The config.
        defaults: What it has where it says nothing.

    Returns:
        A copy of the config's own type, by which a mistake in it is known as
        the user's (:mod:`mmclsa.utils.config_mistakes`).

    Example:
        >>> with_defaults(dict(type='FPN', num_outs=3), num_outs=5, out_channels=8)
        {'type': 'FPN', 'num_outs': 3, 'out_channels': 8}
    """
    complete = copy.copy(cfg)
    for name, value in defaults.items():
        complete.setdefault(name, value)
    return complete


def with_values(cfg: dict[str, Any], **values: Any) -> dict[str, Any]:
    """Set values in a copy of the config of a part; see :func:`with_defaults`.

    Example:
        >>> with_values(dict(type='FPN', num_outs=3), num_outs=5)
        {'type': 'FPN', 'num_outs': 5}
    """
    changed = copy.copy(cfg)
    changed.update(values)
    return changed


def check_sizes(owner: str, least: int = 1, **sizes: Any) -> None:
    """Refuse sizes and counts that are no whole numbers, or too small.

    Args:
        owner: Class that takes them, for the message.
        least: Smallest that will do.
        sizes: A number, or a list of numbers, by the name of its argument.

    Raises:
        ConfigError: If one is not.

    Example:
        >>> check_sizes('CLSANeck', in_channels=[8, 16], out_channels=4)
        >>> check_sizes('CLSANeck', out_channels=0)
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: CLSANeck.out_channels must be a whole number from 1 up, but is 0
    """
    for name, given in sizes.items():
        value = _plain(given)
        several = isinstance(value, (list, tuple)) and len(value) > 0
        if not all(_is_whole(one) and one >= least for one in (value if several else [value])):
            what = 'whole numbers' if several else 'a whole number'
            raise ConfigError(f'{owner}.{name} must be {what} from {least} up, but is {value!r}')


def check_size(owner: str, **sizes: Any) -> None:
    """Refuse what is no height and width in pixels or cells.

    Args:
        owner: Class that takes them, for the message.
        sizes: A pair, by the name of its argument; None where it was not given.

    Raises:
        ConfigError: If one is no pair of whole numbers from 1 up.

    Example:
        >>> check_size('CropReID', crop_size=(256, 128), train_crop_size=None)
        >>> check_size('CropReID', crop_size=(256, 0))
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: CropReID.crop_size must be a height and a width, ... (256, 0)
    """
    for name, given in sizes.items():
        value = _plain(given)
        pair = isinstance(value, (list, tuple)) and len(value) == 2
        if value is not None and not (pair and all(_is_whole(v) and v >= 1 for v in value)):
            raise ConfigError(
                f'{owner}.{name} must be a height and a width, whole numbers from 1 up, but is '
                f'{value!r}'
            )


def check_number(
    owner: str, low: float, high: float = math.inf, above: bool = False, **numbers: Any
) -> None:
    """Refuse numbers outside of a range.

    Args:
        owner: Class that takes them, for the message.
        low: Smallest that will do.
        high: Largest that will do.
        above: Whether ``low`` itself will not do.
        numbers: A number, or a list of numbers, by the name of its argument;
            None where it was not given.

    Raises:
        ConfigError: If one is outside, or no number.

    Example:
        >>> check_number('OIMLoss', 0, above=True, scale=30.0)
        >>> check_number('LevelEmbedding', 0, 1, dropout=1.5)
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: LevelEmbedding.dropout must lie in [0, 1], but is 1.5
    """
    wanted = f'be {"above" if above else "at least"} {low}'
    if high < math.inf:
        wanted = f'lie in {"(" if above else "["}{low}, {high}]'
    for name, given in numbers.items():
        value = _plain(given)
        for one in _numbers(value):
            size = _as_float(one)
            if not low <= size <= high or size == math.inf or (above and size == low):
                raise ConfigError(f'{owner}.{name} must {wanted}, but is {value!r}')


def _plain(value: Any) -> Any:
    """Take arrays and tensors for the numbers or lists that they are."""
    return value.tolist() if hasattr(value, 'tolist') else value


def _numbers(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        yield from value
    elif value is not None:
        yield value


def _as_float(value: Any) -> float:
    """Give a number's size; NaN, which lies in no range, for what is none."""
    try:
        return float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        return math.inf


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
