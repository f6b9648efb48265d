"""Registries of mmclsa, children of MMEngine's root registries.

``locations`` lets every registry import its modules when it is first asked
for one, so a config needs ``default_scope = 'mmclsa'`` and no
``custom_imports``.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import TASK_UTILS as MMENGINE_TASK_UTILS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import WEIGHT_INITIALIZERS as MMENGINE_WEIGHT_INITIALIZERS
from mmengine.registry import Registry

__all__ = [
    'DATASETS',
    'DATA_SAMPLERS',
    'HOOKS',
    'INDEXES',
    'LOOPS',
    'METRICS',
    'MODELS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
    'TASK_UTILS',
    'TRANSFORMS',
    'VISUALIZERS',
    'WEIGHT_INITIALIZERS',
]

MODELS = Registry('model', parent=MMENGINE_MODELS, locations=['mmclsa.models'])
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
# There are none of our own, but MMEngine warns of each init_cfg where the registry is missing.
WEIGHT_INITIALIZERS = Registry('weight initializer', parent=MMENGINE_WEIGHT_INITIALIZERS)
# MMEngine has no root for these.
INDEXES = Registry(
    'index backend', scope='mmclsa', locations=['mmclsa.gallery.backends.registration']
)
