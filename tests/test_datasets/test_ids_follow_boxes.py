"""Every transform of MMDetection that touches boxes keeps each person's id with his box.

A picture shows each person as a plain rectangle whose value tells his id, in a
colour channel that tells the picture; all else is black. What lies under a box
after a transform must be the colour of the id that it has then.
"""

from __future__ import annotations

import inspect
import random

import mmdet.datasets.transforms as mmdet_transforms
import numpy as np
import pytest
from mmdet.datasets import MultiImageMixDataset
from mmengine.dataset import Compose

from mmclsa.datasets import SyntheticPersonSearch
from mmclsa.datasets.transforms import LoadPersonAnnotations, PackPersonSearchInputs
from mmclsa.datasets.transforms.person_labels import people_of
from mmclsa.datasets.transforms.pipeline_check import REFUSED, check_pipeline, steps_of
from mmclsa.errors import ConfigError
from mmclsa.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ToFloat:
    """What LoadSceneImage(to_float32=True) does."""

    def __call__(self, results):
        results['img'] = results['img'].astype(np.float32)
        return results


SIZE = (96, 128)


def colour(person_id):
    return 60 + 12 * person_id


def scene(number, seed=0):
    """Make four people of ids 4n - 1 .. 4n + 2; -1 is somebody unlabelled, one is ignored."""
    rng = np.random.default_rng([number, seed])
    picture = np.zeros((*SIZE, 3), np.uint8)
    people = []
    for place in range(4):
        x, y = 6 + 30 * place + rng.integers(4), 8 + rng.integers(30)
        w, h = 14 + rng.integers(10), 24 + rng.integers(24)
        person_id = 4 * number + place - 1
        picture[y : y + h, x : x + w, number % 3] = colour(person_id)
        people.append(
            dict(
                bbox=[float(v) for v in (x, y, x + w, y + h)],
                bbox_label=0,
                ignore_flag=int(place == 2),
                person_id=person_id,
            )
        )
    results = dict(img=picture, img_id=str(number), img_shape=SIZE, ori_shape=SIZE)
    return LoadPersonAnnotations()(dict(results, instances=people))


def run(steps, seed):
    """Run transforms as MultiImageMixDataset does: each gets the pictures it asks for."""
    np.random.seed(seed)
    random.seed(seed)
    results = scene(0, seed)
    for step in map(TRANSFORMS.build, steps):
        cached = 'Cached' in type(step).__name__
        for turn in range(7 if cached else 1):
            # A cached transform keeps the pictures that it has seen: three different ones.
            results = scene(turn % 3, seed) if turn else results
            if hasattr(step, 'get_indexes') and not cached:
                count = 3 if type(step).__name__ == 'Mosaic' else 1
                results['mix_results'] = [scene(n + 1, seed) for n in range(count)]
            results = step(results)
            if results is None:
                return None
            results.pop('mix_results', None)
    return results


def packed_people(results):
    """List (box, id) of people and of ignored people, and the picture as it is packed."""
    packed = PackPersonSearchInputs(min_box_size=3)(results)
    found = []
    for part in ('gt_instances', 'ignored_instances'):
        people = packed['data_samples'].get(part)
        assert len(people.bboxes) == len(people.person_ids) == len(people.labels)
        assert (people.labels == 0).all()
        found += zip(people.bboxes.tensor.tolist(), people.person_ids.tolist())
    return found, packed['inputs'].permute(1, 2, 0).numpy()


def values_under(box, picture):
    """Look at the middle of the visible part of a box, shape (3,)."""
    height, width = picture.shape[:2]
    x1, x2 = np.clip([box[0], box[2]], 0, width - 1)
    y1, y2 = np.clip([box[1], box[3]], 0, height - 1)
    return picture[int((y1 + y2) / 2), int((x1 + x2) / 2)].astype(float)


