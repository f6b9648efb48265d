"""Sizes, numbers and parts of a model's config that cannot be: a sentence each.

All of them were a traceback, or a model that failed in its first step, or later.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModule
from mmengine.registry import init_default_scope

from mmclsa.errors import UserError
from mmclsa.registry import MODELS
from mmclsa.utils.cli import user_message
from mmclsa.utils.config_mistakes import mistake_in_config
from tests.test_models.builders import crop_reid_cfg, scene_reid_cfg, yolox

OIM = dict(type='OIMLoss', queue_size=4)


@MODELS.register_module(force=True)
class FaultyBranch(BaseModule):
    """A branch that is the fault of who wrote it."""

    def __init__(self, width: int = 1) -> None:
        super().__init__()
        self.width = [*width]


def message_of(cfg, changes):
    """Build a config that must be refused."""
    cfg = ConfigDict(cfg)
    for key, value in changes.items():
        *path, last = key.split('.')
        part = cfg
        for name in path:
            part = part[name]
        part[last] = value
    init_default_scope('mmclsa')
    with pytest.raises(Exception) as raised:  # noqa: PT011  whatever comes of it
        MODELS.build(cfg)
    error = raised.value
    return mistake_in_config(error) or (isinstance(error, UserError) and user_message(error))


@pytest.mark.parametrize(
    ('key', 'value', 'told'),
    [
        ('neck.out_channels', -1, 'CLSANeck.out_channels must be a whole number from 1 up'),
        ('neck.out_channels', 0, 'but is 0'),
        ('neck.in_channels', [8, 0, 8], r'whole numbers from 1 up, but is \[8, 0, 8\]'),
        ('head.in_channels', 0, 'MultiScaleReIDHead.in_channels must be'),
        ('head.num_levels', -1, 'MultiScaleReIDHead.num_levels must be'),
        ('head.embed_dims', 0, 'MultiScaleReIDHead.embed_dims must be'),
        ('head.dropout', 1.5, r'dropout must lie in \[0, 1\], but is 1.5'),
        ('head.bn_min_people', -1, 'bn_min_people must be a whole number from 0 up'),
        ('head.loss_id', 5, r'loss_id=5, which must be dict\[str, Any\]'),
        ('head.loss_align', 0.5, r'loss_align=0.5, which must be dict\[str, Any\]'),
        ('head.loss_align', dict(type='SemanticAlignmentLoss', loss_weight='a'), "='a', .* float"),
        ('head.loss_align', dict(type='SemanticAlignmentLoss', temperature=float('nan')), 'positi'),
        ('head.loss_id', dict(OIM, queue_size=-1), 'queue_size must be a whole number from 0 up'),
        ('head.loss_id', dict(OIM, scale=0), 'OIMLoss.scale must be above 0, but is 0'),
        ('head.loss_id', dict(OIM, scale={}), 'scale={}, which must be float'),
        ('head.loss_id', dict(type='LinearIdentityLoss', label_smoothing=2), r'lie in \[0, 1\]'),
        ('head.loss_triplet', dict(type='BatchHardTripletLoss', margin=-1), 'margin must be at'),
        ('head', 5, r'SceneReID head=5, which must be dict\[str, Any\]'),
        ('neck', None, r'SceneReID neck=None, which must be dict\[str, Any\]'),
        ('neck', {}, 'the config of SceneReID.neck has no type'),
        ('strides', [8, 16, 0], 'SceneReID.strides must be whole numbers from 1 up'),
        ('sampling_ratio', -2, 'sampling_ratio must be a whole number from -1 up'),
        ('roi_size', [4], r'roi_size must be a height and a width, .* but is \[4\]'),
    ],
)
def test_branch_on_shared_features(key, value, told):
    assert re.search(told, message_of(scene_reid_cfg([32, 64, 128]), {key: value}))


@pytest.mark.parametrize(
    ('key', 'value', 'told'),
    [
        ('crop_size', [256, 0], 'CropReID.crop_size must be a height and a width'),
        ('train_crop_size', 64, r'train_crop_size=64, which must be tuple\[int, int\]'),
        ('test_sizes', [], 'test_sizes must name a size'),
        ('test_sizes', [[64, 32], 5], 'test_sizes must be a height and a width, .* but is 5'),
        ('second_view', 0, 'second_view must be a whole number from 1 up'),
        ('max_crops', 0, 'max_crops must be a whole number from 1 up'),
        ('std', [1, 0, 1], r'std must be above 0, but is \[1, 0, 1\]'),
        ('mean', [1, 2], r'mean must be three numbers, but is \[1, 2\]'),
        ('backbone', 18, r'CropReID backbone=18, which must be dict\[str, Any\]'),
    ],
)
def test_branch_on_crops(key, value, told):
    assert re.search(told, message_of(crop_reid_cfg(), {key: value}))


@pytest.mark.parametrize(
    ('key', 'value', 'told'),
    [
        ('reid', 5, r'PersonSearcher reid=5, which must be dict\[str, Any\]'),
        ('detector', 'yolox', "detector='yolox', which must be dict"),
        (
            'detector.backbone',
            5,
            r'YOLOX\(backbone=5\) cannot be built: TypeError: cfg should be a dict',
        ),
        ('train_boxes', 3, 'train_boxes=3, which must be dict'),
        ('train_boxes', dict(copies=-1), 'train_boxes.copies must be a whole number from 0 up'),
        ('person_label', 'person', "person_label='person', which must be int"),
        ('use_gt_boxes', 'yes', "use_gt_boxes='yes', which must be bool"),
        ('detector.data_preprocessor', 5, 'data_preprocessor=5, which must be dict'),
    ],
)
def test_searcher(key, value, told):
    detector, _ = yolox()
    searcher = dict(type='PersonSearcher', detector=detector, reid=crop_reid_cfg())
    assert re.search(told, message_of(searcher, {key: value}))


def test_a_fault_of_a_class_of_the_users_is_none():
    """The config says nothing wrong, in whatever part of the model the class is."""
    detector, _ = yolox()
    searcher = dict(type='PersonSearcher', detector=detector, reid=crop_reid_cfg())
    faulty = dict(type='mmclsa.FaultyBranch')
    for key in ('reid', 'reid.neck', 'detector', 'detector.neck'):
        assert not message_of(searcher, {key: faulty})


@pytest.mark.parametrize('name', ['loss_align', 'loss_triplet', 'loss_contrastive'])
def test_what_is_false_is_off(name):
    cfg = scene_reid_cfg([8, 16, 32])
    cfg['head'][name] = False
    assert not getattr(MODELS.build(cfg).head, name)


def test_arrays_are_the_lists_that_they_are():
    cfg = crop_reid_cfg()
    cfg.update(mean=np.zeros(3), std=torch.ones(3), crop_size=np.array([64, 32]))
    assert MODELS.build(cfg)
    assert 'crop_size must be a height and a width' in str(
        message_of(crop_reid_cfg(), {'crop_size': np.array([64, 0])})
    )
