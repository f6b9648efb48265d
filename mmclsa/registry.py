"""Registries of mmclsa, children of MMEngine's root registries.

``locations`` lets every registry import its modules when it is first asked
for one, so a config needs ``default_scope = 'mmclsa'`` and no
``custom_imports``. Those that mmclsa adds nothing to are here because MMEngine
warns at every start of a root registry without a child in the default scope.
"""

from __future__ import annotations

from typing import Any

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import EVALUATOR as MMENGINE_EVALUATOR
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOG_PROCESSORS as MMENGINE_LOG_PROCESSORS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODEL_WRAPPERS as MMENGINE_MODEL_WRAPPERS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import OPTIMIZERS as MMENGINE_OPTIMIZERS
from mmengine.registry import PARAM_SCHEDULERS as MMENGINE_PARAM_SCHEDULERS
from mmengine.registry import RUNNER_CONSTRUCTORS as MMENGINE_RUNNER_CONSTRUCTORS
from mmengine.registry import RUNNERS as MMENGINE_RUNNERS
from mmengine.registry import STRATEGIES as MMENGINE_STRATEGIES
from mmengine.registry import TASK_UTILS as MMENGINE_TASK_UTILS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISBACKENDS as MMENGINE_VISBACKENDS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import WEIGHT_INITIALIZERS as MMENGINE_WEIGHT_INITIALIZERS
from mmengine.registry import Registry, build_model_from_cfg

from mmclsa.utils.config_mistakes import check_arguments

__all__ = [
    'DATASETS',
    'DATA_SAMPLERS',
    'EVALUATOR',
    'HOOKS',
    'INDEXES',
    'LOG_PROCESSORS',
    'LOOPS',
    'METRICS',
    'MODELS',
    'MODEL_WRAPPERS',
    'OPTIMIZERS',
    'OPTIM_WRAPPERS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
    'PARAM_SCHEDULERS',
    'RUNNERS',
    'RUNNER_CONSTRUCTORS',
    'STRATEGIES',
    'TASK_UTILS',
    'TRANSFORMS',
    'VISBACKENDS',
    'VISUALIZERS',
    'WEIGHT_INITIALIZERS',
]

_OWN = 'mmclsa'


def _build_model(cfg: Any, registry: Registry, default_args: Any = None) -> Any:
    """Build a model as MMEngine does, but tell a value of a wrong type before it is used.

    A weight that is a text shows itself in the first step of a training, if at
    all. Other packages' classes are not looked at.
    """
    if isinstance(cfg, dict) and cfg.get('_scope_', _OWN) == _OWN:
        kind = cfg.get('type')
        kind = registry.get(kind) if isinstance(kind, str) else kind
        if isinstance(kind, type) and kind.__module__.partition('.')[0] == _OWN:
            check_arguments(kind, {name: cfg[name] for name in cfg if name != 'type'})
    return build_model_from_cfg(cfg, registry, default_args)


MODELS = Registry(
    'model', build_func=_build_model, parent=MMENGINE_MODELS, locations=['mmclsa.models']
)
TASK_UTILS = Registry('task util', parent=MMENGINE_TASK_UTILS, locations=['mmclsa.models'])
DATASETS = Registry('dataset', parent=MMENGINE_DATASETS, locations=['mmclsa.datasets.registration'])
TRANSFORMS = Registry(
    'transform', parent=MMENGINE_TRANSFORMS, locations=['mmclsa.datasets.transforms']
)
DATA_SAMPLERS = Registry(
    'data sampler', parent=MMENGINE_DATA_SAMPLERS, locations=['mmclsa.datasets.samplers']
)
METRICS = Registry('metric', parent=MMENGINE_METRICS, locations=['mmclsa.evaluation.metrics'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, locations=['mmclsa.engine.hooks'])
LOOPS = Registry('loop', parent=MMENGINE_LOOPS, locations=['mmclsa.engine.loops'])
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    locations=['mmclsa.engine'],
)
VISUALIZERS = Registry(
    'visualizer', parent=MMENGINE_VISUALIZERS, locations=['mmclsa.visualization.visualizer']
)
EVALUATOR = Registry('evaluator', parent=MMENGINE_EVALUATOR)
LOG_PROCESSORS = Registry('log_processor', parent=MMENGINE_LOG_PROCESSORS)
MODEL_WRAPPERS = Registry('model_wrapper', parent=MMENGINE_MODEL_WRAPPERS)
OPTIMIZERS = Registry('optimizer', parent=MMENGINE_OPTIMIZERS)
OPTIM_WRAPPERS = Registry('optim_wrapper', parent=MMENGINE_OPTIM_WRAPPERS)
PARAM_SCHEDULERS = Registry('parameter scheduler', parent=MMENGINE_PARAM_SCHEDULERS)
RUNNERS = Registry('runner', parent=MMENGINE_RUNNERS)
RUNNER_CONSTRUCTORS = Registry('runner constructor', parent=MMENGINE_RUNNER_CONSTRUCTORS)
STRATEGIES = Registry('strategy', parent=MMENGINE_STRATEGIES)
VISBACKENDS = Registry('vis_backend', parent=MMENGINE_VISBACKENDS)
WEIGHT_INITIALIZERS = Registry('weight initializer', parent=MMENGINE_WEIGHT_INITIALIZERS)
# MMEngine has no root for these.
INDEXES = Registry(
    'index backend', scope='mmclsa', locations=['mmclsa.gallery.backends.registration']
)
