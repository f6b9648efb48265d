"""Hooks, a loop and start-up, only where MMEngine has none."""

from mmclsa.engine.clip_apart import ClipApartConstructor
from mmclsa.engine.distributed import init_distributed, local_rank
from mmclsa.engine.failures import explain_failures
from mmclsa.engine.file_backend import AtomicLocalBackend
from mmclsa.engine.hardware import build_runner, set_amp, set_auto_scale_lr
from mmclsa.engine.inference_pipeline import configured_flags, configured_metric
from mmclsa.engine.launch import (
    check_load_from,
    check_pretrained,
    load_config,
    set_resume,
    set_work_dir,
)
from mmclsa.utils.mmengine_loader import guard_checkpoint_loader

__all__ = [
    'AtomicLocalBackend',
    'ClipApartConstructor',
    'build_runner',
    'check_load_from',
    'check_pretrained',
    'configured_flags',
    'configured_metric',
    'explain_failures',
    'init_distributed',
    'load_config',
    'local_rank',
    'set_amp',
    'set_auto_scale_lr',
    'set_resume',
    'set_work_dir',
]

guard_checkpoint_loader()
