"""Crops are cut when they are needed, once on a machine, whoever asks."""

from __future__ import annotations

import os
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmclsa.datasets import PersonCropDataset
from mmclsa.datasets.crop_store import CropStore
from mmclsa.datasets.samplers import IdentityBalancedSampler, check_balanced_batches
from mmclsa.datasets.transforms import loading
from mmclsa.datasets.transforms.person_labels import people_of
from mmclsa.errors import ConfigError, DataError
from tests.fakes import make_fake_coco, make_fake_mot, make_fake_prw

PIPELINE = [dict(type='LoadSceneImage'), dict(type='LoadPersonAnnotations')]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache that nobody has used."""
    monkeypatch.setenv('MMCLSA_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


@pytest.fixture
def decoded(tmp_path, monkeypatch):
    """The pictures that were decoded, by any process, in order."""
    log = tmp_path / 'decoded.txt'
    log.touch()
    original = loading.read_image

    def read_image(path, *args, **kwargs):
        with open(log, 'a') as stream:  # one write a line: whole, whoever else writes
            stream.write(f'{os.path.basename(path)}\n')
        return original(path, *args, **kwargs)

    monkeypatch.setattr(loading, 'read_image', read_image)
    return lambda: log.read_text().splitlines()


def crops_of(root, kind='PRWDataset', **options):
    inner = dict(type=kind, data_root=str(root))
    return PersonCropDataset(dataset=inner, pipeline=PIPELINE, **options)


def contents(dataset):
    """All that a training sees of a data set."""
    return [
        (item['img_id'], item['img'].tobytes(), item['gt_bboxes'].tensor.tolist())
        for item in map(dataset.__getitem__, range(len(dataset)))
    ]


def test_nothing_is_decoded_at_start_and_a_scene_once(tmp_path, cache, decoded):
    """Seen: every rank decoded every scene when it built its data set."""
    make_fake_prw(tmp_path / 'prw')
    first, second = (crops_of(tmp_path / 'prw') for _ in range(2))  # two ranks, two runs
    assert decoded() == []
    seen = contents(first)
    scenes = {name.split('@')[0] for name, *_ in seen}
    assert sorted(decoded()) == sorted(scenes)
    assert contents(first) == contents(second) == seen
    assert len(decoded()) == len(scenes) > 3
    whole = contents(crops_of(tmp_path / 'prw', cache=False))
    assert [(n, b) for n, _, b in whole] == [(n, b) for n, _, b in seen]


class EachTwice(torch.utils.data.Dataset):
    """Every item twice in a row: two workers want it at the same time."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return 2 * len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[index // 2]['img_id']


