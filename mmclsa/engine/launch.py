"""What ``tools/train.py`` and ``tools/test.py`` do before they build a Runner."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mmengine
from mmengine.config import Config
from torch import nn

from mmclsa.engine.config_variables import read_config
from mmclsa.engine.idle_variables import warn_of_idle_variables
from mmclsa.errors import ConfigError, UserError
from mmclsa.utils.checkpoint import (
    check_fits,
    check_whole,
    is_url,
    latest_checkpoint,
    read_checkpoint,
)
from mmclsa.utils.io import check_writable
from mmclsa.utils.weights import download, find_weights, is_published

__all__ = [
    'check_load_from',
    'check_pretrained',
    'load_config',
    'set_resume',
    'set_work_dir',
]

_MMENGINE = Path(mmengine.__file__).parent

# What MMEngine reads of a checkpoint beside the weights, to go on where it was saved.
_RESUMED = ('optimizer', 'meta', 'message_hub')


def load_config(path: str, options: dict[str, Any] | None = None) -> Config:
    """Read a config file with the overrides of the command line.

    All tools and classes read configs here.

    Args:
        path: Config file.
        options: Dotted key to value, as ``--cfg-options`` gives them: settings,
            and variables of the files, which take effect everywhere they are used.

    Returns:
        The merged config. A variable of its bases that the file sets in vain
        gets a warning.

    Raises:
        ConfigError: If the file or one of its bases is absent or cannot be
            read, or an override does not fit or has no effect.
    """
    if not Path(path).is_file():
        raise ConfigError(f'the config {path} does not exist')
    try:
        cfg = read_config(path, options or {})
    except UserError:
        raise
    except FileNotFoundError as error:
        raise ConfigError(f'the config {path} has a _base_ that does not exist: {error}') from error
    except ImportError as error:
        first: BaseException = error
        while str(first).startswith('Failed to import') and first.__context__ is not None:
            first = first.__context__  # MMEngine's own errors list sys.path
        raise ConfigError(
            f'the config {path} cannot be read, as it imports what cannot be imported: '
            f'{first} (PYTHONPATH must name the folders of custom_imports)'
        ) from error
    except Exception as error:  # a config is a program, which may fail in any way
        raise ConfigError(
            f'the config {path} cannot be read: {type(error).__name__}: {error}{_place_of(error)}'
        ) from error
    warn_of_idle_variables(path, cfg)
    return cfg


def _place_of(error: Exception) -> str:
    """Say in which module that a config imports an error was raised; empty for the config."""
    if isinstance(error, SyntaxError):
        return ''  # which says it itself
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if frame.filename.startswith('<') or Path(frame.filename).is_relative_to(_MMENGINE):
        return ''
    return f' ({frame.filename}, line {frame.lineno})'


def set_work_dir(cfg: Config, work_dir: str | None, config_path: str) -> None:
    """Choose the work dir and check that it is writable.

    Args:
        cfg: Config to set ``work_dir`` in.
        work_dir: Folder from the command line; None for the config's own,
            else ``work_dirs/<name of the config>``.
        config_path: File that the config came from.

    Raises:
        UserError: If the folder cannot be written to.
    """
    default = cfg.get('work_dir') or os.path.join('work_dirs', Path(config_path).stem)
    cfg.work_dir = str(work_dir or default)
    check_writable(cfg.work_dir)


def set_resume(cfg: Config, resume: str) -> None:
    """Set the config to resume from a checkpoint.

    Args:
        cfg: Config with its ``work_dir``.
        resume: Path of a checkpoint; 'last' for the last one in the
            ``work_dir``; 'auto' for the same, or to start from scratch if
            the ``work_dir`` has none.

    Raises:
        ConfigError: If there is no such checkpoint, or it has weights alone; one
            without optimizer will do where no step is left to do.
    """
    if resume == 'auto' and not (Path(cfg.work_dir) / 'last_checkpoint').is_file():
        return
    path = latest_checkpoint(cfg.work_dir) if resume in ('auto', 'last') else resume
    checkpoint = dict.fromkeys(_RESUMED) if is_url(path) else read_checkpoint(path)
    missing = [field for field in _RESUMED if field not in checkpoint]
    if missing == ['optimizer'] and _is_at_its_end(cfg, checkpoint['meta'] or {}):
        missing = []  # what is left is a validation or a test
    if missing:
        raise ConfigError(
            f'{path} cannot be resumed from, as it has no field "{missing[0]}": '
            'give it as load_from to start from its weights'
        )
    cfg.resume = True
    cfg.load_from = path


def _is_at_its_end(cfg: Config, meta: Mapping[str, Any]) -> bool:
    """Tell whether no step of a training is left to do."""
    plan = cfg.get('train_cfg') or {}
    return any(
        plan.get(f'max_{unit}s') is not None and meta.get(unit, 0) >= plan[f'max_{unit}s']
        for unit in ('epoch', 'iter')
    )


def check_load_from(model: nn.Module, path: str | None, whole: bool = False) -> None:
    """Raise an error if a file is no checkpoint, or is one of another model.

    Args:
        model: The model that is about to load it.
        path: The checkpoint, if there is one.
        whole: Whether it must have all that testing needs, not just a part.

    Raises:
        ConfigError: If the checkpoint does not fit.
    """
    if path and not is_url(path):
        # Wrapped by several processes' model, by test-time augmentation, or by both.
        state = {re.sub(r'^(module\.)+', '', name): v for name, v in model.state_dict().items()}
        checkpoint = read_checkpoint(path)
        check_fits(state, checkpoint, path)
        if whole:
            check_whole(state, checkpoint, path)


def check_pretrained(cfg: Any, where: str = 'model') -> None:
    """Look for the files that a model is to be initialised from, and download those that are not.

    Here, and not only when MMEngine initialises the model, so that what cannot
    be had is said before anything is built. On each machine one process looks.

    Args:
        cfg: Config of the model, or a part of it.
        where: Name of the part.

    Raises:
        ConfigError: If an ``init_cfg`` of type Pretrained names a local file
            that is not there, or an address that cannot be reached.
    """
    if isinstance(cfg, (list, tuple)):
        for place, value in enumerate(cfg):
            check_pretrained(value, f'{where}[{place}]')
    if not isinstance(cfg, dict) or os.environ.get('LOCAL_RANK', '0') != '0':
        return
    if cfg.get('type') == 'Pretrained':
        _check_weights(str(cfg.get('checkpoint') or ''), where)
    for name, value in cfg.items():
        check_pretrained(value, f'{where}.{name}')


def _check_weights(path: str, where: str) -> None:
    if is_published(path):
        find_weights(path)
    elif path.startswith(('http://', 'https://')):
        download(path)
    elif path.startswith('torchvision://') and find_spec('torchvision') is None:
        raise ConfigError(
            f'{path} that {where} names needs the package torchvision, which is not installed; '
            'docs/clsa.md lists weights that do not'
        )
    elif not is_url(path) and not Path(path).expanduser().is_file():
        raise ConfigError(
            f'the weights {path} that {where} names do not exist; '
            'docs/clsa.md tells how to get them'
        )
