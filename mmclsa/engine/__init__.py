"""Hooks and start-up, only where MMEngine has none."""

from mmclsa.engine.clip_apart import ClipApartConstructor
from mmclsa.engine.file_backend import AtomicLocalBackend
from mmclsa.engine.launch import (
    check_load_from,
    check_pretrained,
    init_distributed,
    load_config,
    set_amp,
    set_resume,
    set_work_dir,
)

__all__ = [
    'AtomicLocalBackend',
    'ClipApartConstructor',
    'check_load_from',
    'check_pretrained',
    'init_distributed',
    'load_config',
    'set_amp',
    'set_resume',
    'set_work_dir',
]
