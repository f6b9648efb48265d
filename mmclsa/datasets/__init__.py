"""Person-search data sets, their transforms and samplers.

The classes are imported when the first is asked for, so that the readers in
:mod:`mmclsa.datasets.readers` need neither PyTorch nor MMDetection.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmclsa.datasets.registration import (
        BasePersonSearchDataset,
        CocoPersonSearchDataset,
        ConcatPersonSearchDataset,
        CrossScaleDataset,
        CUHKSYSUDataset,
        MOTChallengeDataset,
        MovieNetPSDataset,
        PersonCropDataset,
        PoseTrack21Dataset,
        PRWDataset,
        SyntheticPersonSearch,
    )

__all__ = [
    'BasePersonSearchDataset',
    'CUHKSYSUDataset',
    'CocoPersonSearchDataset',
    'ConcatPersonSearchDataset',
    'CrossScaleDataset',
    'MOTChallengeDataset',
    'MovieNetPSDataset',
    'PRWDataset',
    'PersonCropDataset',
    'PoseTrack21Dataset',
    'SyntheticPersonSearch',
]


if not TYPE_CHECKING:  # type checkers know the names from above, and no others

    def __getattr__(name: str) -> Any:
        if name in __all__:
            return getattr(import_module('mmclsa.datasets.registration'), name)
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
