"""Annotations and pictures from a storage: one made up in memory, and MMEngine's local one."""

from __future__ import annotations

import builtins
import posixpath

import numpy as np
import pytest
import torch
from mmengine.fileio import BaseStorageBackend, register_backend
from mmengine.registry import DefaultScope

from mmclsa.datasets import ConcatPersonSearchDataset, MOTChallengeDataset, PersonCropDataset
from mmclsa.datasets.readers.paths import ReadablePath, as_path
from mmclsa.datasets.storage import StoragePath, is_remote, join, open_path
from mmclsa.datasets.transforms import LoadSceneImage
from mmclsa.datasets.transforms.loading import read_image
from mmclsa.datasets.verify import decode_all, find_datasets, inspect_split
from mmclsa.errors import ConfigError, DataError
from mmclsa.registry import DATASETS
from tests.fakes import (
    make_fake_coco,
    make_fake_cuhk_sysu,
    make_fake_movienet,
    make_fake_posetrack21,
    make_fake_prw,
)

#: What is stored, by its key, and what was asked for.
BUCKET: dict[str, bytes] = {}
ASKED: list[str] = []


class NoSuchObjectError(KeyError):
    """What this backend raises, as clients of S3 have errors of their own."""


@register_backend(name='bucket', prefixes='bucket', force=True)
class BucketBackend(BaseStorageBackend):
    """Objects in memory, without folders; ``path_mapping`` as in MMEngine's PetrelBackend."""

    def __init__(self, path_mapping=None):
        self.path_mapping = path_mapping or {}

    def _key(self, filepath):
        for local, remote in self.path_mapping.items():
            filepath = str(filepath).replace(local, remote, 1)
        ASKED.append(filepath)
        return filepath

    def get(self, filepath):
        key = self._key(filepath)
        if key not in BUCKET:
            raise NoSuchObjectError(key)
        if BUCKET[key] is None:
            raise ConnectionResetError('gone')
        return memoryview(BUCKET[key])

    def get_text(self, filepath, encoding='utf-8'):
        return bytes(self.get(filepath)).decode(encoding)

    def exists(self, filepath):
        return self._key(filepath) in BUCKET

    def isdir(self, filepath):
        return any(key.startswith(self._key(filepath) + '/') for key in BUCKET)

    def list_dir_or_file(
        self, dir_path, list_dir=True, list_file=True, suffix=None, recursive=False
    ):
        start = self._key(dir_path) + '/'
        inside = {key[len(start) :].split('/')[0] for key in BUCKET if key.startswith(start)}
        return iter(sorted(name for name in inside if start + name in BUCKET))


def upload(root, url):
    for path in root.rglob('*'):
        if path.is_file():
            BUCKET[posixpath.join(url, path.relative_to(root).as_posix())] = path.read_bytes()


@pytest.fixture(autouse=True)
def bucket():
    BUCKET.clear()
    ASKED.clear()
    return BUCKET


@pytest.fixture
def no_local_files(monkeypatch, tmp_path):
    """Fail when a test opens a file of the fakes."""

    def refuse(*args, **kwargs):
        raise AssertionError(f'a local file is read: {args}')

    open_as_ever, fromfile = builtins.open, np.fromfile

    def watched(file, *args, **kwargs):
        return (
            refuse(file)
            if str(file).startswith(str(tmp_path))
            else open_as_ever(file, *args, **kwargs)
        )

    def arm():
        monkeypatch.setattr(builtins, 'open', watched)
        monkeypatch.setattr(np, 'fromfile', refuse)

    yield arm
    assert np.fromfile is not fromfile


PIPELINE = [dict(type='LoadSceneImage'), dict(type='LoadPersonAnnotations')]
FAKES = {
    'CUHKSYSUDataset': (make_fake_cuhk_sysu, {}),
    'PRWDataset': (make_fake_prw, {}),
    'MovieNetPSDataset': (make_fake_movienet, {}),
    'PoseTrack21Dataset': (make_fake_posetrack21, {}),
    'CocoPersonSearchDataset': (
        make_fake_coco,
        dict(
            ann_file='annotations.json',
            protocol_files=['protocol.json'],
            data_prefix=dict(img_path='img'),
        ),
    ),
}


def told(info):
    """What the annotations tell of an item; sizes are read from local pictures alone."""
    return {k: v for k, v in info.items() if k not in ('img_path', 'width', 'height')}


def same(one, other):
    assert len(one) == len(other) > 0
    assert [t.name for t in one.protocols] == [t.name for t in other.protocols]
    for index in range(len(one)):
        a, b = one.get_data_info(index), other.get_data_info(index)
        assert told(a) == told(b)
        if index in (0, len(one) - 1):
            np.testing.assert_array_equal(one[index]['img'], other[index]['img'])


