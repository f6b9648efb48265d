"""Transforms: loading, keeping, packing, and ids that follow their boxes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose

from mmclsa.datasets.transforms import (
    KeepOriginalImage,
    LoadPersonAnnotations,
    LoadSceneImage,
    PackPersonSearchInputs,
    RandomBackground,
    RandomBoxJitter,
    RandomDownscale,
    RandomErasing,
)
from mmclsa.datasets.transforms.loading import read_image
from mmclsa.errors import ConfigError, DataError


def person(box, person_id, ignore=0):
    return dict(bbox=box, bbox_label=0, ignore_flag=ignore, person_id=person_id)


def item(**extra):
    """Make an item in which each person's box has a colour that tells his id."""
    picture = np.zeros((100, 200, 3), np.uint8)
    people = [
        person([10.0, 20.0, 30.0, 70.0], 4),
        person([60.0, 10.0, 90.0, 80.0], -1),
        person([100.0, 30.0, 120.0, 60.0], 9, ignore=1),
        person([150.0, 40.0, 170.0, 90.0], 7),
    ]
    for p in people:
        x1, y1, x2, y2 = map(int, p['bbox'])
        picture[y1:y2, x1:x2] = 100 + 10 * p['person_id']
    return dict(img=picture, img_id='a.jpg', cam_id=3, instances=people, **extra)


def colours_at_centres(packed):
    boxes = packed['data_samples'].gt_instances.bboxes.tensor
    centres = ((boxes[:, :2] + boxes[:, 2:]) / 2).long()
    return packed['inputs'][0, centres[:, 1], centres[:, 0]].tolist()


@pytest.mark.parametrize('seed', range(8))
def test_ids_follow_boxes_through_mmdets_transforms(seed):
    np.random.seed(seed)
    pipeline = Compose(
        [
            dict(type='LoadSceneImage'),
            dict(type='LoadPersonAnnotations'),
            dict(type='mmdet.RandomCrop', crop_size=(90, 120), allow_negative_crop=True),
            dict(type='mmdet.RandomFlip', prob=0.5),
            dict(type='mmdet.Resize', scale=(300, 180), keep_ratio=False),
            dict(type='mmdet.Pad', size_divisor=32),
            dict(type='PackPersonSearchInputs'),
        ]
    )
    packed = pipeline(item())
    truth = packed['data_samples'].gt_instances
    ids = truth.person_ids.tolist()
    assert ids, 'a crop of this size always holds somebody'
    assert colours_at_centres(packed) == [100 + 10 * i for i in ids]
    assert 9 not in ids
    assert len(truth.labels) == len(ids)


def test_packed_sample_has_the_documented_fields():
    pipeline = Compose([LoadSceneImage(), LoadPersonAnnotations(), PackPersonSearchInputs()])
    queries = [dict(bbox=[10.0, 20.0, 30.0, 70.0], query_id=12)]
    sample = pipeline(item(queries=queries))['data_samples']
    assert sample.gt_instances.person_ids.dtype == torch.int64
    assert sample.gt_instances.person_ids.tolist() == [4, -1, 7]
    assert sample.ignored_instances.person_ids.tolist() == [9]
    assert sample.query_instances.query_ids.tolist() == [12]
    assert sample.query_instances.bboxes.tolist() == [[10, 20, 30, 70]]
    assert (sample.img_id, sample.cam_id, sample.ori_shape) == ('a.jpg', 3, (100, 200))
    assert 'original_image' not in sample


def test_queries_stay_in_original_pixels_and_may_be_none():
    pipeline = Compose(
        [
            LoadSceneImage(),
            KeepOriginalImage(),
            dict(type='mmdet.Resize', scale=(100, 50), keep_ratio=True),
            dict(type='mmdet.Pad', size=(104, 64), pad_val=dict(img=(114, 114, 114))),
            LoadPersonAnnotations(),
            PackPersonSearchInputs(),
        ]
    )
    packed = pipeline(item(queries=[]))
    sample = packed['data_samples']
    assert len(sample.query_instances.query_ids) == 0
    assert sample.query_instances.bboxes.shape == (0, 4)
    assert sample.gt_instances.bboxes.tensor[0].tolist() == [10, 20, 30, 70]
    assert sample.original_image.dtype == torch.uint8
    np.testing.assert_array_equal(sample.original_image.permute(1, 2, 0), item()['img'])
    assert packed['inputs'].shape == (3, 64, 104)
    assert (packed['inputs'][:, 50:] == 114).all()


