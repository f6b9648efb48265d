"""Help for tests: fake data sets and weights in the original layouts, and footage."""

from tests.fakes.datasets import (
    make_fake_coco,
    make_fake_cuhk_sysu,
    make_fake_mot,
    make_fake_prw,
)
from tests.fakes.movienet_posetrack import make_fake_movienet, make_fake_posetrack21
from tests.fakes.weights import make_resnet50_weights

__all__ = [
    'make_fake_coco',
    'make_fake_cuhk_sysu',
    'make_fake_mot',
    'make_fake_movienet',
    'make_fake_posetrack21',
    'make_fake_prw',
    'make_resnet50_weights',
]
