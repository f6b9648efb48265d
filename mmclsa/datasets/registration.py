"""Imports every data set of mmclsa, and so registers it in ``DATASETS``."""

from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.coco_person_search import CocoPersonSearchDataset
from mmclsa.datasets.concat import ConcatPersonSearchDataset
from mmclsa.datasets.cross_scale import CrossScaleDataset
from mmclsa.datasets.cuhk_sysu import CUHKSYSUDataset
from mmclsa.datasets.mot_challenge import MOTChallengeDataset
from mmclsa.datasets.movienet import MovieNetPSDataset
from mmclsa.datasets.person_crops import PersonCropDataset
from mmclsa.datasets.posetrack21 import PoseTrack21Dataset
from mmclsa.datasets.prw import PRWDataset
from mmclsa.datasets.synthetic import SyntheticPersonSearch

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