def test_boxes_divided_by_scale_factor_are_the_kept_pictures_boxes():
    np.random.seed(0)
    pipeline = Compose(
        [
            LoadSceneImage(),
            LoadPersonAnnotations(),
            dict(type='mmdet.RandomFlip', prob=1.0),
            KeepOriginalImage(),
            dict(type='mmdet.Resize', scale=(64, 128), keep_ratio=False),
            PackPersonSearchInputs(),
        ]
    )
    sample = pipeline(item())['data_samples']
    boxes = sample.gt_instances.bboxes.tensor / torch.tensor(sample.scale_factor).repeat(2)
    torch.testing.assert_close(boxes[0], torch.tensor([170.0, 20.0, 190.0, 70.0]))
    assert (sample.original_image[:, 20:70, 170:190] == 140).all()


def test_scene_without_people():
    pipeline = Compose([LoadSceneImage(), LoadPersonAnnotations(), PackPersonSearchInputs()])
    empty = dict(item(), instances=[])
    truth = pipeline(empty)['data_samples'].gt_instances
    assert truth.bboxes.tensor.shape == (0, 4)
    assert truth.person_ids.shape == (0,)


def test_transform_that_loses_ids_is_caught():
    results = LoadPersonAnnotations()(LoadSceneImage()(item()))
    results['gt_bboxes'] = results['gt_bboxes'][:2]
    with pytest.raises(ConfigError, match=r'a.jpg has 2 boxes but 4 labels, which carry .* ids'):
        PackPersonSearchInputs()(results)


def test_flip_after_keeping_is_caught():
    flip = dict(type='mmdet.RandomFlip', prob=1.0)
    steps = [LoadSceneImage(), LoadPersonAnnotations(), KeepOriginalImage(), flip]
    with pytest.raises(ConfigError, match='before RandomFlip'):
        Compose([*steps, PackPersonSearchInputs()])(item())


def test_kept_picture_is_a_copy():
    results = KeepOriginalImage()(LoadSceneImage()(item()))
    results['img'][:] = 7
    assert results['original_img'].max() > 7


def test_read_image_names_broken_files(tmp_path):
    for name, data in (('empty.jpg', b''), ('text.jpg', b'not a picture')):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=rf'{name} .* is empty or broken'):
            read_image(tmp_path / name)
    with pytest.raises(DataError, match=r'absent.jpg cannot be read'):
        read_image(tmp_path / 'absent.jpg')


def test_load_scene_image_reads_colour_and_float(tmp_path):
    cv2.imwrite(str(tmp_path / 'g.png'), np.full((4, 5), 9, np.uint8))
    results = LoadSceneImage(to_float32=True)(dict(img_path=str(tmp_path / 'g.png')))
    assert results['img'].dtype == np.float32
    assert results['img'].shape == (4, 5, 3)
    assert results['ori_shape'] == (4, 5)


def one_person(height=60):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (80, 40, 3)).astype(np.uint8)
    box = [5.0, 5.0, 35.0, 5.0 + height]
    return LoadPersonAnnotations()(LoadSceneImage()(dict(img=picture, instances=[person(box, 0)])))


def test_jitter_moves_and_scales_boxes_within_its_limits():
    np.random.seed(0)
    before = one_person()
    boxes = []
    for _ in range(300):
        results = RandomBoxJitter(shift=0.1, zoom=0.2)(dict(before))
        assert results['img'] is before['img']
        assert type(results['gt_bboxes']) is type(before['gt_bboxes'])
        boxes.append(results['gt_bboxes'].tensor[0].numpy())
    boxes = np.stack(boxes).astype(float)
    size, centre = boxes[:, 2:] - boxes[:, :2], (boxes[:, 2:] + boxes[:, :2]) / 2
    np.testing.assert_array_less(np.abs(size / [30, 60] - 1), 0.2 + 1e-5)
    np.testing.assert_array_less(np.abs((centre - [20, 35]) / [30, 60]), 0.1 + 1e-5)
    assert (np.abs(size / [30, 60] - 1).max(axis=0) > 0.19).all()
    assert (np.abs((centre - [20, 35]) / [30, 60]).max(axis=0) > 0.095).all()
    assert abs(np.corrcoef(size.T)[0, 1]) < 0.2


def test_jitter_of_nothing_is_nothing():
    before = one_person()
    still = RandomBoxJitter(shift=0, zoom=0)(dict(before))['gt_bboxes'].tensor
    np.testing.assert_array_equal(still, before['gt_bboxes'].tensor)
    empty = dict(before, gt_bboxes=before['gt_bboxes'][:0])
    assert RandomBoxJitter()(empty)['gt_bboxes'].tensor.shape == (0, 4)


def test_downscale_takes_detail_and_keeps_size_and_boxes():
    np.random.seed(1)
    before = one_person()
    results = RandomDownscale(min_height=10, prob=1.0)(dict(before))
    assert results['img'].shape == before['img'].shape
    assert results['img'].std() < 0.8 * before['img'].std()
    np.testing.assert_array_equal(results['gt_bboxes'].tensor, before['gt_bboxes'].tensor)


