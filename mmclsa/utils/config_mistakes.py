"""Mistakes in a config that show only when MMEngine builds what it names.

MMEngine and PyTorch tell of them by whatever exception comes first. Where the
traceback ends tells whose fault it is: the user's where a library refuses what
the config gives it, or where a class was given a value of another type than it
declares; anything else is a fault of the program.
"""

from __future__ import annotations

import difflib
import inspect
import re
import sys
import traceback
from collections.abc import Mapping
from types import FrameType
from typing import Any

from mmclsa.errors import ConfigError, UserError

__all__ = ['check_arguments', 'mistake_in_config', 'wrong_argument']

_UNKNOWN_TYPE = re.compile(r'([\w.]+) is not in the (\S.*?) registry')
_STRANGE_ARGUMENT = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")
_MISSING_ARGUMENT = re.compile(r"(\w+)\.__init__\(\) missing .* arguments?: '(\w+)'")
# Who may refuse what a config gives; the classes of a user's own package keep their tracebacks.
_LIBRARIES = {
    'mmengine', 'mmdet', 'mmcv', 'torch', 'numpy', *getattr(sys, 'stdlib_module_names', ())
}  # fmt: skip
# In our own classes only what the config gives them is looked at.
_KNOWN = {'mmclsa', *_LIBRARIES}
_REFUSALS = (
    AssertionError, AttributeError, FileNotFoundError, ImportError, LookupError, TypeError,
    ValueError,
)  # fmt: skip
# More of them, and what calls a function with them; others that build pass on to build_from_cfg.
_NAMES = 'build_from_cfg$|_?build_(?!.*_from_)|from_cfg$|_clip_grad$'
_LONGEST = 200
# The types that a declaration may name for a value to be judged by it, and what each takes.
_NUMBER: tuple[type, ...] = (int, float)
_SHOWN = (*_NUMBER, str, list, tuple, type(None))
_JUDGED = (*_SHOWN, dict)
_DECLARED: dict[str, tuple[type, ...]] = {
    'int': (int,), 'float': _NUMBER, 'bool': (bool, int), 'str': (str,), 'None': (type(None),),
    'NoneType': (type(None),), 'Optional': (type(None),), 'Union': (), 'typing': (),
    **dict.fromkeys(('tuple', 'Tuple', 'list', 'List', 'Sequence'), (tuple, list)),
    **dict.fromkeys(('dict', 'Dict', 'Mapping'), (dict,)),
}  # fmt: skip
_INNER = re.compile(r'\b(tuple|list|sequence|dict|mapping)\[[^][]*\]', re.IGNORECASE)


def mistake_in_config(error: BaseException) -> str | None:
    """Tell a mistake that MMEngine finds when it builds what a config names.

    Args:
        error: What was raised, with its traceback.

    Returns:
        A sentence, or None if the error is not known to be the user's.

    Example:
        >>> mistake_in_config(KeyError('Adamm is not in the mmengine::optimizer registry.'))
        'the config asks for Adamm, which the registry mmengine::optimizer lacks'
        >>> mistake_in_config(KeyError('Adamm'))
    """
    unknown = _UNKNOWN_TYPE.search(str(error))
    if unknown and isinstance(error, (KeyError, UserError)):
        return f'the config asks for {unknown[1]}, which the registry {unknown[2]} lacks'
    if isinstance(error, UserError):
        return None
    if isinstance(error, TypeError):
        strange = _STRANGE_ARGUMENT.search(str(error))
        builder = _handed_over_by(error, strange[1]) if strange else None
        if strange and builder and strange[2] in _what_is_built(builder)[1]:
            return _strange(strange, builder)
        missing = _MISSING_ARGUMENT.search(str(error))
        builder = _handed_over_by(error, missing[1]) if missing else None
        if missing and builder and _packages_below(error, builder) <= _KNOWN:
            return f'the config does not give {missing[1]} its argument {missing[2]}'
    return _refusal(error)


def wrong_argument(kind: Any, arguments: Mapping[str, Any]) -> str | None:
    """Find an argument whose type is not the one that a class declares.

    Only plain declarations (numbers, texts, lists of anything) are looked at.

    Args:
        kind: The class, or a function.
        arguments: Its keyword arguments.

    Returns:
        A sentence, or None if all fit, as far as can be seen.

    Example:
        >>> def crop(size: int, fill: float | None = None, **kwargs): ...
        >>> wrong_argument(crop, dict(size='big', fill=1))
        "the config gives crop size='big', which must be int"
        >>> wrong_argument(crop, dict(size=3, fill=None, other='x'))
    """
    declared = _declared(kind)
    for name, value in arguments.items():
        # A list of them will do everywhere, whatever is declared.
        if name in declared and name != 'init_cfg' and not _fits(value, declared[name]):
            annotation = _words(declared[name].annotation)
            return f'the config gives {kind.__name__} {name}={value!r}, which must be {annotation}'
    return None


def check_arguments(kind: Any, arguments: Mapping[str, Any]) -> None:
    """Raise an error at once where a class would tell only when it uses an argument.

    Args:
        kind: The class.
        arguments: Its keyword arguments.

    Raises:
        ConfigError: If one has another type than the class declares.
    """
    wrong = wrong_argument(kind, arguments)
    if wrong:
        raise ConfigError(wrong)


def _declared(kind: Any) -> dict[str, inspect.Parameter]:
    """List what a class, with those that it comes from, or a function can be called with."""
    declared: dict[str, inspect.Parameter] = {}
    for one in inspect.getmro(kind) if inspect.isclass(kind) else (kind,):
        try:
            parameters = inspect.signature(one).parameters
        except (TypeError, ValueError):  # of C
            continue
        declared = {**parameters, **declared}
    return declared


