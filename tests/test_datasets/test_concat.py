"""Several data sets at once: nobody's identity, camera, image or query is mixed up."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.datasets import ConcatDataset as MMDetConcatDataset
from mmdet.datasets.samplers import AspectRatioBatchSampler
from mmengine.config import Config
from mmengine.dataset import RepeatDataset
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmclsa.datasets import (
    BasePersonSearchDataset,
    ConcatPersonSearchDataset,
    CUHKSYSUDataset,
    PersonCropDataset,
    PRWDataset,
)
from mmclsa.datasets.samplers import IdentityBalancedSampler
from mmclsa.errors import ConfigError
from mmclsa.evaluation.metrics import PersonSearchMetric
from mmclsa.registry import DATASETS
from mmclsa.structures import Scene
from mmclsa.visualization.ranking import picture_loader
from tests.fakes import make_fake_coco, make_fake_cuhk_sysu, make_fake_prw
from tests.helpers import REPO

PIPELINE = [
    dict(type='LoadSceneImage'),
    dict(type='LoadPersonAnnotations'),
    dict(type='PackPersonSearchInputs'),
]


@pytest.fixture(scope='module')
def roots(tmp_path_factory):
    """Give four fakes: CUHK-SYSU twice, with the same image names, PRW and COCO."""
    folder = tmp_path_factory.mktemp('roots')
    return dict(
        cuhk=make_fake_cuhk_sysu(folder / 'cuhk', num_train_ids=4),
        again=make_fake_cuhk_sysu(folder / 'again', num_train_ids=5, num_queries=4, seed=7),
        prw=make_fake_prw(folder / 'prw', num_train_ids=6),
        coco=make_fake_coco(folder / 'coco'),
    )


def config(roots, name, test_mode=False):
    kind = dict(
        cuhk='CUHKSYSUDataset',
        again='CUHKSYSUDataset',
        prw='PRWDataset',
        coco='CocoPersonSearchDataset',
    )[name]
    cfg = dict(type=kind, data_root=str(roots[name]), test_mode=test_mode, pipeline=PIPELINE)
    cfg['serialize_data'] = False  # It collects all garbage of the tests, every time.
    if name == 'coco':
        cfg.update(ann_file='annotations.json', data_prefix=dict(img_path='img'))
        cfg.update(protocol_files=['protocol.json'])
    return cfg


def joined(roots, *names, test_mode=False, **options):
    datasets = [config(roots, name, test_mode) for name in names]
    return ConcatPersonSearchDataset(datasets=datasets, **options)


def alone(roots, *names, test_mode=False):
    return [DATASETS.build(config(roots, name, test_mode)) for name in names]


def people(info):
    return [(one['bbox'], one['person_id']) for one in info['instances']]


class TestTraining:
    def test_ids_of_the_first_then_of_the_second(self, roots):
        """Today's ConcatDataset gives person 0 of both the same identity."""
        whole, parts = joined(roots, 'cuhk', 'prw', 'again'), alone(roots, 'cuhk', 'prw', 'again')
        numbers = [part.num_identities for part in parts]
        assert len(set(numbers)) == 3
        assert whole.num_identities == whole.metainfo['num_identities'] == sum(numbers)
        assert len(whole) == sum(map(len, parts))
        index, seen = 0, Counter()
        for name, part, offset in zip(('cuhk', 'prw', 'again'), parts, np.cumsum([0, *numbers])):
            for own in range(len(part)):
                info, before = whole.get_data_info(index), part.get_data_info(own)
                assert info['img_id'] == f'{name}/{before["img_id"]}'
                assert info['img_path'] == before['img_path']
                expected = [(b, -1 if i < 0 else i + offset) for b, i in people(before)]
                assert people(info) == expected
                packed = whole[index]['data_samples']
                assert packed.gt_instances.person_ids.tolist() == [i for _, i in expected]
                assert packed.img_id == info['img_id']
                seen.update(i for _, i in expected)
                index += 1
        assert set(seen) == {-1, *range(sum(numbers))}
        assert min(seen.values()) >= 2

    def test_cameras_stay_apart_and_unknown_ones_unknown(self, roots):
        whole = joined(roots, 'prw', 'cuhk', 'coco')
        cams = {}
        for index in range(len(whole)):
            info = whole.get_data_info(index)
            cams.setdefault(info['img_id'].split('/')[0], set()).add(info['cam_id'])
        assert cams['cuhk'] == {-1}
        assert cams['prw'] == set(range(1, 7))
        assert cams['coco']
        assert not cams['coco'] & cams['prw']

    def test_the_number_of_identities_is_checked(self, roots):
        whole = joined(roots, 'cuhk', 'prw', names=['a', 'b'])
        right = whole.num_identities
        joined(roots, 'cuhk', 'prw', num_identities=right)
        first, second = (part.num_identities for part in whole.parts)
        with pytest.raises(ConfigError, match=rf'is 99 .* have {first} \(a\) \+ {second} \(b\) = '):
            joined(roots, 'cuhk', 'prw', names=['a', 'b'], num_identities=99)

    def test_balanced_batches_over_both(self, roots):
        whole = joined(roots, 'cuhk', 'prw')
        sampler = IdentityBalancedSampler(whole, 5, 2, seed=0, num_batches=40)
        assert set(sampler.pictures) == set(range(whole.num_identities))
        for person, indices in sampler.pictures.items():
            for index in indices.tolist():
                assert person in [i for _, i in people(whole.get_data_info(index))]
        drawn = list(sampler)
        assert set(drawn) <= set(range(len(whole)))
        assert any(index < len(whole.parts[0]) for index in drawn)
        assert any(index >= len(whole.parts[0]) for index in drawn)

    def test_aspect_ratio_batches(self, roots):
        other = make_fake_coco(Path(roots['coco']).parent / 'other', seed=3)
        datasets = [config(roots, 'coco'), dict(config(roots, 'coco'), data_root=str(other))]
        whole = ConcatPersonSearchDataset(datasets=datasets)
        sampler = torch.utils.data.SequentialSampler(whole)
        sampler.dataset = whole
        batches = list(AspectRatioBatchSampler(sampler, batch_size=3))
        assert sorted(index for batch in batches for index in batch) == list(range(len(whole)))
        assert whole.get_dataset_source(len(whole) - 1) == 1

    def test_a_repeated_part_keeps_its_identities(self, roots):
        once = joined(roots, 'cuhk', 'prw')
        repeated = dict(type='RepeatDataset', times=3, dataset=config(roots, 'prw'))
        whole = ConcatPersonSearchDataset(datasets=[config(roots, 'cuhk'), repeated])
        assert isinstance(whole.datasets[1], RepeatDataset)
        assert whole.num_identities == once.num_identities
        first, own = (len(part) for part in whole.parts)
        assert len(whole) == first + 3 * own
        infos = [whole.get_data_info(first + 2 + turn * own) for turn in range(3)]
        assert infos[0] == infos[1] == infos[2] == once.get_data_info(first + 2)

    def test_workers_get_the_same_items(self, roots):
        init_default_scope('mmclsa')
        loader = Runner.build_dataloader(
            dict(
                dataset=dict(
                    type='ConcatPersonSearchDataset',
                    datasets=[
                        dict(config(roots, name), serialize_data=True) for name in ('cuhk', 'prw')
                    ],
                ),
                batch_size=4,
                num_workers=1,
                sampler=dict(type='IdentityBalancedSampler', num_persons=2, num_instances=2),
            ),
            seed=0,
        )
        expected = [loader.dataset.get_data_info(i)['img_id'] for i in loader.sampler]
        got = [sample.img_id for batch in loader for sample in batch['data_samples']]
        assert got == expected
        assert len({name.split('/')[0] for name in got}) == 2

    def test_copies_keep_their_place(self, roots):
        whole = joined(roots, 'cuhk', 'prw')
        copy = pickle.loads(pickle.dumps(whole))
        assert copy.get_data_info(len(copy) - 1) == whole.get_data_info(len(whole) - 1)

    @pytest.mark.parametrize('cache', [True, False])
    def test_crops_of_both(self, roots, cache):
        whole = joined(roots, 'cuhk', 'prw')
        crops = PersonCropDataset(
            dataset=dict(
                type='ConcatPersonSearchDataset',
                datasets=[config(roots, 'cuhk'), config(roots, 'prw')],
            ),
            cache=cache,
            pipeline=PIPELINE,
            num_identities=whole.num_identities,
        )
        everybody = [i for n in range(len(whole)) for _, i in people(whole.get_data_info(n))]
        labelled = [i for i in everybody if i >= 0]
        assert len(crops) == len(labelled)
        assert [people(crops.get_data_info(n))[0][1] for n in range(len(crops))] == labelled
        for index in (0, len(crops) - 1):
            packed = crops[index]
            assert packed['data_samples'].gt_instances.person_ids.tolist() == [labelled[index]]
            assert packed['inputs'].shape[1] > 20

    def test_a_joined_part_of_crops(self, roots):
        crops = dict(type='PersonCropDataset', pipeline=PIPELINE, dataset=config(roots, 'prw'))
        whole = ConcatPersonSearchDataset(datasets=[config(roots, 'cuhk'), crops], names=['a', 'b'])
        last = whole[len(whole) - 1]['data_samples']
        assert last.img_id.startswith('b/c')
        assert last.gt_instances.person_ids.min() >= whole.parts[0].num_identities