def test_workers_share_what_one_has_cut(tmp_path, cache, decoded):
    make_fake_prw(tmp_path / 'prw')
    crops = crops_of(tmp_path / 'prw')
    loader = DataLoader(EachTwice(crops), 1, num_workers=2, collate_fn=pseudo_collate)
    names = [name for batch in loader for name in batch]
    assert names == [crops[i // 2]['img_id'] for i in range(2 * len(crops))]
    assert len(decoded()) == len(set(decoded())) == len({n.split('@')[0] for n in names})


def test_a_picture_that_changes_is_cut_again(tmp_path, cache, decoded):
    root = make_fake_prw(tmp_path / 'prw')
    before = contents(crops_of(root))
    number = len(decoded())
    (picture, *_) = sorted((root / 'frames').glob('*.jpg'))
    cv2.imwrite(str(picture), 255 - cv2.imread(str(picture)))
    after = contents(crops_of(root))
    changed = {one[0].split('@')[0] for one, other in zip(before, after) if one != other}
    assert changed == {picture.name}
    assert decoded()[number:] == [picture.name]


def test_another_margin_is_another_crop(tmp_path, cache):
    make_fake_prw(tmp_path / 'prw')
    narrow, wide = (contents(crops_of(tmp_path / 'prw', margin=m)) for m in (0.0, 0.3))
    assert all(len(one[1]) < len(other[1]) for one, other in zip(narrow, wide))


def test_a_damaged_file_is_written_anew(tmp_path, cache, decoded):
    make_fake_prw(tmp_path / 'prw')
    before = contents(crops_of(tmp_path / 'prw'))
    number = len(decoded())
    kept = sorted(cache.rglob('*.npz'))
    assert len(kept) == number
    kept[0].write_bytes(kept[0].read_bytes()[:100])
    kept[1].unlink()
    assert contents(crops_of(tmp_path / 'prw')) == before
    assert len(decoded()) == number + 2
    assert not [path for path in cache.rglob('*') if '.tmp' in path.name]


@pytest.mark.parametrize('why', ['off', 'not writable'])
def test_without_a_cache_the_folder_goes_with_the_data_set(tmp_path, monkeypatch, decoded, why):
    if why == 'off':
        monkeypatch.setenv('MMCLSA_CACHE', 'off')
    else:
        (tmp_path / 'file').write_text('no folder')
        monkeypatch.setenv('MMCLSA_CACHE', str(tmp_path / 'file'))
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    make_fake_prw(tmp_path / 'prw')
    crops = crops_of(tmp_path / 'prw')
    assert contents(crops) == contents(crops)
    assert len(decoded()) == len(set(decoded()))
    (folder,) = tmp_path.glob('mmclsa-crops-*')
    assert list(folder.rglob('*.npz'))
    del crops
    assert not folder.exists()


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='Windows has no fork')
def test_the_next_start_deletes_the_folder_of_a_killed_process(tmp_path, monkeypatch):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    alive = CropStore(lasting=False)
    alive.save(b'scene', [np.arange(3, dtype=np.uint8)])
    pid = os.fork()
    if not pid:
        try:
            killed = CropStore(lasting=False)
            killed.save(b'scene', [np.arange(3, dtype=np.uint8)])
        finally:
            os._exit(0)  # as if it were killed: nothing is tidied up
    os.waitpid(pid, 0)  # and not for a child of another test
    assert len(list(tmp_path.iterdir())) == 2
    again = CropStore(lasting=False)
    assert sorted(tmp_path.iterdir()) == sorted([alive.folder, again.folder])
    assert alive.load(b'scene', 0).tolist() == [0, 1, 2]


def test_whoever_empties_the_cache_costs_time_alone(tmp_path, cache, decoded):
    make_fake_prw(tmp_path / 'prw')
    crops = crops_of(tmp_path / 'prw')
    before, number = contents(crops), len(decoded())
    shutil.rmtree(cache)
    assert contents(crops) == contents(crops) == before
    assert len(decoded()) == 2 * number


def test_no_folder_at_all_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv('MMCLSA_CACHE', 'off')
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'not there'))
    make_fake_prw(tmp_path / 'prw')
    with pytest.raises(ConfigError, match=r'set MMCLSA_CACHE or TMPDIR .* or cache=False'):
        crops_of(tmp_path / 'prw')


def test_a_full_disk_costs_time_alone(tmp_path, cache, monkeypatch, decoded):
    make_fake_prw(tmp_path / 'prw')
    expected = contents(crops_of(tmp_path / 'prw'))
    number = len(decoded())
    monkeypatch.setenv('MMCLSA_CACHE', str(tmp_path / 'full'))

    def full(*args, **kwargs):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('mmclsa.datasets.crop_store.np.savez', full)
    assert contents(crops_of(tmp_path / 'prw')) == expected
    assert len(decoded()) == number + len(expected)


def test_pictures_in_memory_are_never_taken_for_those_of_another_run(tmp_path, cache):
    scenes = dict(num_scenes=4, num_identities=4, img_size=(96, 64), unlabelled=0.0)
    made = []
    for seed in (0, 1):
        inner = dict(type='SyntheticPersonSearch', seed=seed, **scenes)
        crops = PersonCropDataset(dataset=inner, pipeline=PIPELINE)
        made.append(contents(crops))
        assert contents(crops) == made[-1]
    assert made[0] != made[1]
    assert not list(cache.rglob('*.npz'))