MOSAIC = dict(img_scale=(96, 128), pad_val=0)
GEOMETRY = {
    'FilterAnnotations': [dict(type='mmdet.FilterAnnotations', min_gt_bbox_wh=(18, 30))],
    'RandomCrop': [dict(type='mmdet.RandomCrop', crop_size=(60, 70))],
    'MinIoURandomCrop': [dict(type='mmdet.MinIoURandomCrop', min_crop_size=0.4)],
    'RandomCenterCropPad': [
        dict(type='ToFloat'),
        dict(
            type='mmdet.RandomCenterCropPad',
            crop_size=(80, 80),
            ratios=(0.8, 1.0, 1.2),
            mean=[0, 0, 0],
            std=[1, 1, 1],
            to_rgb=False,
            test_pad_mode=None,
        ),
    ],
    'RandomShift': [dict(type='mmdet.RandomShift', prob=1.0, max_shift_px=30)],
    'RandomAffine': [
        dict(
            type='mmdet.RandomAffine', max_rotate_degree=0, max_shear_degree=0, border_val=(0, 0, 0)
        )
    ],
    'Expand': [dict(type='mmdet.Expand', mean=(0, 0, 0), prob=1.0)],
    'Resize': [dict(type='mmdet.Resize', scale=(200, 100), keep_ratio=False)],
    'FixScaleResize': [dict(type='mmdet.FixScaleResize', scale=(200, 100), keep_ratio=True)],
    'FixShapeResize': [
        dict(type='mmdet.FixShapeResize', width=150, height=90, keep_ratio=True, pad_val=0)
    ],
    'ResizeShortestEdge': [
        dict(type='mmdet.ResizeShortestEdge', scale=60, resize_type='mmdet.Resize')
    ],
    'RandomFlip': [dict(type='mmdet.RandomFlip', prob=1.0, direction='diagonal')],
    'RandomFlip_GLIP': [dict(type='mmdet.RandomFlip_GLIP', prob=1.0)],
    'Pad': [dict(type='mmdet.Pad', size=(120, 160))],
    'ShearX': [dict(type='mmdet.ShearX', level=2)],
    'ShearY': [dict(type='mmdet.ShearY', level=2)],
    'Rotate': [dict(type='mmdet.Rotate', level=1)],
    'TranslateX': [dict(type='mmdet.TranslateX', level=8)],
    'TranslateY': [dict(type='mmdet.TranslateY', level=8)],
    'Mosaic': [dict(type='mmdet.Mosaic', **MOSAIC)],
    'CachedMosaic': [
        dict(type='mmdet.CachedMosaic', max_cached_images=8, random_pop=False, **MOSAIC)
    ],
    'mosaic, affine, filter': [
        dict(type='mmdet.Mosaic', **MOSAIC),
        dict(
            type='mmdet.RandomAffine',
            max_rotate_degree=0,
            max_shear_degree=0,
            border=(-48, -64),
            border_val=(0, 0, 0),
        ),
        dict(type='mmdet.FilterAnnotations', min_gt_bbox_wh=(4, 4)),
    ],
    'RandomOrder': [
        dict(
            type='mmdet.RandomOrder',
            transforms=[
                dict(type='mmdet.RandomShift', prob=1.0),
                dict(type='mmdet.RandomCrop', crop_size=(70, 90)),
            ],
        )
    ],
    'RandomApply in RandomChoice': [
        dict(
            type='RandomChoice',
            transforms=[
                [dict(type='RandomApply', transforms=[dict(type='mmdet.RandomShift', prob=1.0)])],
                [dict(type='mmdet.RandomCrop', crop_size=(60, 70))],
            ],
        )
    ],
    'AutoAugment': [
        dict(
            type='mmdet.AutoAugment',
            policies=[
                [dict(type='mmdet.TranslateX', level=6), dict(type='mmdet.RandomShift', prob=1.0)],
                [dict(type='mmdet.ShearX', level=2)],
            ],
        )
    ],
    'RandAugment': [
        dict(
            type='mmdet.RandAugment',
            aug_space=[
                [dict(type='mmdet.TranslateX', level=4)],
                [dict(type='mmdet.TranslateY', level=4)],
            ],
            aug_num=2,
        )
    ],
}
MIXED = {
    'MixUp': [dict(type='mmdet.MixUp', img_scale=SIZE, pad_val=0, ratio_range=(0.9, 1.1))],
    'CachedMixUp': [
        dict(
            type='mmdet.CachedMixUp',
            img_scale=SIZE,
            pad_val=0,
            max_cached_images=3,
            random_pop=False,
            ratio_range=(0.9, 1.1),
        )
    ],
}
#: These leave the boxes where they are, or make them smaller.
WITHIN = {
    'CutOut': [dict(type='mmdet.CutOut', n_holes=4, cutout_shape=(10, 10))],
    'RandomErasing': [dict(type='mmdet.RandomErasing', n_patches=3, ratio=0.3)],
    'CopyPaste': [dict(type='mmdet.CopyPaste', bbox_occluded_thr=4, paste_by_box=True)],
    'YOLOXHSVRandomAug': [dict(type='mmdet.YOLOXHSVRandomAug')],
    'PhotoMetricDistortion': [dict(type='mmdet.PhotoMetricDistortion')],
    'colours': [
        dict(type='mmdet.RandAugment', aug_space=[[dict(type=f'mmdet.{name}', level=3)]], aug_num=1)
        for name in (
            *('AutoContrast', 'Brightness', 'Color', 'Contrast', 'Equalize', 'Invert'),
            *('Posterize', 'Sharpness', 'Solarize', 'SolarizeAdd', 'ColorTransform'),
        )
    ],
}