def fake_samples(dataset, dims=16):
    """Make a model's data samples: each picture's people, moved a little, with noisy features."""
    samples = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        # The same noise alone and in company: it follows from the picture's own name.
        rng = np.random.default_rng(sum(map(ord, info['img_path'])))
        boxes = np.array([box for box, _ in people(info)], float).reshape(-1, 4)
        boxes = np.concatenate([boxes + rng.uniform(-4, 4, boxes.shape), boxes[:1] + 40])
        queries = info['queries']
        samples.append(
            dict(
                img_id=info['img_id'],
                pred_instances=dict(
                    bboxes=torch.from_numpy(boxes),
                    scores=torch.from_numpy(rng.uniform(0.3, 1, len(boxes))),
                    embeddings=torch.from_numpy(rng.normal(size=(len(boxes), dims))),
                ),
                query_instances=dict(
                    query_ids=torch.tensor([query['query_id'] for query in queries]),
                    embeddings=torch.from_numpy(rng.normal(size=(len(queries), dims))),
                ),
            )
        )
    return samples


def evaluate(dataset, **options):
    metric = PersonSearchMetric(**options)
    metric.dataset_meta = dataset.metainfo
    metric.process({}, fake_samples(dataset))
    return metric.evaluate(len(dataset))


class TestTesting:
    @pytest.mark.parametrize('options', [{}, dict(cbgm=True, k1=3, k2=2), dict(camera='all')])
    def test_figures_are_those_of_each_data_set_alone(self, roots, options):
        """Two data sets even share all names of images."""
        names = ('cuhk', 'again', 'prw', 'coco')
        whole = evaluate(joined(roots, *names, test_mode=True), **options)
        count = 2
        for name, part in zip(names, alone(roots, *names, test_mode=True)):
            for figure, value in evaluate(part, **options).items():
                prefix = f'search/{name}_'
                assert whole[figure.replace('search/', prefix)] == pytest.approx(value, abs=1e-12)
                count += 1
        assert len(whole) == count, 'beside them, the detection of all together'
        assert 0.5 < whole['search/detection/ap'] < 1
        assert 0 < whole['search/prw_multi_view/mAP'] < 1

    def test_queries_and_people_stay_apart(self, roots):
        whole = joined(roots, 'cuhk', 'again', 'prw', test_mode=True)
        owners: dict[int, set[str]] = {}
        for task in whole.protocols:
            for query in task.query_ids.tolist():
                owners.setdefault(query, set()).add(task.name.split('_')[0])
        assert all(len(names) == 1 for names in owners.values())
        assert len(owners) == 3 + 4 + 3
        asked = [q for n in range(len(whole)) for q in whole.get_data_info(n)['queries']]
        assert sorted(query['query_id'] for query in asked) == sorted(owners)
        ids = [
            set(whole.offsets[n].scene(s).person_ids.tolist()) - {-1}
            for n, part in enumerate(whole.parts)
            for s in part.scenes
        ]
        first, second = len(whole.parts[0].scenes), len(whole.parts[1].scenes)
        assert not set().union(*ids[:first]) & set().union(*ids[first : first + second])

    def test_tools_find_every_picture(self, roots):
        whole = joined(roots, 'cuhk', 'again', test_mode=True)
        load, first = picture_loader(whole), whole.get_data_info(0)['img_id']
        other = first.replace('cuhk/', 'again/')
        assert first != other
        assert (load(first) != load(other)).any()
        assert whole.counts()['images'] == len(whole)

    def test_wider_task_of_a_camera_rule_is_placed_too(self, roots):
        (task,) = (
            t for t in joined(roots, 'cuhk', 'prw', test_mode=True).protocols if t.cross_camera
        )
        assert task.all_cameras.images == task.images
        assert task.all_cameras.query_ids.tolist() == task.query_ids.tolist()


