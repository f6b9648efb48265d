"""Transforms: loading, augmenting and packing person-search scenes."""

from mmclsa.datasets.transforms.augmentation import RandomBoxJitter, RandomDownscale, RandomErasing
from mmclsa.datasets.transforms.background import RandomBackground
from mmclsa.datasets.transforms.formatting import PackPersonSearchInputs
from mmclsa.datasets.transforms.loading import (
    KeepOriginalImage,
    LoadPersonAnnotations,
    LoadSceneImage,
)

__all__ = [
    'KeepOriginalImage',
    'LoadPersonAnnotations',
    'LoadSceneImage',
    'PackPersonSearchInputs',
    'RandomBackground',
    'RandomBoxJitter',
    'RandomDownscale',
    'RandomErasing',
]
