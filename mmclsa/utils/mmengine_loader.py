"""MMEngine's loader of checkpoints, kept from running what is pickled in them.

Training, testing, resuming and every ``init_cfg`` load through MMEngine's
``CheckpointLoader``, from files and from ``https://``, ``torchvision://``,
``open-mmlab://`` and other addresses. It falls back to a load that runs code
where a safe one fails, and loads addresses so in the first place.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader

import mmclsa.utils.weights  # noqa: F401  registers mmclsa://
from mmclsa.utils.state_dicts import with_state_dict
from mmclsa.utils.torch_files import read_torch_file
from mmclsa.utils.trust import checkpoints_are_trusted

__all__ = ['guard_checkpoint_loader']

_LOCK = threading.RLock()


def guard_checkpoint_loader() -> None:
    """Let every scheme of MMEngine's ``CheckpointLoader`` load plain values alone.

    What it gives has its weights in ``state_dict``, whatever they were called.

    Called when ``mmclsa.models`` or ``mmclsa.engine`` is imported, so that it
    holds for every process and every program that builds a model of mmclsa.
    """
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if not getattr(loader, 'guarded', False):
            CheckpointLoader.register_scheme(prefix, _guarded(loader), force=True)


def _guarded(loader: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(loader)
    def load(*args: Any, **kwargs: Any) -> Any:
        with _reading_plainly():
            return with_state_dict(_without_python(loader(*args, **kwargs)))

    load.guarded = True  # type: ignore[attr-defined]
    return load


@contextmanager
def _reading_plainly() -> Iterator[None]:
    """Put our reader in the place of ``torch.load``, which the loaders call by name."""
    with _LOCK:
        whole = torch.load

        @functools.wraps(whole)
        def load(file: Any, map_location: Any = None, *_: Any, **__: Any) -> Any:
            return read_torch_file(file, map_location)

        torch.load = load  # type: ignore[assignment]
        try:
            yield
        finally:
            torch.load = whole


def _without_python(checkpoint: Any) -> Any:
    """Take out the config of MMCV's checkpoints, whose text MMEngine runs on resuming."""
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict) and 'config' in meta and not checkpoints_are_trusted():
        del meta['config']
        print_log(
            'The config that the checkpoint carries as Python text in meta["config"] is not read.',
            logger='current',
        )
    return checkpoint