@DATASETS.register_module()
class DrawnByName(BasePersonSearchDataset):
    """Pictures in memory that the data set knows by their names; all of one colour each."""

    COLOURS = {'a': 10, 'b': 20}  # noqa: RUF012

    def load_scenes(self):
        boxes = np.array([[1.0, 1, 9, 19]])
        return [
            Scene(name, boxes, np.array([0]), np.zeros(1, bool)) for name in sorted(self.COLOURS)
        ]

    def locate(self, scene):
        return {}

    def picture(self, info):
        return np.full((20, 10, 3), self.COLOURS[info['img_id']], np.uint8)


def test_a_data_set_makes_its_pictures_by_its_own_names(roots):
    drawn = dict(type='DrawnByName', pipeline=PIPELINE)
    whole = ConcatPersonSearchDataset(datasets=[drawn, config(roots, 'prw')], names=['x', 'y'])
    assert [whole[n]['data_samples'].img_id for n in range(2)] == ['x/a', 'x/b']
    assert [int(whole[n]['inputs'].max()) for n in range(2)] == [10, 20]
    assert [picture_loader(whole)(name).max() for name in ('x/a', 'x/b')] == [10, 20]


class TestRefusals:
    def test_plain_wrapper_by_its_bare_name(self, roots):
        parts = [config(roots, 'cuhk'), config(roots, 'prw')]
        with pytest.raises(ConfigError, match=r'^ConcatDataset joins 2 .*: use ConcatPersonSearch'):
            DATASETS.build(dict(type='ConcatDataset', datasets=parts))
        one = DATASETS.build(dict(type='ConcatDataset', datasets=parts[:1]))
        assert len(one) == len(alone(roots, 'cuhk')[0])

    def test_crops_of_a_plain_wrapper(self, roots):
        parts = [config(roots, 'cuhk'), config(roots, 'prw')]
        with pytest.raises(ConfigError, match='ConcatDataset joins 2 person-search'):
            PersonCropDataset(dataset=dict(type='mmdet.ConcatDataset', datasets=parts))

    def test_plain_wrappers_mix_identities(self, roots):
        """Why: this is what MMDetection's wrapper does, without a word."""
        whole = MMDetConcatDataset(datasets=alone(roots, 'cuhk', 'prw'))
        ids = [{i for _, i in people(whole.get_data_info(n))} for n in range(len(whole))]
        assert any(0 in found for found in ids[:6])
        assert any(0 in found for found in ids[6:])

    def test_the_same_pictures_twice(self, roots):
        with pytest.raises(ConfigError, match=r'is in a and in b, .*: .* into a RepeatDataset'):
            joined(roots, 'cuhk', 'cuhk', names=['a', 'b'])

    def test_names(self, roots):
        with pytest.raises(ConfigError, match=r"must have 2 different names.*\['a', 'a'\]"):
            joined(roots, 'cuhk', 'prw', names=['a', 'a'])
        with pytest.raises(ConfigError, match=r'must have 2 different names'):
            joined(roots, 'cuhk', 'prw', names=['a'])

    def test_training_and_testing_together(self, roots):
        parts = [config(roots, 'cuhk'), config(roots, 'prw', test_mode=True)]
        with pytest.raises(ConfigError, match=r'test_mode \[False, True\]'):
            ConcatPersonSearchDataset(datasets=parts)

    def test_what_is_no_person_search_data_set(self, roots):
        nested = dict(type='ConcatPersonSearchDataset', datasets=[config(roots, 'prw')])
        with pytest.raises(ConfigError, match=r'datasets\[1\] must be one person-search data set'):
            ConcatPersonSearchDataset(datasets=[config(roots, 'cuhk'), nested])


