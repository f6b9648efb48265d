"""Boxes without width or height on the way from the annotations to a batch."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose

from mmclsa.datasets import PersonCropDataset, PRWDataset
from mmclsa.datasets.base_person_search import BasePersonSearchDataset
from mmclsa.datasets.transforms import (
    LoadPersonAnnotations,
    PackPersonSearchInputs,
    RandomBackground,
    RandomBoxJitter,
    RandomDownscale,
    RandomErasing,
)
from mmclsa.errors import ConfigError
from mmclsa.registry import DATASETS
from mmclsa.structures import Scene
from tests.fakes import make_fake_prw

BOXES = [[10, 10, 30, 60], [40, 10, 40, 60], [50, 20, 70, 20], [80, 30, 80, 30], [85, 10, 95, 60]]


@DATASETS.register_module()
class SomeWithoutSize(BasePersonSearchDataset):
    """One scene with five people, of whom three have no size; the last one is ignored."""

    TITLE = 'A data set'

    def load_scenes(self):
        ignore = np.array([False] * 4 + [True])
        return [Scene('a.jpg', np.array(BOXES, float), np.arange(5), ignore)]

    def picture(self, info):
        return np.full((64, 100, 3), 50, np.uint8)


def results(boxes=BOXES):
    people = [
        dict(bbox=[float(v) for v in box], bbox_label=0, ignore_flag=int(n == 4), person_id=n)
        for n, box in enumerate(boxes)
    ]
    picture = np.full((64, 100, 3), 50, np.uint8)
    return LoadPersonAnnotations()(dict(img=picture, img_shape=(64, 100), instances=people))


@pytest.mark.parametrize(
    'transform',
    [
        RandomBoxJitter(shift=0.3, zoom=0.3),
        RandomErasing(prob=1.0),
        RandomErasing(prob=1.0, fill='noise'),
        RandomDownscale(prob=1.0, min_height=8),
        RandomBackground(prob=1.0),
        dict(type='mmdet.Resize', scale=(33, 21), keep_ratio=False),
        dict(type='mmdet.TranslateX', level=9),
        dict(type='mmdet.RandomShift', prob=1.0),
        dict(type='mmdet.RandomCrop', crop_size=(40, 40)),
    ],
    ids=lambda step: step['type'] if isinstance(step, dict) else type(step).__name__,
)
@pytest.mark.parametrize('only', [None, 1, 2, 3])
def test_transforms_take_them_and_packing_drops_them_with_their_ids(transform, only):
    np.random.seed(0)
    boxes = BOXES if only is None else [BOXES[only]]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for _ in range(10):
            moved = Compose([transform])(results(boxes))
            if moved is None:  # RandomCrop found nobody in its part of the picture.
                continue
            packed = PackPersonSearchInputs()(moved)
            people = packed['data_samples'].gt_instances
            boxed = people.bboxes.tensor
            assert packed['inputs'].float().isfinite().all()
            assert boxed.isfinite().all()
            assert ((boxed[:, 2:] - boxed[:, :2]) >= 1).all()
            expected = {0} if only is None else set()
            assert set(people.person_ids.tolist()) <= expected
            assert len(people.labels) == len(people.person_ids) == len(boxed)


def test_packing_keeps_what_is_a_pixel_and_its_order():
    wide = [[0, 0, 9, 9], [5, 5, 6, 6], [5, 5, 5.5, 30], [7, 7, 8, 9]]
    sample = PackPersonSearchInputs()(results([*wide, [1, 1, 2, 1.2]]))['data_samples']
    assert sample.gt_instances.person_ids.tolist() == [0, 1, 3]
    assert sample.ignored_instances.person_ids.tolist() == []
    sample = PackPersonSearchInputs(min_box_size=0.4)(results(wide))['data_samples']
    assert sample.gt_instances.person_ids.tolist() == [0, 1, 2, 3]
    with pytest.raises(ConfigError, match=r'min_box_size must be above 0, not 0'):
        PackPersonSearchInputs(min_box_size=0)


def test_a_data_set_leaves_them_out_of_training_and_says_so(monkeypatch):
    told = []
    path = 'mmclsa.datasets.settling.print_log'
    monkeypatch.setattr(path, lambda text, **options: told.append(text))
    options = dict(check_images=False, pipeline=[])
    train = SomeWithoutSize(data_root='.', **options)
    people = train.get_data_info(0)['instances']
    assert [person['bbox'] for person in people] == [BOXES[0], BOXES[4]]
    assert [person['person_id'] for person in people] == [0, -1]
    assert len(told) == 1
    assert told[0].startswith('A data set in .: 3 boxes of width or height 0 are left out of tr')
    assert told[0].endswith('the first one in a.jpg')
    assert train.counts()['boxes'] == 4, 'counted as published'
    test = SomeWithoutSize(data_root='.', test_mode=True, **options)
    assert len(test.get_data_info(0)['instances']) == 5
    assert len(told) == 1


def test_crops_are_made_of_the_others():
    inner = dict(type='SomeWithoutSize', data_root='.', check_images=False)
    crops = PersonCropDataset(dataset=inner, pipeline=[dict(type='LoadPersonAnnotations')])
    assert len(crops) == 1
    assert crops[0]['gt_bboxes'].tensor.shape == torch.Size([1, 4])


def test_a_whole_data_set_tells_nothing(tmp_path, monkeypatch):
    path = 'mmclsa.datasets.settling.print_log'
    monkeypatch.setattr(path, lambda text, **options: pytest.fail(text))
    PRWDataset(data_root=str(make_fake_prw(tmp_path, images=False)), check_images=False)