@pytest.mark.parametrize('test_mode', [False, True])
@pytest.mark.parametrize('kind', FAKES)
def test_a_data_set_that_lies_in_a_bucket(kind, test_mode, tmp_path, no_local_files):
    make, options = FAKES[kind]
    root = make(tmp_path / 'root')
    options = dict(options, type=kind, test_mode=test_mode, pipeline=PIPELINE)
    options['serialize_data'] = False
    local = DATASETS.build(dict(options, data_root=str(root)))
    pictures = [local[0]['img'], local[len(local) - 1]['img']]
    upload(root, 'bucket://data/set')
    no_local_files()
    remote = DATASETS.build(dict(options, data_root='bucket://data/set'))
    assert remote.get_data_info(0)['img_path'].startswith('bucket://data/set/')
    assert len(remote) == len(local)
    for index, picture in zip((0, len(remote) - 1), pictures):
        np.testing.assert_array_equal(remote[index]['img'], picture)
    for index in range(len(local)):
        a, b = local.get_data_info(index), remote.get_data_info(index)
        assert told(a) == told(b)
    assert [t.name for t in remote.protocols] == [t.name for t in local.protocols]
    assert remote.num_identities == local.num_identities


def test_path_mapping_turns_local_names_into_those_of_the_bucket(tmp_path):
    """As MMDetection's configs write it: one backend_args for annotations and for pictures."""
    root = make_fake_prw(tmp_path / 'prw')
    upload(root, 'bucket://lab/prw')
    args = dict(backend='bucket', path_mapping={'data/': 'bucket://lab/'})
    pipeline = [dict(type='LoadSceneImage', backend_args=args), *PIPELINE[1:]]
    remote = DATASETS.build(
        dict(type='PRWDataset', data_root='data/prw', backend_args=args, pipeline=pipeline)
    )
    assert remote.get_data_info(0)['img_path'].startswith('data/prw/frames/')
    same(remote, DATASETS.build(dict(type='PRWDataset', data_root=str(root), pipeline=PIPELINE)))
    assert all(key.startswith('bucket://lab/prw') for key in ASKED)


def test_local_annotations_and_pictures_in_a_bucket(tmp_path):
    root = make_fake_prw(tmp_path / 'prw')
    upload(root / 'frames', 'bucket://frames')
    prefix = dict(img_path='bucket://frames')
    cfg = dict(type='PRWDataset', data_root=str(root), data_prefix=prefix, pipeline=PIPELINE)
    remote = DATASETS.build(cfg)
    assert all(key.startswith('bucket://frames/c') for key in ASKED)
    (root / 'frames').rename(root / 'gone')
    same(remote, DATASETS.build(dict(cfg, data_prefix=dict(img_path='gone'))))
    crops = DATASETS.build(
        dict(type='PersonCropDataset', dataset=dict(cfg, pipeline=[]), pipeline=PIPELINE)
    )
    assert crops[0]['img'].size


def test_mmengines_local_backend_gives_the_same(tmp_path):
    root = make_fake_coco(tmp_path / 'coco')
    args = dict(backend='local')
    _, options = FAKES['CocoPersonSearchDataset']
    options = dict(options, type='CocoPersonSearchDataset', data_root=str(root), test_mode=True)
    pipeline = [dict(type='LoadSceneImage', backend_args=args), *PIPELINE[1:]]
    through = DATASETS.build(dict(options, backend_args=args, pipeline=pipeline))
    same(through, DATASETS.build(dict(options, pipeline=PIPELINE)))


def test_crops_and_joined_data_sets_read_where_their_pictures_are(tmp_path):
    args = dict(backend='bucket', path_mapping={'data/': 'bucket://lab/'})
    for make, name in ((make_fake_prw, 'prw'), (make_fake_cuhk_sysu, 'cuhk')):
        upload(make(tmp_path / name), f'bucket://lab/{name}')
    load = dict(type='LoadSceneImage', backend_args=args)
    parts = [
        dict(type='PRWDataset', data_root='data/prw', backend_args=args, pipeline=[load]),
        dict(type='CUHKSYSUDataset', data_root='bucket://lab/cuhk', pipeline=PIPELINE),
    ]
    whole = ConcatPersonSearchDataset(datasets=parts)
    assert whole[len(whole) - 1]['img'].shape == whole[0]['img'].shape == (120, 160, 3)
    joint = dict(type='ConcatPersonSearchDataset', datasets=parts)
    crops = PersonCropDataset(dataset=joint, pipeline=PIPELINE, cache=False)
    assert crops[0]['img'].size
    assert crops[len(crops) - 1]['img'].size