def test_config_joins_both(roots):
    """The config's data sets, built on fakes: all in one pass, with its own pipeline."""
    cfg = Config.fromfile(
        REPO / 'configs' / 'clsa' / 'clsa_faster-rcnn_r50_1xb4-20e_cuhk-sysu-prw.py'
    )
    assert cfg.num_identities == 5532 + 483
    assert cfg.model.reid.head.loss_id.queue_size == 5000
    for name in ('train', 'test'):
        dataset = cfg[f'{name}_dataloader'].dataset
        for part, root in zip(dataset.datasets, (roots['cuhk'], roots['prw'])):
            part.data_root = str(root)
        if name == 'train':
            dataset.num_identities = None
        built = DATASETS.build(dataset)
        assert [type(part) for part in built.parts] == [CUHKSYSUDataset, PRWDataset]
        assert all(isinstance(part, BasePersonSearchDataset) for part in built.parts)
        assert built[len(built) - 1]['data_samples'].img_id.startswith('prw/')
        assert built[0]['data_samples'].img_id.startswith('cuhk_sysu/')
    assert {task.name for task in built.protocols} == {
        *('cuhk_sysu_gallery_50', 'cuhk_sysu_gallery_100'),
        *('prw_regular', 'prw_multi_view'),
    }


def test_a_run_trains_and_tests_on_both_in_one_pass(roots, tmp_path):
    """Through the Runner: identities fit the head, and every protocol gets its figures."""
    cfg = Config.fromfile(REPO / 'configs' / 'clsa' / 'clsa_tiny_synthetic.py')
    total = joined(roots, 'cuhk', 'prw').num_identities
    cfg.merge_from_dict({'model.reid.head.num_identities': total, 'work_dir': str(tmp_path)})
    resize = dict(type='mmdet.Resize', scale=(160, 120), keep_ratio=True)
    for name in ('train', 'val', 'test'):
        parts = [config(roots, part, test_mode=name != 'train') for part in ('cuhk', 'prw')]
        for part in parts:
            part['pipeline'] = [PIPELINE[0], resize, *PIPELINE[1:]]
        joint = dict(type='ConcatPersonSearchDataset', datasets=parts, names=['cuhk', 'prw'])
        cfg[f'{name}_dataloader'].dataset = joint
        cfg[f'{name}_dataloader'].update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.sampler.num_batches = 2
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1, val_interval=1)
    runner = Runner.from_cfg(cfg)
    runner.train()
    figures = runner.test()
    for task in ('cuhk_gallery_50', 'cuhk_gallery_100', 'prw_regular', 'prw_multi_view'):
        assert 0 <= figures[f'search/{task}/mAP'] <= 1
    for part in ('cuhk_detection', 'prw_detection', 'detection'):
        assert 0 <= figures[f'search/{part}/ap'] <= 1
    losses = runner.message_hub.get_scalar('train/loss_id_l0').data[0]
    assert np.isfinite(losses).all()
