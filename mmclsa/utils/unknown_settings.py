"""Settings in a config that what is built of it does not have: mistyped ones, mostly."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Mapping
from types import FrameType
from typing import Any

__all__ = ['unknown_setting']

_UNEXPECTED = re.compile(r"(?:(\w+)\.)?__init__\(\) got an unexpected keyword argument '(\w+)'")
# Where MMEngine builds by a config, and what it calls the settings there.
_BUILDERS = {'build_from_cfg': 'args', 'build_dataloader': 'dataloader_cfg'}


def unknown_setting(error: BaseException) -> str | None:
    """Say which setting of a config nobody knows, if that is what an error is about.

    A class that gets a keyword too many is a fault of the program, unless the
    keyword is in the config that MMEngine was building by.

    Args:
        error: What was raised while something was built.

    Returns:
        A sentence; None where it is another error.

    Example:
        >>> unknown_setting(TypeError("A.__init__() got an unexpected keyword argument 'b'"))
    """
    found = _UNEXPECTED.search(str(error))
    frame = _builder(error) if isinstance(error, TypeError) and found else None
    if not found or frame is None:
        return None
    owner, name = found.groups()
    settings = frame.f_locals.get(_BUILDERS[frame.f_code.co_name]) or {}
    built = frame.f_locals.get('obj_cls')
    if name in settings:
        what = getattr(built, '__name__', 'DataLoader')
    elif any(name in part for part in settings.values() if isinstance(part, Mapping)):
        what = owner or getattr(built, '__name__', 'DataLoader')
    else:
        return None
    near = difflib.get_close_matches(name, _settings_of(built), n=1)
    hint = f'; did you mean {near[0]}?' if near else ''
    return f'the config gives {what} a setting {name}, which it does not have{hint}'


def _builder(error: BaseException) -> FrameType | None:
    """Find the innermost place where MMEngine was building."""
    frame, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name in _BUILDERS:
            frame = trace.tb_frame
        trace = trace.tb_next
    return frame


def _settings_of(built: Any) -> list[str]:
    """List what a class and those that it comes from can be built with."""
    if not inspect.isclass(built):
        return []
    makers = [vars(one)['__init__'] for one in built.__mro__ if '__init__' in vars(one)]
    return [name for one in makers if inspect.isfunction(one) for name in _names(one)]


def _names(function: Any) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != 'self']
