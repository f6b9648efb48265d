"""What can be wrong with a grid file."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.text import read_text

__all__ = ['check_folder_name', 'check_no_row_twice', 'check_row', 'check_starts']

_NAME = re.compile(r'[A-Za-z0-9][\w.+-]*')
_MOST = 2**32 - 1  # NumPy takes no more
_LISTS = (list, tuple, range)
#: What a row may say.
KNOWN = ('against', 'config', 'each_seed', 'options', 'seeds', 'start', 'weights_of')


def check_folder_name(name: object, what: str) -> None:
    """Refuse a name that is none for a folder.

    Args:
        name: The name.
        what: Who has it, for the message.

    Raises:
        ConfigError: If it is none.

    Example:
        >>> check_folder_name('clsa-0.1', 'a row')
        >>> check_folder_name('a/b', 'a row')
        Traceback (most recent call last):
        mmclsa.errors.ConfigError: a row is called 'a/b', which is no name for a folder: ...
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f'{what} is called {name!r}, which is no name for a folder: take letters, '
            'digits, "_", ".", "+" and "-"'
        )


def check_no_row_twice(path: str | Path) -> None:
    """Refuse a grid file that gives a row, or an option of one, twice: Python keeps the last.

    Args:
        path: The file, which can be read.

    Raises:
        ConfigError: If it does.
    """
    if Path(path).suffix != '.py':
        return
    for statement in ast.parse(read_text(Path(path))).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if not any(isinstance(target, ast.Name) and target.id == 'rows' for target in targets):
            continue
        for node in ast.walk(statement):
            keys = node.keys if isinstance(node, ast.Dict) else []
            names = [key.value for key in keys if isinstance(key, ast.Constant)]
            twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
            if twice:
                raise ConfigError(f'the rows of the grid {path} have {twice[0]!r} twice')


def check_row(path: str | Path, name: str, row: Any, whole: Mapping[str, Any]) -> None:
    """Refuse a row whose fields are of the wrong kind.

    Args:
        path: File of the grid, for the message.
        name: Of the row.
        row: What the file says of it.
        whole: The same, with what it has of the grid.

    Raises:
        ConfigError: If one is.
    """
    check_folder_name(name, f'a row of {path}')
    if not isinstance(row, dict) or not row.keys() <= set(KNOWN):
        raise ConfigError(
            f'the row {name} of {path} must be a dict with some of {list(KNOWN)}, but is {row}'
        )
    for field in ('options', 'each_seed'):
        for value in (row.get(field, {}), whole.get(field, {})):
            if not isinstance(value, dict):
                raise ConfigError(
                    f'{field} of the row {name} of {path} must be a dict, but is {value!r}'
                )
    for field in ('start', 'weights_of', 'against'):
        if not isinstance(whole.get(field) or '', str):
            raise ConfigError(
                f'{field} of the row {name} of {path} must name a row, but is {whole[field]!r}'
            )
    config = whole.get('config')
    if not config or not isinstance(config, (str, os.PathLike)):
        had = 'no config, and the grid has none for all' if not config else f'config = {config!r}'
        raise ConfigError(f'the row {name} of {path} has {had}; it must name a config file')
    _check_seeds(f'the row {name} of {path}', whole)


def _check_seeds(row: str, whole: Mapping[str, Any]) -> None:
    seeds = whole.get('seeds', (0,))
    if not _are_seeds(seeds):
        raise ConfigError(
            f'seeds of {row} must be a list of different whole numbers from 0 '
            f'to {_MOST}, at least one, but are {seeds!r}'
        )
    for option, values in whole.get('each_seed', {}).items():
        if not isinstance(values, _LISTS) or len(values) < len(seeds):
            given = len(values) if isinstance(values, _LISTS) else repr(values)
            raise ConfigError(
                f'each_seed of {row} must give {option} a value for each of '
                f'{len(seeds)} seeds, but gives {given}'
            )


def check_starts(path: str | Path, starts: Mapping[str, str], untrained: Sequence[str]) -> None:
    """Refuse rows that wait for each other, or for weights that nobody trains.

    Args:
        path: File of the grid, for the message.
        starts: The row that each one starts from; empty for none.
        untrained: Rows that test the models of others.

    Raises:
        ConfigError: If there are any.
    """
    for first, start in starts.items():
        if start in untrained:
            raise ConfigError(
                f'the row {first} of {path} has start = {start!r}, which trains nothing, as it has '
                'weights_of'
            )
        seen = [first]
        while start:
            if start in seen:
                raise ConfigError(
                    f'the rows {", ".join(seen)} of {path} start from each other, so none can begin'
                )
            seen.append(start)
            start = starts[start]


def _are_seeds(seeds: Any) -> bool:
    if not isinstance(seeds, _LISTS) or not seeds:
        return False
    whole = all(isinstance(seed, int) and not isinstance(seed, bool) for seed in seeds)
    return whole and all(0 <= seed <= _MOST for seed in seeds) and len(set(seeds)) == len(seeds)
