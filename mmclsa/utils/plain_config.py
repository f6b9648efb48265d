"""Configs as data: what JSON can say, and the literals of a config's text."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from mmclsa.errors import ConfigError

__all__ = ['from_json', 'parse_config_text', 'to_json']

_TUPLE = '__tuple__'
_KEY = re.compile(r'\w+')


def to_json(value: Any, where: str = 'config') -> Any:
    """Turn a part of a config into what JSON can say, tuples kept apart from lists.

    Args:
        value: Mappings, lists, tuples, text, numbers, None, in any depth. A
            class stands for its name, which whoever reads it looks up.
        where: Name of the part, for the message.

    Returns:
        Dicts with text as keys, lists, text, numbers, None.

    Raises:
        ConfigError: If there is something else in it.

    Example:
        >>> to_json({'scale': (416, 416)})
        {'scale': {'__tuple__': [416, 416]}}
    """
    if isinstance(value, Mapping):
        for key in value:
            if not (isinstance(key, str) and _KEY.fullmatch(key)):
                raise ConfigError(f'{where} cannot be kept as data: {key!r} is no name')
        return {key: to_json(item, f'{where}.{key}') for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [to_json(item, f'{where}[{number}]') for number, item in enumerate(value)]
        return items if isinstance(value, list) else {_TUPLE: items}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, type):
        return value.__name__
    raise ConfigError(f'{where} cannot be kept as data: it is {value!r}')


def from_json(value: Any) -> Any:
    """Undo :func:`to_json`.

    Example:
        >>> from_json({'scale': {'__tuple__': [416, 416]}})
        {'scale': (416, 416)}
    """
    if isinstance(value, dict):
        if value.keys() == {_TUPLE} and isinstance(value[_TUPLE], list):
            return tuple(from_json(item) for item in value[_TUPLE])
        return {key: from_json(item) for key, item in value.items()}
    return [from_json(item) for item in value] if isinstance(value, list) else value


def parse_config_text(text: str, where: str) -> dict[str, Any]:
    """Read the text of a config without running it.

    MMEngine writes a config as assignments of literals and of ``dict(...)``,
    and nothing else is read here: no import, no call, no expression.

    Raises:
        ConfigError: If there is something else in it.

    Example:
        >>> parse_config_text("model = dict(type='A', scale=(1, -2))", 'a.pth')
        {'model': {'type': 'A', 'scale': (1, -2)}}
        >>> parse_config_text('import os', 'a.pth')
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: a.pth carries its config as Python text ...
    """
    fields: dict[str, Any] = {}
    try:
        for statement in ast.parse(text).body:
            if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1):
                raise ValueError(f'line {statement.lineno} is no assignment')
            (target,) = statement.targets
            if not isinstance(target, ast.Name):
                raise ValueError(f'line {statement.lineno} assigns to no name')
            fields[target.id] = _literal(statement.value)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ConfigError(
            f'{where} carries its config as Python text that is more than data ({error})'
        ) from error
    return fields


def _literal(node: ast.expr) -> Any:
    """The value of a literal, in which ``dict(...)`` may be called."""
    if isinstance(node, ast.Call):
        if not (isinstance(node.func, ast.Name) and node.func.id == 'dict'):
            raise ValueError(f'line {node.lineno} calls something')
        if not all(isinstance(item, ast.Dict) for item in node.args):
            raise ValueError(f'line {node.lineno} makes a dict of something else')
        values: dict[Any, Any] = dict(*map(_literal, node.args))
        for word in node.keywords:
            value = _literal(word.value)
            values.update(value if word.arg is None else {word.arg: value})
        return values
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ValueError(f'line {node.lineno} unpacks something')
        pairs = zip(node.keys, node.values)
        return {_literal(key): _literal(value) for key, value in pairs if key is not None}
    if isinstance(node, ast.List):
        return [_literal(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_literal(item) for item in node.elts)
    return ast.literal_eval(node)