class TestReading:
    def test_local_files_go_no_way_round(self, tmp_path, monkeypatch):
        """The default stays one read of the file, without MMEngine's backends."""
        calls = []
        fromfile = np.fromfile
        monkeypatch.setattr(np, 'fromfile', lambda *a, **k: calls.append(a) or fromfile(*a, **k))
        monkeypatch.setattr('mmclsa.datasets.storage.get_file_backend', pytest.fail)
        root = make_fake_coco(tmp_path)
        path = sorted((root / 'img').iterdir())[0]
        LoadSceneImage()(dict(img_path=str(path)))
        assert len(calls) == 1
        assert not is_remote(str(path))
        assert open_path(str(path)) == path

    def test_what_is_missing_broken_or_unreachable_is_named(self, bucket):
        with pytest.raises(DataError, match=r'image bucket://a\.jpg cannot be read \(No such file'):
            read_image('bucket://a.jpg')
        bucket['bucket://a.jpg'] = b'text'
        with pytest.raises(DataError, match=r'bucket://a\.jpg \(4 bytes\) is empty or broken'):
            LoadSceneImage()(dict(img_path='bucket://a.jpg'))
        bucket['bucket://a.jpg'] = None
        with pytest.raises(DataError, match=r'a\.jpg cannot be read from its storage \(Connection'):
            read_image('bucket://a.jpg')
        with pytest.raises(DataError, match=r'bucket://data/prw/ID_train\.mat is missing'):
            DATASETS.build(dict(type='PRWDataset', data_root='bucket://data/prw'))

    def test_backends_that_are_not_there(self):
        with pytest.raises(ConfigError, match=r"with backend_args \{'backend': 'no'\}"):
            LoadSceneImage(backend_args=dict(backend='no'))(dict(img_path='a.jpg'))
        with pytest.raises(ConfigError, match=r'nowhere://a/b cannot be read'):
            open_path('nowhere://a/b')

    def test_videos_and_mot_folders_are_local(self, bucket):
        bucket['bucket://a.mp4'] = b'video'
        with pytest.raises(ConfigError, match=r'video bucket://a\.mp4 lies in a storage, but'):
            LoadSceneImage()(dict(img_path='bucket://a.mp4', frame=3))
        with pytest.raises(ConfigError, match=r'reads local folders alone.*: convert'):
            MOTChallengeDataset(sequences=['a'], data_root='bucket://mot')

    def test_first_picture_is_looked_for(self, tmp_path):
        root = make_fake_prw(tmp_path / 'prw', images=False)
        upload(root, 'bucket://prw')
        with pytest.raises(
            DataError, match=r'PRW is not complete: bucket://prw/frames/c\S+ is mis'
        ):
            DATASETS.build(dict(type='PRWDataset', data_root='bucket://prw'))


class TestPaths:
    def test_a_storage_path_is_like_a_path(self, bucket):
        bucket.update({'bucket://a/b/TestG50.mat': b'1', 'bucket://a/b/x.txt': 'ä\n'.encode()})
        root = open_path('bucket://a')
        assert isinstance(root, StoragePath)
        assert isinstance(root, ReadablePath)
        assert as_path(root) is root
        path = root / as_path('b/TestG50.mat')
        assert (str(path), path.name, path.stem) == (
            'bucket://a/b/TestG50.mat',
            'TestG50.mat',
            'TestG50',
        )
        assert path.exists()
        assert not (root / 'c').exists()
        assert (root / 'b').is_dir()
        assert [str(p) for p in (root / 'b').glob('TestG*.mat')] == [str(path)]
        assert (root / 'b' / 'x.txt').read_text() == 'ä\n'
        with pytest.raises(FileNotFoundError, match='No such file'):
            (root / 'c').read_bytes()
        assert repr(root) == "StoragePath('bucket://a')"

    def test_join(self, tmp_path):
        assert join('bucket://a', 'b/', '', 'c.jpg') == 'bucket://a/b/c.jpg'
        assert join(str(tmp_path), 'b', 'c.jpg') == str(tmp_path / 'b' / 'c.jpg')


def test_verifying_a_data_set_in_a_bucket(tmp_path):
    root = make_fake_prw(tmp_path / 'prw')
    upload(root, 'bucket://lab/prw')
    args = dict(backend='bucket', path_mapping={'data/': 'bucket://lab/'})
    load = dict(type='LoadSceneImage', backend_args=args)
    cfg = dict(type='PRWDataset', data_root='data/prw', backend_args=args, pipeline=[load])
    (leaf,) = find_datasets(dict(train_dataloader=dict(dataset=cfg))).values()
    with DefaultScope.overwrite_default_scope('mmclsa'):
        names = [i['img_path'] for i in (DATASETS.build(cfg).get_data_info(n) for n in range(2))]
        del BUCKET[names[1].replace('data/', 'bucket://lab/')]
        BUCKET[names[0].replace('data/', 'bucket://lab/')] = b'broken'
        report, present = inspect_split('train', leaf)
    assert report.missing == [names[1]]
    broken = [said for said in decode_all(present, 2, report.backend_args) if said]
    assert len(broken) == 1
    assert names[0] in broken[0]


def test_pictures_come_through_workers(tmp_path):
    """A path of a storage, its backend and all, goes into worker processes."""
    root = make_fake_prw(tmp_path / 'prw')
    args = dict(backend='local')
    pipeline = [
        dict(type='LoadSceneImage', backend_args=args),
        dict(type='LoadPersonAnnotations'),
        dict(type='PackPersonSearchInputs'),
    ]
    dataset = DATASETS.build(
        dict(type='PRWDataset', data_root=str(root), backend_args=args, pipeline=pipeline)
    )
    loader = torch.utils.data.DataLoader(
        dataset, num_workers=1, batch_size=None, multiprocessing_context='fork'
    )
    assert sum(item['inputs'].shape == (3, 120, 160) for item in loader) == len(dataset)
