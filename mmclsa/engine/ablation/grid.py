"""Grids of runs and their files."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmclsa.engine.ablation.grid_checks import (
    check_folder_name,
    check_no_row_twice,
    check_row,
    check_starts,
)
from mmclsa.engine.launch import load_config
from mmclsa.errors import ConfigError

__all__ = [
    'Grid',
    'Row',
    'at_default_places',
    'check_folder_name',
    'fingerprint',
    'read_grid',
    'row_config',
]

_PLACES = {'MMCLSA_DATA': 'data', 'MMCLSA_WEIGHTS': 'weights'}
# What names a file of weights in a config.
_HAS_WEIGHTS = re.compile(r'.*(weights|checkpoint|pretrained|load_from)|file')


@dataclass(frozen=True)
class Row:
    """A row of the table: one setting, trained once for each seed.

    Attributes:
        name: Of the row and its folder.
        config: Config file.
        options: Overrides of it: dotted key to value, as ``--cfg-options``.
        seeds: Of the runs.
        start: Row whose first run gives the weights to start from; empty for
            none.
        each_seed: Overrides that differ from seed to seed, such as the fold:
            dotted key to one value a seed, in their order. A row that tests the
            models of another has those of its model.
        weights_of: Row whose model of the same seed is tested with these
            overrides, without training; empty to train.
        against: Row that it is compared with; empty for the grid's baseline.
    """

    name: str
    config: str
    options: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    start: str = ''
    each_seed: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    weights_of: str = ''
    against: str = ''

    def options_of(self, seed: int) -> dict[str, Any]:
        """Give the overrides of the run of a seed."""
        if not self.each_seed:
            return dict(self.options)
        place = self.seeds.index(seed)
        return {**self.options, **{name: v[place] for name, v in self.each_seed.items()}}


@dataclass(frozen=True)
class Grid:
    """Rows of a table.

    Attributes:
        rows: The most wanted first.
        baseline: Name of the row that others are compared with.
        task: Name of the protocol that the table is about; empty for the only
            one.
        pictured: Names of the rows to draw over heights and ratios; none for
            the baseline and the first four others.
    """

    rows: tuple[Row, ...]
    baseline: str
    task: str = ''
    pictured: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Row:
        """Return the row of a name; a ``ConfigError`` names those that there are."""
        for row in self.rows:
            if row.name == name:
                return row
        names = ', '.join(row.name for row in self.rows)
        raise ConfigError(f'there is no row {name!r}; the grid has {names}')

    @property
    def compared(self) -> tuple[Row, ...]:
        """The rows of the tables: all but those that others start from, and no more."""
        starts = {row.start for row in self.rows} - {self.baseline}
        starts -= {row.against for row in self.rows}
        return tuple(row for row in self.rows if row.name not in starts)

    @property
    def drawn(self) -> tuple[str, ...]:
        """Names of the rows that are drawn over heights and ratios."""
        others = [row.name for row in self.compared if row.name != self.baseline]
        return self.pictured or (self.baseline, *others[:4])

    @property
    def against(self) -> dict[str, str]:
        """What each row of the tables is compared with; the baseline is with nothing."""
        found = {row.name: row.against or self.baseline for row in self.compared}
        return {name: other for name, other in found.items() if other not in ('', name)}


def read_grid(path: str | Path) -> Grid:
    """Read a grid file.

    It is a Python file as MMEngine's configs are, with ``config``, ``seeds``,
    ``baseline``, ``rows`` (name to a dict with ``options``, and, where they
    differ from the file's, ``config``, ``seeds``, ``start`` and ``each_seed``),
    and maybe ``options`` of all rows, their ``start``, ``each_seed`` (override
    to one value a seed), ``task`` (a protocol's name) and ``pictured`` (names
    of rows for the picture over heights; the baseline and the first four others
    if it is absent). A row with ``weights_of``, another row's name, has that
    row's options under its own and is tested with that row's models. A row
    with ``against``, another row's name, is compared with that row in place of
    the baseline.

    Args:
        path: The file. Configs in it are relative to the current folder.

    Returns:
        The grid.

    Raises:
        ConfigError: If it cannot be read or a row is not right.
    """
    content = load_config(str(path)).to_dict()
    rows = content.get('rows')
    if not isinstance(rows, dict) or not rows:
        raise ConfigError(f'the grid {path} needs rows: a dict of name to a dict with options')
    check_no_row_twice(path)
    if not isinstance(content.get('options', {}), dict):
        raise ConfigError(f'options of the grid {path} must be a dict, but is {content["options"]}')
    pictured = content.get('pictured', ())
    if not isinstance(pictured, (list, tuple)):
        raise ConfigError(f'pictured of the grid {path} must list rows, but is {pictured!r}')
    grid = Grid(
        rows=tuple(_row(path, name, row, content) for name, row in rows.items()),
        baseline=str(content.get('baseline') or ''),
        task=str(content.get('task') or ''),
        pictured=tuple(pictured),
    )
    _check_names(path, grid)
    untrained = [row.name for row in grid.rows if row.weights_of]
    check_starts(path, {row.name: row.start for row in grid.rows}, untrained)
    return grid


def _check_names(path: str | Path, grid: Grid) -> None:
    """Refuse names of rows that the grid does not have, and rows that wait for themselves."""
    named_by = ('start', 'weights_of', 'against')
    named = [(what, getattr(row, what)) for row in grid.rows for what in named_by]
    named += [('baseline', grid.baseline), *(('pictured', name) for name in grid.pictured)]
    rows = {row.name: row for row in grid.rows}
    for what, name in named:
        if name and name not in rows:
            raise ConfigError(f'the grid {path} has no row {name!r}, which its {what} names')
    for row in grid.rows:
        if row.name == row.against:
            raise ConfigError(f'the row {row.name} of {path} is compared with itself')
        if row.against and row.name == grid.baseline:
            raise ConfigError(
                f'the row {row.name} of {path} is the baseline, which is compared with no other, '
                f'but has against = {row.against!r}'
            )
        if row.weights_of and rows[row.weights_of].weights_of:
            raise ConfigError(
                f'the row {row.name} of {path} has weights_of = {row.weights_of!r}, which must be '
                'a row that is trained, but is one with weights_of itself'
            )
        if row.weights_of and not set(row.seeds) <= set(rows[row.weights_of].seeds):
            raise ConfigError(
                f'the row {row.name} of {path} must have seeds of {row.weights_of}, which are '
                f'{rows[row.weights_of].seeds}, but has {row.seeds}'
            )


def _row(path: str | Path, name: str, row: Any, common: Mapping[str, Any]) -> Row:
    rows = common['rows']
    own = row if isinstance(row, dict) else {}
    weights_of = own.get('weights_of') or ''
    trained = rows.get(weights_of) if isinstance(weights_of, str) else None
    trained = trained if isinstance(trained, dict) else {}
    inherited = {**common, **trained, **own}
    check_row(path, name, row, inherited)
    start = inherited.get('start') or ''
    seeds = tuple(inherited.get('seeds', (0,)))
    each_seed = inherited.get('each_seed', {})
    if weights_of and 'each_seed' not in own:
        of_models = [*{**common, **trained}.get('seeds', (0,))]
        places = [of_models.index(seed) for seed in seeds if seed in of_models]
        each_seed = {key: [values[place] for place in places] for key, values in each_seed.items()}
    return Row(
        name=name,
        config=os.fspath(inherited['config']),
        options={
            **common.get('options', {}),
            **trained.get('options', {}),
            **row.get('options', {}),
        },
        seeds=seeds,
        start='' if weights_of or start == name else start,
        each_seed=each_seed,
        weights_of=weights_of,
        against=row.get('against') or '',
    )


def row_config(row: Row, seed: int, start: str | None = None) -> Config:
    """Make the config of a run.

    Args:
        row: The row.
        seed: Of the run.
        start: Checkpoint to start from; None for none.

    Returns:
        The row's config with its options, ``randomness.seed`` and, with a
        start, ``load_from``.

    Raises:
        ConfigError: If the config cannot be read or an option does not fit.
    """
    cfg = load_config(row.config, row.options_of(seed))
    cfg.merge_from_dict({'randomness.seed': seed})
    if start:
        cfg.load_from = start
    return cfg


def fingerprint(cfg: Config, leave_out: Sequence[str] = ('work_dir', 'load_from')) -> str:
    """Give a short text that two configs share just if they are the same.

    Args:
        cfg: The config.
        leave_out: Top-level names that do not count: where things lie.

    Returns:
        16 hexadecimal digits.

    Example:
        >>> one, two = Config(dict(a=1, work_dir='x')), Config(dict(a=1, work_dir='y'))
        >>> fingerprint(one) == fingerprint(two), fingerprint(one) == fingerprint(Config(dict(a=2)))
        (True, False)
    """
    content = {name: value for name, value in cfg.to_dict().items() if name not in leave_out}
    text = json.dumps(content, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def at_default_places(cfg: Config) -> Config:
    """Give a config as it is where neither MMCLSA_DATA nor MMCLSA_WEIGHTS is set.

    Args:
        cfg: The config.

    Returns:
        A copy whose data and weights lie in ``data`` and ``weights``.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, MMCLSA_DATA='/mnt/ssd'):
        ...     at_default_places(Config(dict(roots=['/mnt/ssd/prw', '/mnt/ssd2']))).roots
        ['data/prw', '/mnt/ssd2']
    """
    named = [(os.environ.get(name, '').rstrip('/'), where) for name, where in _PLACES.items()]

    def move(value: Any, name: str = '') -> Any:
        if isinstance(value, dict):
            return {key: move(part, str(key)) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(move(part, name) for part in value)
        if not isinstance(value, str):
            return value
        # Both may be one folder: then what has the path tells of which kind it is.
        places = named[::-1] if _HAS_WEIGHTS.fullmatch(name) else named
        # One may lie in the other; sorting keeps the order of equals.
        for place, where in sorted(places, key=lambda item: -len(item[0])):
            if place and f'{value}/'.startswith(f'{place}/'):
                rest = value[len(place) :].lstrip('/')
                return f'{where}/{rest}' if rest else where
        return value

    return Config(move(cfg.to_dict()))
