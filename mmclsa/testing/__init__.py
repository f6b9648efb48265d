"""Help for tests: fake data sets and weights in the original layouts."""

from mmclsa.testing.fake_datasets import (
    make_fake_coco,
    make_fake_cuhk_sysu,
    make_fake_mot,
    make_fake_prw,
)
from mmclsa.testing.fake_more import make_fake_movienet, make_fake_posetrack21
from mmclsa.testing.fake_weights import make_resnet50_weights

__all__ = [
    'make_fake_coco',
    'make_fake_cuhk_sysu',
    'make_fake_mot',
    'make_fake_movienet',
    'make_fake_posetrack21',
    'make_fake_prw',
    'make_resnet50_weights',
]