def _strange(found: re.Match[str], builder: FrameType) -> str:
    """Say which argument nobody takes, and which was meant."""
    kind, name = found.groups()
    built, given = _what_is_built(builder)
    # A misspelt name further in is of a class that is not seen here.
    others = [one for one in _declared(built) if one != name] if name in given else []
    near = difflib.get_close_matches(name, others, n=1)
    hint = f'; did you mean {near[0]}?' if near else ''
    return f'the config gives {kind} the argument {name}, which it does not have{hint}'


def _words(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _fits(value: Any, parameter: inspect.Parameter) -> bool:
    # False switches off what None does, where a class asks for no more than that.
    if (value is None or value is False) and parameter.default is None:
        return True
    annotation, before = _words(parameter.annotation), ''
    while annotation != before:
        before, annotation = annotation, _INNER.sub(r'\1', annotation)
    names = set(re.findall(r'\w+', annotation))
    if not names or not names <= set(_DECLARED) or not isinstance(value, _JUDGED):
        return True
    taken = tuple(kind for name in names for kind in _DECLARED[name])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return isinstance(value, taken)


def _refusal(error: BaseException) -> str | None:
    """Tell what a library says of a part of the config, or which value has a wrong type."""
    frames = _frames(error)
    for local in (frame.f_locals for frame in frames if _package(frame) == 'mmengine'):
        if local.get('optimizer_cls', error) is None:  # MMEngine looks at it before it builds
            asked = local['optimizer_cfg']['type']
            return f'the config asks for the optimizer {asked}, which is not known'
    at = max((i for i, frame in enumerate(frames) if _builds_config(frame)), default=None)
    if at is None:
        return None
    packages = _packages_below(error, frames[at])
    if not packages <= _KNOWN:
        return None
    kind, arguments = _what_is_built(frames[at])
    strange = _STRANGE_ARGUMENT.search(str(error))
    parts = [arguments, *(part for part in arguments.values() if isinstance(part, dict))]
    if strange and any(strange[2] in part for part in parts):
        return _strange(strange, frames[at])
    wrong = wrong_argument(kind, arguments) if callable(kind) else None
    if wrong and isinstance(error, _REFUSALS):
        return wrong
    return None if 'mmclsa' in packages else _what_a_library_says(error, frames, at)


def _what_a_library_says(error: BaseException, frames: list[FrameType], at: int) -> str | None:
    kind, arguments = _what_is_built(frames[at])
    name = frames[at].f_code.co_name
    built = name == 'build_from_cfg'
    if built and kind is None:
        return _typeless(frames[:at], arguments)
    if not isinstance(error, (*_REFUSALS, RuntimeError) if built else _REFUSALS):
        return None
    part = '' if name == 'from_cfg' else f"'s {re.sub('_?build_|^_', '', name, count=1)}"
    if built:
        shown = {k: v for k, v in arguments.items() if isinstance(v, _SHOWN)}
        given = ', '.join(f'{key}={value!r}' for key, value in shown.items())
        part = f"'s {getattr(kind, '__name__', kind)}({given[:_LONGEST]})"
    reason = ' '.join(str(error).split())[:_LONGEST]
    return f'the config{part} cannot be built: {type(error).__name__}: {reason}'


def _typeless(outside: list[FrameType], given: Mapping[str, Any]) -> str:
    """Say that a part has no type, and which it is."""
    for frame in filter(_builds_config, reversed(outside)):
        whole, parts = _what_is_built(frame)
        names = [name for name, part in parts.items() if part == given]
        if names:
            return f'the config of {getattr(whole, "__name__", whole)}.{names[0]} has no type'
    return f'a part of the config has no type: {dict(given)}'[:_LONGEST]


def _frames(error: BaseException) -> list[FrameType]:
    """List where an error came through, from the outside in."""
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def _packages_below(error: BaseException, builder: FrameType) -> set[str]:
    frames = _frames(error)
    return {_package(frame) for frame in frames[frames.index(builder) + 1 :]}


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get('__name__')).partition('.')[0]


def _builds_config(frame: FrameType) -> bool:
    """Whether a frame is MMEngine's that builds a part of a config, not what a program made up."""
    name = frame.f_code.co_name
    if _package(frame) != 'mmengine' or not re.match(_NAMES, name):
        return False
    return name != 'build_from_cfg' or type(frame.f_locals.get('cfg')).__name__ == 'ConfigDict'


def _what_is_built(frame: FrameType) -> tuple[Any, Mapping[str, Any]]:
    """Give the class that a frame of MMEngine calls, and what the config gives it."""
    given = frame.f_locals.get('dataloader_cfg')
    if given is not None:
        return frame.f_globals['DataLoader'], given
    given = frame.f_locals.get('cfg')
    if frame.f_code.co_name != 'build_from_cfg' or given is None:
        return None, {}
    kind = frame.f_locals.get('obj_cls') or given.get('type')
    return kind, {key: v for key, v in given.items() if key not in ('type', '_scope_')}


def _handed_over_by(error: BaseException, kind: str) -> FrameType | None:
    """Find who called a class with a config's arguments, if an error comes of that alone."""
    frames = _frames(error)
    # A class may hand its keyword arguments on to one that it is derived from.
    while frames and frames[-1].f_code.co_name == '__init__':
        bases = type(frames.pop().f_locals.get('self')).__mro__
        if kind not in [base.__name__ for base in bases]:
            return None
    return frames[-1] if frames and _builds_config(frames[-1]) else None
