"""Hooks and start-up, only where MMEngine has none."""

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
from mmclsa.utils.mmengine_loader import guard_checkpoint_loader

__all__ = [
    'AtomicLocalBackend',
    'check_load_from',
    'check_pretrained',
    'init_distributed',
    'load_config',
    'set_amp',
    'set_resume',
    'set_work_dir',
]

guard_checkpoint_loader()
