"""Data sets: fake and golden layouts, real footage, pipelines, bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmclsa.datasets import (
    CocoPersonSearchDataset,
    CUHKSYSUDataset,
    MOTChallengeDataset,
    PersonCropDataset,
    PRWDataset,
)
from mmclsa.datasets.base_person_search import contiguous_ids
from mmclsa.datasets.person_crops import crop_region
from mmclsa.datasets.transforms.person_labels import people_of
from mmclsa.errors import ConfigError, DataError
from mmclsa.structures import Scene
from tests.fakes import make_fake_coco, make_fake_cuhk_sysu, make_fake_mot, make_fake_prw
from tests.helpers import REPO, SHARED, needs_shared


def labelled(dataset):
    return [
        i['person_id']
        for index in range(len(dataset))
        for i in dataset.get_data_info(index)['instances']
        if i['person_id'] >= 0
    ]


def base_config(name):
    return Config.fromfile(REPO / 'configs' / '_base_' / 'datasets' / f'{name}.py')


MAKERS = {
    'cuhk_sysu': (make_fake_cuhk_sysu, CUHKSYSUDataset),
    'prw': (make_fake_prw, PRWDataset),
}


@pytest.mark.parametrize('name', MAKERS)
def test_fake_data_sets_in_original_layouts(tmp_path, name):
    maker, kind = MAKERS[name]
    root = str(maker(tmp_path))
    train = kind(data_root=root, num_identities=4)
    assert (len(train), train.num_identities) == (6, 4)
    assert set(labelled(train)) == {0, 1, 2, 3}
    assert 'queries' not in train.get_data_info(0)
    assert 'protocols' not in train.metainfo
    unlabelled = [i['person_id'] for i in train.get_data_info(0)['instances']].count(-1)
    assert unlabelled == 1
    test = kind(data_root=root, test_mode=True)
    assert len(test) == 8
    meta = test.metainfo
    assert meta['classes'] == ('person',)
    assert len(meta['scenes']) == 8
    names = {'cuhk_sysu': ['gallery_50', 'gallery_100'], 'prw': ['regular', 'multi_view']}
    assert [p.name for p in meta['protocols']] == names[name]
    queries = [(q, i['img_id']) for i in test for q in i['queries']]
    assert sorted(q['query_id'] for q, _ in queries) == [0, 1, 2]
    boxes = {i['img_id']: [p['bbox'] for p in i['instances']] for i in test}
    for query, image in queries:
        # A query is one of its scene's people, to a pixel (PRW's are clipped and truncated).
        errors = np.abs(np.array(boxes[image]) - query['bbox']).max(axis=1)
        assert errors.min() <= 1


@pytest.mark.parametrize('name', MAKERS)
def test_config_pipelines_end_in_data_samples(tmp_path, monkeypatch, name):
    maker, kind = MAKERS[name]
    monkeypatch.setenv('MMCLSA_DATA', str(tmp_path))
    root = maker(tmp_path / name)
    config = base_config(name)
    assert config.data_root == str(root)
    settings = dict(config.train_dataloader.dataset, num_identities=4)
    settings.pop('type')
    train = kind(**settings)
    packed = train[1]
    height, width = packed['data_samples'].img_shape
    assert (height, width) == (900, 1200)
    truth = packed['data_samples'].gt_instances
    assert len(truth.bboxes) == len(truth.person_ids) > 0
    settings = dict(config.test_dataloader.dataset)
    settings.pop('type')
    sample = kind(**settings)[0]['data_samples']
    assert sample.ori_shape == (120, 160)
    assert sample.gt_instances.bboxes.tensor.max() <= 160, 'ground truth in original pixels'
    assert 'query_instances' in sample


@needs_shared
@pytest.mark.parametrize('case', ['cuhk_small', 'cuhk_sizes', 'prw_small', 'prw_hard'])
def test_golden_roots_load(case):
    kind = CUHKSYSUDataset if case.startswith('cuhk') else PRWDataset
    root = str(SHARED / 'golden' / case / 'root')
    expected = json.loads((SHARED / 'golden' / case / 'expected.json').read_text())
    test = kind(data_root=root, test_mode=True, check_images=False)
    names = {p.name for p in test.protocols}
    known = {key for key in expected if key in names}
    assert known == names or known, sorted(expected)
    queries = [q['query_id'] for i in range(len(test)) for q in test.get_data_info(i)['queries']]
    assert sorted(queries) == list(range(len(test.protocols[0].query_ids)))
    with pytest.raises(DataError, match=r'is missing; docs/datasets.md'):
        kind(data_root=root, test_mode=True)


def pets(**kwargs):
    return CocoPersonSearchDataset(
        data_root=str(SHARED / 'data' / 'pets_mini'),
        ann_file='annotations.json',
        data_prefix=dict(img_path='img'),
        **kwargs,
    )


@needs_shared
def test_real_pets_has_the_documented_counts():
    dataset = pets(protocol_files='protocol.json', test_mode=True)
    instances = [i for item in dataset for i in item['instances']]
    assert len(dataset) == 80
    assert sum(not i['ignore_flag'] for i in instances) == 450
    assert sum(i['ignore_flag'] for i in instances) == 17
    assert dataset.num_identities == 10
    assert sum(len(item['queries']) for item in dataset) == 64
    assert dataset.counts()['query identities'] == 7
    assert dataset[0]['img_path'].endswith('pets_mini/img/000001.jpg')


@needs_shared
def test_mot2pets_configs_train_and_test_on_real_footage(monkeypatch):
    monkeypatch.setenv('MMCLSA_DATA', str(SHARED / 'data'))
    config = base_config('mot2pets')
    loader = Runner.build_dataloader(dict(config.train_dataloader, num_workers=2), seed=0)
    assert loader.dataset.num_identities == config.num_identities == 145
    assert len(loader.dataset) == 814 + 359
    batch = next(iter(loader))
    ids = [int(s.gt_instances.person_ids[0]) for s in batch['data_samples']]
    assert len(ids) == 64
    assert len(set(ids)) == 16
    assert {tuple(x.shape) for x in batch['inputs']} == {(3, 128, 64)}
    for sample in batch['data_samples'][:8]:
        height, width = sample.original_image.shape[1:]
        scale = torch.tensor(sample.scale_factor).repeat(2)
        box = sample.gt_instances.bboxes.tensor[0] / scale
        assert (box >= -1e-3).all()
        assert (box[2:] <= torch.tensor([width, height]) + 1e-3).all()
    loader = Runner.build_dataloader(dict(config.test_dataloader, num_workers=2))
    batch = next(iter(loader))
    assert {tuple(x.shape) for x in batch['inputs']} == {(3, 416, 416)}
    assert batch['data_samples'][0].original_image.shape == (3, 576, 768)
    assert len(loader.dataset.metainfo['protocols']) == 1


@needs_shared
def test_holdout_config_shares_nobody(monkeypatch):
    monkeypatch.setenv('MMCLSA_DATA', str(SHARED / 'data'))
    config = Config.fromfile(
        REPO / 'configs/clsa/clsa-twostep_yolox-nano_mobilenetv2_1xb64-22e_mot-holdout.py'
    )
    outer = dict(config.train_dataloader.dataset.dataset)
    outer.pop('type')
    train = MOTChallengeDataset(**outer)
    settings = dict(config.test_dataloader.dataset, pipeline=[])
    settings.pop('type')
    held_out = MOTChallengeDataset(**settings)
    assert train.num_identities == config.num_identities == 137
    assert held_out.num_identities == 8
    folders = [{scene.image.split('/')[0] for scene in d.scenes} for d in (train, held_out)]
    assert not folders[0] & folders[1]
    assert len(held_out.protocols[0].query_ids) > 20


def crop_config(root, **kwargs):
    inner = dict(type='MOTChallengeDataset', data_root=str(root), sequences=['a'])
    pipeline = [dict(type='LoadSceneImage'), dict(type='LoadPersonAnnotations')]
    return dict(dataset=inner, pipeline=pipeline, **kwargs)


def test_crops_are_the_people_of_the_scenes(tmp_path):
    make_fake_mot(tmp_path, 'a', num_ids=3)
    cached = PersonCropDataset(**crop_config(tmp_path, num_identities=3))
    direct = PersonCropDataset(**crop_config(tmp_path, cache=False))
    scenes = [cached.dataset.get_data_info(i) for i in range(5)]
    everybody = [
        (f'{s["img_id"]}@{n}', p)
        for s in scenes
        for n, p in enumerate(s['instances'])
        if p['person_id'] >= 0
    ]
    assert len(cached) == len(direct) == len(everybody)
    for index, (name, person) in enumerate(everybody):
        one, two = cached[index], direct[index]
        assert one['img_id'] == two['img_id'] == name
        assert people_of(one['gt_bboxes_labels'])[1].tolist() == [person['person_id']]
        box = one['gt_bboxes'].tensor[0]
        torch.testing.assert_close(box, two['gt_bboxes'].tensor[0])
        size = torch.tensor(person['bbox'][2:]) - torch.tensor(person['bbox'][:2])
        torch.testing.assert_close(box[2:] - box[:2], size.float())
        assert one['img'].shape == two['img'].shape
        assert np.abs(one['img'].astype(int) - two['img']).mean() < 12, 'JPEG once more'


def test_crops_refuse_nonsense(tmp_path):
    make_fake_mot(tmp_path, 'a')
    with pytest.raises(ConfigError, match='margin'):
        PersonCropDataset(**crop_config(tmp_path, margin=-0.1))
    with pytest.raises(ConfigError, match='is for training'):
        PersonCropDataset(**crop_config(tmp_path, test_mode=True))
    with pytest.raises(ConfigError, match='num_identities is 9'):
        PersonCropDataset(**crop_config(tmp_path, num_identities=9))
    settings = crop_config(tmp_path)
    settings['dataset']['min_height'] = 1000
    with pytest.raises(DataError, match=r'nobody to train on.* 16 ignored boxes'):
        PersonCropDataset(**settings)


def test_crop_region_stays_in_the_picture():
    assert crop_region(np.array([0.4, 0.0, 10.0, 20.0]), 0.5, 12, 25).tolist() == [0, 0, 12, 25]
    assert crop_region(np.array([3.2, 4.0, 9.0, 8.5]), 0.0, 100, 100).tolist() == [3, 4, 9, 9]


@pytest.mark.parametrize('workers', [0, 2])
def test_data_loader_gives_the_same_with_workers(tmp_path, workers):
    make_fake_mot(tmp_path, 'a', video=True)
    pipeline = [
        dict(type='LoadSceneImage'),
        dict(type='LoadPersonAnnotations'),
        dict(type='PackPersonSearchInputs'),
    ]
    dataset = dict(
        type='MOTChallengeDataset', data_root=str(tmp_path), sequences=['a'], pipeline=pipeline
    )
    loader = Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=workers,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dataset,
            collate_fn=dict(type='pseudo_collate'),
        )
    )
    pictures = torch.stack([x for batch in loader for x in batch['inputs']])
    direct = torch.stack([loader.dataset[i]['inputs'] for i in range(5)])
    assert torch.equal(pictures[:5], direct)


def test_in_memory_scenes(tmp_path):
    class Memory(CocoPersonSearchDataset):
        def locate(self, scene):
            return {}

        def picture(self, info):
            return np.full((info['height'], info['width'], 3), int(info['img_id'][:6]), np.uint8)

    root = make_fake_coco(tmp_path, images=False)
    pipeline = [
        dict(type='LoadSceneImage'),
        dict(type='LoadPersonAnnotations'),
        dict(type='PackPersonSearchInputs'),
    ]
    dataset = Memory(ann_file='annotations.json', data_root=str(root), pipeline=pipeline)
    packed = dataset[3]
    assert (packed['inputs'] == 4).all()
    assert packed['data_samples'].ori_shape == (120, 160)


def test_coco_train_ids_become_contiguous(tmp_path):
    root = make_fake_coco(tmp_path)
    path = root / 'annotations.json'
    content = json.loads(path.read_text())
    for annotation in content['annotations']:
        if annotation['person_id'] >= 0:
            annotation['person_id'] = 100 - 7 * annotation['person_id']
    path.write_text(json.dumps(content))
    options = dict(
        ann_file='annotations.json', data_root=str(root), data_prefix=dict(img_path='img')
    )
    train = CocoPersonSearchDataset(**options)
    assert set(labelled(train)) == {0, 1, 2, 3}
    assert train.get_data_info(0)['cam_id'] == 0
    test = CocoPersonSearchDataset(test_mode=True, **options)
    assert set(labelled(test)) == {100, 93, 86, 79}


def test_filters_drop_training_scenes(tmp_path):
    root = make_fake_coco(tmp_path)
    path = root / 'annotations.json'
    content = json.loads(path.read_text())
    kept = [a for a in content['annotations'] if a['image_id'] not in (1, 11)]
    kept.append(dict(kept[0], image_id=11, person_id=-1, id=999))
    path.write_text(json.dumps(dict(content, annotations=kept)))
    options = dict(
        ann_file='annotations.json', data_root=str(root), data_prefix=dict(img_path='img')
    )
    assert len(CocoPersonSearchDataset(**options)) == 8
    for name, count in (('filter_empty_gt', 7), ('filter_unlabelled', 6)):
        dataset = CocoPersonSearchDataset(filter_cfg={name: True}, **options)
        assert len(dataset) == count
        tested = CocoPersonSearchDataset(filter_cfg={name: True}, test_mode=True, **options)
        assert len(tested) == 8


def test_contiguous_ids_forget_ignored_people():
    ignored = Scene('a', np.zeros((2, 4)), np.array([5, 9]), np.array([True, False]), None)
    scenes, count = contiguous_ids([ignored])
    assert scenes[0].person_ids.tolist() == [-1, 0]
    assert count == 1


@pytest.mark.parametrize('name', MAKERS)
def test_missing_data_is_one_sentence(tmp_path, name):
    maker, kind = MAKERS[name]
    with pytest.raises(DataError, match=r'nowhere is missing; docs/datasets.md tells how to get'):
        kind(data_root=str(tmp_path / 'nowhere'))
    root = maker(tmp_path, images=False)
    with pytest.raises(DataError, match=r'(SSM|frames) is missing; docs/datasets.md'):
        kind(data_root=str(root))
    with pytest.raises(ConfigError, match='num_identities is 5532 in the config'):
        kind(data_root=str(root), num_identities=5532, check_images=False)
    broken = 'annotation/pool.mat' if name == 'cuhk_sysu' else 'frame_train.mat'
    (root / broken).write_bytes(b'no mat file')
    with pytest.raises(DataError, match=broken.split('/')[-1]):
        kind(data_root=str(root), check_images=False)
    (root / broken).unlink()
    with pytest.raises(DataError, match=broken.split('/')[-1]):
        kind(data_root=str(root), check_images=False)


def test_broken_picture_is_named_when_it_is_met(tmp_path):
    root = make_fake_prw(tmp_path)
    pipeline = [dict(type='LoadSceneImage')]
    dataset = PRWDataset(data_root=str(root), pipeline=pipeline)
    path = dataset.get_data_info(2)['img_path']
    with open(path, 'wb'):
        pass
    with pytest.raises(DataError, match=r'000\d\.jpg|\.jpg \(0 bytes\) is empty or broken'):
        dataset[2]


def test_protocols_need_the_same_queries(tmp_path):
    root = make_fake_coco(tmp_path)
    content = json.loads((root / 'protocol.json').read_text())
    content['queries'] = content['queries'][:2]
    (root / 'fewer.json').write_text(json.dumps(content))
    options = dict(
        ann_file='annotations.json',
        data_root=str(root),
        data_prefix=dict(img_path='img'),
        test_mode=True,
    )
    with pytest.raises(ConfigError, match=r'fewer.json lists other queries'):
        CocoPersonSearchDataset(protocol_files=['protocol.json', 'fewer.json'], **options)
    with pytest.raises(DataError, match=r'absent.json is missing'):
        CocoPersonSearchDataset(protocol_files='absent.json', **options)
