"""Telling whether something was made with this config and these weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from mmclsa.engine.ablation.grid import fingerprint
from mmclsa.utils.checkpoint import is_url

__all__ = ['stamp_of']


def stamp_of(
    cfg: Config, weights: str, leave_out: Sequence[str] = ('work_dir', 'load_from')
) -> str:
    """Give a text that changes when the config or the weights do.

    Args:
        cfg: The config.
        weights: Path of the weights, or their address, or nothing.
        leave_out: As for :func:`~mmclsa.engine.ablation.fingerprint`.

    Returns:
        A line. A file counts by its size and the time of its last change.
    """
    made_with = fingerprint(cfg, leave_out)
    if not weights or is_url(weights):
        return f'{made_with} {weights}'.rstrip()
    facts = Path(weights).stat()
    return f'{made_with} {facts.st_size} {facts.st_mtime_ns}'