@pytest.mark.parametrize('name', [*GEOMETRY, *MIXED])
def test_the_colour_under_a_box_is_that_of_its_id(name):
    seen, looked_at = set(), 0
    for seed in range(12):
        results = run({**GEOMETRY, **MIXED}[name], seed)
        if results is None:
            continue
        people, picture = packed_people(results)
        for box, person_id in people:
            values = values_under(box, picture)
            # Mixed pictures are averaged, each in a channel of its own.
            shares = (1, 0.5) if name in MIXED else (1,)
            assert min(abs(values - share * colour(person_id)).min() for share in shares) < 3, seed
            seen.add(person_id)
            looked_at += 1
    assert looked_at > 10
    assert len(seen) > 3, 'several people were looked at, also ignored and unlabelled ones'
    assert -1 in seen


@pytest.mark.parametrize('name', WITHIN)
def test_a_box_stays_within_the_place_of_its_id(name):
    looked_at = 0
    for seed in range(12):
        places = {}
        for one in (scene(0, seed), scene(1, seed)):
            places.update(zip(people_of(one['gt_bboxes_labels'])[1].tolist(), one['gt_bboxes']))
        results = run(WITHIN[name], seed)
        for box, person_id in packed_people(results)[0]:
            outer = places[person_id].tensor[0]
            assert min(box[0] - outer[0], box[1] - outer[1]) >= -1
            assert max(box[2] - outer[2], box[3] - outer[3]) <= 1
            looked_at += 1
    assert looked_at > 20


@pytest.mark.parametrize('name', ['AutoAugment', 'RandAugment'])
def test_policies_of_mmdet_as_they_come(name):
    """Their steps have no prefix, so the config must say whose they are."""
    for seed in range(8):
        people, _ = packed_people(run([dict(type=name, _scope_='mmdet')], seed))
        assert sorted(person_id for _, person_id in people) == [-1, 0, 1, 2]


def test_every_transform_of_mmdet_that_touches_boxes_is_dealt_with():
    """A new MMDetection with a new transform fails here: try it, and list it."""
    here = {
        step['type'].rpartition('.')[2]
        for s in (GEOMETRY, MIXED, WITHIN)
        for c in s.values()
        for step in c
    }
    inner = {'ShearX', 'ShearY', 'Rotate', 'TranslateX', 'TranslateY', 'GeomTransform'}
    apart = {
        'Albu',  # below
        'MultiBranch',  # below
        'InferencerLoader',  # loads pictures alone
        'LoadProposals',  # proposals alone
        'GTBoxSubOne_GLIP',  # subtracts one pixel
        'ProposalBroadcaster',  # runs others, on proposals as well
    }
    touching = {
        name
        for name, kind in vars(mmdet_transforms).items()
        if inspect.isclass(kind) and 'gt_bboxes' in inspect.getsource(kind)
    }
    assert touching - here - inner - apart - set(REFUSED) == set()


@pytest.mark.parametrize('name', [n for n in REFUSED if hasattr(mmdet_transforms, n)])
def test_refused_by_name_when_the_pipeline_is_built(name):
    refused = object.__new__(getattr(mmdet_transforms, name))
    inner = TRANSFORMS.build(dict(type='mmdet.RandomOrder', transforms=[]))
    inner.transforms.append(refused)
    outer = TRANSFORMS.build(
        dict(type='RandomChoice', transforms=[[dict(type='RandomApply', transforms=[])]])
    )
    outer.transforms[0].transforms[0].transforms.transforms.append(inner)
    with pytest.raises(ConfigError, match=rf'mmdet\.{name}, which .*(:| and drops)') as error:
        check_pipeline([LoadPersonAnnotations(), outer])
    assert str(error.value).count('\n') == 0
    with pytest.raises(ConfigError, match=name):
        SyntheticPersonSearch(num_scenes=2, num_identities=2, pipeline=[refused])


