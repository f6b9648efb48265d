"""Variables that a config file sets in vain.

A config that inherits ``max_epochs = 20`` and the settings made of it does not change
them by ``max_epochs = 5``: its bases were evaluated before. MMEngine says nothing of it.
"""

from __future__ import annotations

import ast
import logging
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from mmclsa.engine.config_variables import SETTINGS, read_config
from mmclsa.errors import UserError
from mmclsa.utils.text import read_text

__all__ = ['idle_variables', 'warn_of_idle_variables']


def idle_variables(source: str) -> list[str]:
    r"""List what a config file assigns and neither uses nor MMEngine reads.

    Args:
        source: Text of the file.

    Returns:
        Names, in their order; also such as no base has.

    Example:
        >>> idle_variables('size = 3\nepochs = 2\ntrain_cfg = dict(max_epochs=epochs)')
        ['size']
    """
    return _idle(ast.parse(source).body)


def _idle(body: list[ast.stmt]) -> list[str]:
    assigned = [
        target.id
        for statement in body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    ]
    used = {
        node.id
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    idle = [name for name in dict.fromkeys(assigned) if name not in used | SETTINGS]
    return [name for name in idle if not name.startswith('_')]


def warn_of_idle_variables(path: str, cfg: Config) -> None:
    """Warn of variables of the bases that a config file sets anew without an effect.

    Args:
        path: Config file, which can be read.
        cfg: What was read of it.
    """
    # A base may set for others what it does not use itself.
    if Path(path).suffix != '.py' or '_base_' in Path(path).parts:
        return
    source = read_text(Path(path))
    try:
        body = ast.parse(source).body
        idle = _idle(body)
        files = _bases(body, Path(path).parent) if idle else []
        bases = [read_config(str(file), {}) for file in files]
    except (SyntaxError, ValueError, OSError, UserError):
        return  # names that MMEngine puts in, or a _base_ that is computed
    for name in idle:
        if any(name in base and base[name] != cfg.get(name) for base in bases):
            print_log(
                f'{path} sets {name}, which changes nothing: its _base_ has used the value before. '
                f'Set what uses it, or give --cfg-options {name}=...',
                'current',
                logging.WARNING,
            )


def _bases(body: list[ast.stmt], folder: Path) -> list[Path]:
    for statement in body:
        if isinstance(statement, ast.Assign) and '_base_' in map(_name, statement.targets):
            value = ast.literal_eval(statement.value)
            files = [value] if isinstance(value, str) else list(value)
            return [folder / file for file in files if '::' not in file]
    return []


def _name(target: ast.expr) -> str | None:
    return target.id if isinstance(target, ast.Name) else None
