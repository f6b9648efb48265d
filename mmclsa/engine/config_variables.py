"""Overrides of a config's own variables, which take effect everywhere they are used.

A config file is Python: ``image_scale = (1500, 900)`` at its top is used by the
pipelines below it, and ``{{_base_.num_identities}}`` by the leaf. MMEngine merges
``--cfg-options`` after all that, so that an override of such a name alone changes
nothing. Here the files are evaluated again with the new value in its place.
"""

from __future__ import annotations

import ast
import copy
import difflib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import mmengine.config.config as mmengine_config
from mmengine.config import Config

from mmclsa.errors import ConfigError

__all__ = ['SETTINGS', 'files_read_once', 'override_variable', 'read_config']

#: Top-level names that MMEngine's runners read; every other name is a variable of the files.
SETTINGS = frozenset([
    'activation_checkpointing', 'auto_scale_lr', 'compile', 'custom_hooks', 'custom_imports',
    'data_preprocessor', 'default_hooks', 'default_scope', 'efficient_conv_bn_eval', 'env_cfg',
    'experiment_name', 'find_unused_parameters', 'launcher', 'load_from', 'log_level',
    'log_processor', 'model', 'model_wrapper_cfg', 'optim_wrapper', 'param_scheduler',
    'randomness', 'resume', 'runner_type', 'strategy', 'sync_bn', 'test_cfg', 'test_dataloader',
    'test_evaluator', 'train_cfg', 'train_dataloader', 'tta_model', 'tta_pipeline',
    'val_cfg', 'val_dataloader', 'val_evaluator', 'visualizer', 'work_dir',
])  # fmt: skip
_LOCK = threading.RLock()
# What the files that are evaluated at the moment are to override, and what was.
_VARIABLES: dict[str, Any] = {}
_APPLIED: set[str] = set()
# What was read since files_read_once was entered; None outside of it.
_READ: dict[tuple[str, str], Config] | None = None


def read_config(path: str, options: Mapping[str, Any]) -> Config:
    """Read a config file with overrides.

    An override of a setting, such as ``train_dataloader.batch_size``, is
    merged into the config as MMEngine does it. An override of a variable, such
    as ``image_scale`` or ``train_pipeline.2.scale``, takes the variable's
    place in whichever file sets it, before anything uses it. A list that
    takes the place of a tuple becomes one.

    Args:
        path: Config file.
        options: Dotted key to value.

    Returns:
        The config; it holds the new values.

    Raises:
        ConfigError: If a key is neither a setting nor a variable of the
            files, is a variable that nothing uses, or goes on below a value
            that has nothing below it.
    """
    plain = _once(path, '', lambda: Config.fromfile(path))
    options = {key: _as_tuple(plain, key, value) for key, value in options.items()}
    variables = {key: v for key, v in options.items() if _root(key) not in SETTINGS}
    _check_known(path, plain, variables)
    cfg = _once(path, repr(variables), lambda: _with_variables(path, plain, variables))
    try:
        cfg.merge_from_dict(options)
    except (KeyError, TypeError) as error:
        raise ConfigError(f'--cfg-options do not fit {path}: {error.args[0]}') from error
    return cfg


@contextmanager
def files_read_once() -> Iterator[None]:
    """Read each file, with each set of its variables, once: for many configs of few files.

    Changes of the files are not seen before the end.

    Example:
        >>> with files_read_once():
        ...     pass
    """
    global _READ
    before = _READ
    _READ = {} if before is None else before
    try:
        yield
    finally:
        _READ = before


def _once(path: str, which: str, read: Callable[[], Config]) -> Config:
    """Read a config, unless it was within :func:`files_read_once`."""
    with _LOCK, _without_marks():
        if _READ is None:
            return read()
        if (path, which) not in _READ:
            _READ[path, which] = read()
    return copy.deepcopy(_READ[path, which])


@contextmanager
def _without_marks() -> Iterator[None]:
    """Let MMEngine read configs that begin with a byte-order mark, as editors on Windows write."""

    def open_text(file: Any, mode: str = 'r', encoding: str | None = None) -> Any:
        return open(file, mode, encoding='utf-8-sig' if mode == 'r' else encoding)

    within = 'open' in vars(mmengine_config)
    mmengine_config.open = open_text
    try:
        yield
    finally:
        if not within:
            del mmengine_config.open