def test_a_video_is_read_once_and_in_order(tmp_path, cache, monkeypatch):
    make_fake_mot(tmp_path, 'a', video=True)
    inner = dict(type='MOTChallengeDataset', data_root=str(tmp_path), sequences=['a'])
    crops = PersonCropDataset(dataset=inner, pipeline=PIPELINE)
    frames = []
    original = type(crops.dataset).load_picture

    def load_picture(self, info, *args):
        frames.append(info['frame'])
        return original(self, info, *args)

    monkeypatch.setattr(type(crops.dataset), 'load_picture', load_picture)
    assert crops[len(crops) - 1]['img_id'].split('@')[0] != crops[0]['img_id'].split('@')[0]
    contents(crops)
    assert frames == sorted(set(frames))
    assert len(frames) == 5


def test_a_repeated_video_is_read_once(tmp_path, cache, decoded):
    make_fake_mot(tmp_path, 'a', video=True)
    inner = dict(type='MOTChallengeDataset', data_root=str(tmp_path), sequences=['a'])
    repeated = dict(
        type='ConcatPersonSearchDataset',
        datasets=[dict(type='RepeatDataset', times=2, dataset=inner)],
    )
    once, twice = (PersonCropDataset(dataset=d, pipeline=PIPELINE) for d in (inner, repeated))
    pictures = [picture for _, picture, _ in contents(once)]
    assert [picture for _, picture, _ in contents(twice)] == pictures * 2
    assert len(list(cache.rglob('*.npz'))) == 5


def test_a_broken_picture_is_named_when_it_is_needed(tmp_path, cache):
    root = make_fake_prw(tmp_path / 'prw')
    crops = crops_of(root)
    name = crops[0]['img_id'].split('@')[0]
    (root / 'frames' / name).write_bytes(b'no picture')
    with pytest.raises(DataError, match=name):
        crops_of(root)[0]


class TestUnlabelled:
    def test_they_are_cut_out_by_option(self, tmp_path, cache):
        make_fake_prw(tmp_path / 'prw')
        labelled, everybody = (crops_of(tmp_path / 'prw', unlabelled=u) for u in (False, True))
        ids = [
            int(people_of(item['gt_bboxes_labels'])[1][0])
            for item in map(everybody.__getitem__, range(len(everybody)))
        ]
        assert min(ids) == -1
        known = [item for item, person in zip(contents(everybody), ids) if person >= 0]
        assert known == contents(labelled)
        assert labelled.num_identities == everybody.num_identities

    def test_a_batch_has_its_share_of_them(self, tmp_path, cache):
        make_fake_coco(tmp_path / 'coco')
        crops = PersonCropDataset(
            dataset=dict(
                type='CocoPersonSearchDataset',
                data_root=str(tmp_path / 'coco'),
                ann_file='annotations.json',
                data_prefix=dict(img_path='img'),
            ),
            pipeline=PIPELINE,
            unlabelled=True,
        )
        sampler = IdentityBalancedSampler(crops, 3, 2, num_batches=4, num_unlabelled=5, seed=0)
        drawn = list(sampler)
        assert len(drawn) == len(sampler) == 4 * 11
        ids = [crops.get_data_info(i)['instances'][0]['person_id'] for i in drawn]
        for start in range(0, 44, 11):
            assert [person < 0 for person in ids[start : start + 11]] == [False] * 6 + [True] * 5
        unlabelled = [i for i, person in zip(drawn, ids) if person < 0]
        assert len(set(unlabelled[:5])) == 5
        # Those with an identity come as they did without.
        plain = list(IdentityBalancedSampler(crops, 3, 2, num_batches=4, seed=0))
        assert [i for i, person in zip(drawn, ids) if person >= 0] == plain
        check_balanced_batches(DataLoader(crops, 11, sampler=sampler))
        told = r'\+ num_unlabelled = 3 x 2 \+ 5 = 11 .* batch_size=11'
        with pytest.raises(ConfigError, match=told):
            check_balanced_batches(DataLoader(crops, 6, sampler=sampler))

    def test_there_must_be_some(self, tmp_path, cache):
        make_fake_prw(tmp_path / 'prw')
        with pytest.raises(ConfigError, match='unlabelled=True'):
            IdentityBalancedSampler(crops_of(tmp_path / 'prw'), 2, 2, num_unlabelled=1)