@pytest.mark.parametrize('name', ['Resize', 'RandomFlip'])
def test_mmcvs_own_transforms_are_refused_behind_boxes(name):
    """Without the prefix MMEngine finds MMCV's transform, which fails on MMDetection's boxes."""
    options = dict(Resize=dict(scale=(20, 20)), RandomFlip=dict(prob=0.5))[name]
    step = TRANSFORMS.build(dict(type='RandomApply', transforms=[dict(type=name, **options)]))
    with pytest.raises(ConfigError, match=rf'mmcv\.{name}, which cannot .* use mmdet\.{name}'):
        check_pipeline([LoadPersonAnnotations(), step])
    check_pipeline([step, LoadPersonAnnotations()])
    check_pipeline([LoadPersonAnnotations(box_type=None), step])


def test_ours_are_not_refused():
    steps = [LoadPersonAnnotations(), PackPersonSearchInputs()]
    check_pipeline([Compose(steps)])
    assert list(steps_of(Compose(steps)))[1:] == steps


def test_multi_branch_packs_ids_in_each_branch():
    packer = [dict(type='PackPersonSearchInputs')]
    step = TRANSFORMS.build(
        dict(type='mmdet.MultiBranch', branch_field=['one', 'two'], one=packer, two=packer)
    )
    samples = step(scene(0))['data_samples']
    for branch in ('one', 'two'):
        assert samples[branch].gt_instances.person_ids.tolist() == [-1, 0, 2]
        assert samples[branch].ignored_instances.person_ids.tolist() == [1]


@pytest.mark.parametrize('with_labels', [True, False])
def test_albu_filters_ids_with_its_label_fields(monkeypatch, with_labels):
    """Albumentations is not installed: a stand-in drops boxes as it does."""
    transforms = mmdet_transforms.transforms

    class Dropper:
        def __init__(self, steps, bbox_params, strict):
            self.fields = bbox_params['label_fields']

        def __call__(self, **data):
            for key in ('bboxes', *self.fields):
                data[key] = [value for n, value in enumerate(data[key]) if n != 1]
            return data

    class Albumentations:
        __version__ = '1.4'
        BboxParams = staticmethod(lambda **options: options)

    monkeypatch.setattr(transforms, 'albumentations', Albumentations)
    monkeypatch.setattr(transforms, 'Compose', Dropper)
    fields = ['gt_bboxes_labels', 'gt_ignore_flags'] if with_labels else ['gt_ignore_flags']
    options = dict(type='BboxParams', label_fields=fields, filter_lost_elements=True)
    step = mmdet_transforms.Albu(transforms=[], bbox_params=options)
    if with_labels:
        ids = PackPersonSearchInputs()(step(scene(0)))['data_samples'].gt_instances.person_ids
        assert ids.tolist() == [-1, 2]
    else:
        with pytest.raises(ConfigError, match=r'has 3 boxes but 4 labels.*label_fields'):
            PackPersonSearchInputs()(step(scene(0)))


def test_yolox_pipeline_over_a_data_set():
    """MMDetection's own YOLOX augmentation, in its wrapper, with people all the way."""
    inner = SyntheticPersonSearch(
        num_scenes=8,
        num_identities=6,
        img_size=(128, 96),
        pipeline=[dict(type='LoadSceneImage'), dict(type='LoadPersonAnnotations')],
    )
    dataset = MultiImageMixDataset(
        inner,
        pipeline=[
            dict(type='mmdet.Mosaic', img_scale=(128, 128)),
            dict(type='mmdet.RandomAffine', border=(-64, -64)),
            dict(type='mmdet.MixUp', img_scale=(128, 128)),
            dict(type='mmdet.YOLOXHSVRandomAug'),
            dict(type='mmdet.RandomFlip', prob=0.5),
            dict(type='mmdet.Resize', scale=(64, 64), keep_ratio=True),
            dict(type='mmdet.FilterAnnotations', min_gt_bbox_wh=(1, 1), keep_empty=False),
            dict(type='PackPersonSearchInputs'),
        ],
    )
    np.random.seed(0)
    ids = [i for n in range(8) for i in dataset[n]['data_samples'].gt_instances.person_ids.tolist()]
    assert set(ids) <= {-1, *range(6)}
    assert len(ids) > 16
    assert len(set(ids)) == 7


def test_boxes_that_nobody_labelled_are_refused():
    results = scene(0)
    results['gt_bboxes_labels'] = np.zeros(4, dtype=np.int64)
    with pytest.raises(ConfigError, match='boxes without person ids: load them with LoadPerson'):
        PackPersonSearchInputs()(results)


@pytest.mark.parametrize('option', ['with_bbox', 'with_label'])
def test_annotations_without_boxes_or_labels_are_refused(option):
    with pytest.raises(ConfigError, match=option):
        LoadPersonAnnotations(**{option: False})