def _with_variables(path: str, plain: Config, variables: Mapping[str, Any]) -> Config:
    """Read a config with other values of its variables, each of which must have an effect."""
    cfg = _evaluate(path, variables) if variables else plain
    for name in sorted({_root(key) for key in variables}):
        others = {key: v for key, v in variables.items() if _root(key) != name}
        _check_used(path, name, cfg, _evaluate(path, others) if others else plain)
    return cfg


def _root(key: str) -> str:
    return key.partition('.')[0]


def _as_tuple(cfg: Config, key: str, value: Any) -> Any:
    """Give a list the type of the tuple that it replaces: ``scale=300,180`` is a list."""
    if not isinstance(value, list):
        return value
    before: Any = cfg
    try:
        for part in key.split('.'):
            before = before[int(part) if isinstance(before, (list, tuple)) else part]
    except (LookupError, TypeError, ValueError):
        return value
    return tuple(value) if isinstance(before, tuple) else value


def _check_known(path: str, plain: Config, variables: Mapping[str, Any]) -> None:
    for key in variables:
        if _root(key) not in plain:
            near = difflib.get_close_matches(_root(key), [*plain, *SETTINGS], n=1)
            hint = f'; did you mean {near[0]}?' if near else '.'
            raise ConfigError(
                f'--cfg-options: {key} is neither a setting of MMEngine nor a variable of '
                f'{path}{hint}'
            )


def _check_used(path: str, name: str, cfg: Config, without: Config) -> None:
    """Refuse an override of a variable that changes nothing but the variable."""
    after, before = cfg.to_dict(), without.to_dict()
    if after.pop(name) != before.pop(name) and after == before:
        raise ConfigError(
            f'--cfg-options: {name} has no effect, as nothing in {path} uses it; name the '
            'settings themselves (a config that was dumped has no variables any more)'
        )


def _evaluate(path: str, variables: Mapping[str, Any]) -> Config:
    """Read a config file whose variables take other values where they are set."""
    with _LOCK, _overriding(variables):
        try:
            cfg = Config.fromfile(path)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ConfigError(f'--cfg-options do not fit {path}: {error}') from error
        lost = [key for key in variables if _root(key) not in _APPLIED]
    if lost:
        raise ConfigError(
            f'--cfg-options: {lost[0]} has no effect, as {path} does not set it by an assignment; '
            'name the settings themselves'
        )
    return cfg


def override_variable(name: str, value: Any) -> Any:
    """Give a variable the value of its override; config files call it while they are read.

    Args:
        name: Of the variable.
        value: Which the file gave it.

    Returns:
        The value of the override, or what the override makes of ``value``
        where it changes a part of it.
    """
    _APPLIED.add(name)
    cfg = Config({name: value})
    cfg.merge_from_dict({key: v for key, v in _VARIABLES.items() if _root(key) == name})
    return cfg.to_dict()[name]


@contextmanager
def _overriding(variables: Mapping[str, Any]) -> Iterator[None]:
    """Let MMEngine read files through :class:`_Overriding`.

    It walks each file's syntax tree, bases first, with a visitor that drops
    ``_base_``, and evaluates what the visitor leaves.
    """
    plain = mmengine_config.RemoveAssignFromAST
    mmengine_config.RemoveAssignFromAST = _Overriding
    _VARIABLES.update(variables)
    try:
        yield
    finally:
        mmengine_config.RemoveAssignFromAST = plain
        _VARIABLES.clear()
        _APPLIED.clear()


class _Overriding(mmengine_config.RemoveAssignFromAST):
    """Put an override after each assignment to an overridden variable, outside of functions."""

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.FunctionDef):
            return node
        kept = super().visit(node)
        if kept is node and isinstance(node, ast.Assign):
            return [node, *_overrides(node.targets)]
        if isinstance(node, (ast.AnnAssign, ast.AugAssign)):
            return [node, *_overrides([node.target])]
        return kept


def _overrides(targets: list[ast.expr]) -> list[ast.stmt]:
    """Write the statements that override what was just assigned to."""
    named = {node.id for one in targets for node in ast.walk(one) if isinstance(node, ast.Name)}
    statements = []
    for name in sorted(named & {_root(key) for key in _VARIABLES}):
        # A function is no part of a config, so MMEngine drops it again.
        call = f'{name} = override_variable({name!r}, {name})'
        statements.extend(ast.parse(f'from {__name__} import override_variable\n{call}').body)
    return statements