def test_downscale_draws_heights_over_the_whole_range(monkeypatch):
    sizes = []
    resize = cv2.resize

    def spy(image, size, interpolation):
        sizes.append(size[1])
        return resize(image, size, interpolation=interpolation)

    monkeypatch.setattr('mmclsa.datasets.transforms.augmentation.cv2.resize', spy)
    np.random.seed(0)
    for _ in range(200):
        RandomDownscale(min_height=24, prob=1.0)(one_person())
    people = np.array(sizes[::2]) * 60 / 80
    assert 23 <= people.min() < 26
    assert 55 < people.max() <= 60


def test_downscale_leaves_small_people_and_unlucky_ones():
    before = one_person(height=20)
    assert RandomDownscale(min_height=24, prob=1.0)(dict(before))['img'] is before['img']
    assert RandomDownscale(prob=0.0)(dict(one_person()))['img'].std() == before['img'].std()
    empty = dict(one_person(), gt_bboxes=one_person()['gt_bboxes'][:0])
    assert RandomDownscale(prob=1.0)(empty)['img'].shape == (80, 40, 3)


@pytest.mark.parametrize('fill', [(1, 2, 3), 'noise'])
def test_erasing_hides_a_part_of_the_person_alone(fill):
    np.random.seed(0)
    for _ in range(20):
        before = one_person()
        results = RandomErasing(prob=1.0, area=(0.1, 0.3), fill=fill)(dict(before))
        changed = (results['img'] != before['img']).any(axis=2)
        assert 0.08 * 30 * 60 < changed.sum() < 0.34 * 30 * 60
        changed[5:65, 5:35] = False
        assert not changed.any()


def test_erasing_never_touches_the_picture_it_was_given():
    before = one_person()
    copy = before['img'].copy()
    RandomErasing(prob=1.0)(dict(before))
    np.testing.assert_array_equal(before['img'], copy)


def test_erasing_survives_boxes_outside():
    results = one_person()
    results['gt_bboxes'] = torch.tensor([[500.0, 500.0, 600.0, 700.0], [0.0, 0.0, 1.0, 1.0]])
    assert RandomErasing(prob=1.0)(results)['img'].shape == (80, 40, 3)


def test_background_goes_and_the_middle_of_the_person_stays():
    np.random.seed(0)
    before = one_person()
    copy = before['img'].copy()
    for _ in range(20):
        results = RandomBackground(prob=1.0, width=(0.6, 0.9))(dict(before))
        picture = results['img']
        assert picture.dtype == np.uint8
        # The box is x 5..35, y 5..65: its middle is kept, its corners and all around are not.
        np.testing.assert_array_equal(picture[20:50, 15:25], copy[20:50, 15:25])
        surroundings = np.concatenate([picture[70:].reshape(-1, 3), picture[:, :5].reshape(-1, 3)])
        original = np.concatenate([copy[70:].reshape(-1, 3), copy[:, :5].reshape(-1, 3)])
        assert (surroundings == original).mean() < 0.05
        # Clouds: neighbours are alike, which noise is not.
        assert np.abs(np.diff(picture[72:].astype(int), axis=1)).mean() < 25
    np.testing.assert_array_equal(before['img'], copy)
    np.testing.assert_array_equal(RandomBackground(prob=0.0)(dict(before))['img'], copy)


def test_wrong_options_are_refused():
    with pytest.raises(ConfigError, match=r'RandomDownscale.prob'):
        RandomDownscale(prob=2)
    with pytest.raises(ConfigError, match=r'RandomBoxJitter.zoom'):
        RandomBoxJitter(zoom=1)
    with pytest.raises(ConfigError, match='min_height'):
        RandomDownscale(min_height=0)
    with pytest.raises(ConfigError, match=r'RandomBackground\.width'):
        RandomBackground(width=(0.9, 0.1))
    with pytest.raises(ConfigError, match='area'):
        RandomErasing(area=(0.5, 0.1))
    with pytest.raises(ConfigError, match='aspect'):
        RandomErasing(aspect=2)


def test_reprs_name_their_settings():
    assert 'zoom=0.3' in repr(RandomBoxJitter(zoom=0.3))
    assert 'min_height=30' in repr(RandomDownscale(30))
    assert 'prob=0.1' in repr(RandomErasing(0.1))
    assert 'prob=0.2' in repr(RandomBackground(0.2))
    assert 'to_float32=False' in repr(LoadSceneImage())
    assert repr(KeepOriginalImage()) == 'KeepOriginalImage()'
