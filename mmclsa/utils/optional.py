"""Packages that only some parts need, imported when they are first used."""

from __future__ import annotations

import importlib
from typing import Any

from mmclsa.errors import UserError

__all__ = ['import_optional']


def import_optional(module: str, extra: str) -> Any:
    """Import a module of an optional package.

    Raises:
        UserError: If it is not installed.

    Example:
        >>> import_optional('math', 'gallery').floor(1.5)
        1
        >>> import_optional('no_such_package', 'gallery')
        Traceback (most recent call last):
        mmclsa.errors.UserError: no_such_package is needed ...: pip install "mmclsa[gallery]"
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition('.')[0]
        raise UserError(
            f'{package} is needed for this and cannot be imported ({error}): '
            f'pip install "mmclsa[{extra}]"'
        ) from error
