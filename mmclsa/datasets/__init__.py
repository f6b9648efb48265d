"""Person-search data sets, their transforms and samplers."""

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.mot_challenge import MOTChallengeDataset
from mmclsa.datasets.person_crops import PersonCropDataset
from mmclsa.datasets.synthetic import SyntheticPersonSearch

__all__ = [
    'BasePersonSearchDataset',
    'MOTChallengeDataset',
    'PersonCropDataset',
    'SyntheticPersonSearch',
]
