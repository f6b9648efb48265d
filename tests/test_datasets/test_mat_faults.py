"""MATLAB files that are empty in parts, or of another version: a sentence, never a traceback."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from mmclsa.datasets import CUHKSYSUDataset, PRWDataset
from mmclsa.datasets.readers.cuhk_sysu import cuhk_sysu_protocols, read_cuhk_sysu
from mmclsa.datasets.readers.mat_file import load_mat, mat_string
from mmclsa.datasets.readers.prw import read_prw
from mmclsa.errors import DataError
from tests.fakes import make_fake_cuhk_sysu, make_fake_prw

TESTS = 'annotation/test/train_test'
EMPTY = np.zeros((0, 0))


@pytest.fixture
def prw(tmp_path):
    return make_fake_prw(tmp_path)


@pytest.fixture
def cuhk(tmp_path):
    return make_fake_cuhk_sysu(tmp_path, images=False)


def change(path, name, change):
    """Change a variable of a .mat file in place."""
    content = {k: v for k, v in loadmat(path).items() if not k.startswith('__')}
    content[name] = change(content[name])
    savemat(path, content)


def test_version_7_3(tmp_path):
    """512 bytes of MATLAB's own before the HDF5 file, with the version in bytes 124 to 127."""
    path = tmp_path / 'a.mat'
    header = b'MATLAB 7.3 MAT-file, Platform: GLNXA64'.ljust(124, b' ') + b'\x00\x02IM'
    path.write_bytes(header.ljust(512, b'\0') + b'\x89HDF\r\n\x1a\n' + bytes(1000))
    with pytest.raises(DataError, match=r"a\.mat is a \.mat file of version 7\.3 .*'-v7'"):
        load_mat(path)
    path.write_bytes(b'\x89HDF\r\n\x1a\n' + bytes(1000))  # as others write HDF5
    with pytest.raises(DataError, match=r'a\.mat is no readable \.mat file'):
        load_mat(path)


def test_an_empty_string():
    assert mat_string(EMPTY) == ''
    assert mat_string(np.array([[np.zeros(0, dtype='U1')]], dtype=object)) == ''


class TestPRW:
    @pytest.mark.parametrize('shape', [(0, 0), (0, 5), (1, 0)])
    @pytest.mark.parametrize('split', ['train', 'test'])
    def test_a_frame_without_people(self, prw, shape, split):
        image = read_prw(prw, split)[0].image
        path = prw / 'annotations' / f'{image}.mat'
        name = next(k for k in loadmat(path) if not k.startswith('__'))
        savemat(path, {name: np.zeros(shape)})
        scene = read_prw(prw, split)[0]
        assert scene.boxes.shape == (0, 4)
        assert scene.person_ids.shape == scene.ignore.shape == (0,)
        dataset = PRWDataset(data_root=str(prw), test_mode=split == 'test', pipeline=[])
        assert dataset.get_data_info(0)['instances'] == []

    @pytest.mark.parametrize('shape', [(0, 0), (0, 1), (1, 0)])
    def test_nobody_in_id_train(self, prw, shape):
        savemat(prw / 'ID_train.mat', {'ID_train': np.zeros(shape)})
        with pytest.raises(DataError, match=r'ID_train\.mat, field ID_train: expected the ids'):
            PRWDataset(data_root=str(prw), pipeline=[])
        assert read_prw(prw, 'test')

    @pytest.mark.parametrize('value', [EMPTY, np.zeros((1, 0))])
    def test_no_frames(self, prw, value):
        savemat(prw / 'frame_train.mat', {'img_index_train': value})
        with pytest.raises(DataError, match='expected at least one frame'):
            PRWDataset(data_root=str(prw), pipeline=[])

    def test_a_frame_without_a_name(self, prw):
        names = np.empty((2, 1), dtype=object)
        names[:] = [['c1s1_000001'], [EMPTY]]
        savemat(prw / 'frame_train.mat', {'img_index_train': names})
        with pytest.raises(DataError):
            read_prw(prw, 'train')


class TestCUHK:
    def test_an_image_without_people(self, cuhk):
        def empty(table):
            table[0, 0]['box'] = EMPTY
            return table

        path = cuhk / TESTS / 'Train.mat'
        nobody = np.empty((0, 0), dtype=object)
        savemat(path, {'Train': nobody})
        change(cuhk / 'annotation' / 'Images.mat', 'Img', empty)
        scenes = read_cuhk_sysu(cuhk, 'train')
        assert scenes[0].boxes.shape == (0, 4)
        assert all((scene.person_ids == -1).all() for scene in scenes)

    def test_no_images(self, cuhk):
        savemat(cuhk / 'annotation' / 'Images.mat', {'Img': EMPTY})
        with pytest.raises(DataError, match=r'Images\.mat, field Img: expected at least one image'):
            read_cuhk_sysu(cuhk, 'train')

    def test_an_image_without_a_name(self, cuhk):
        def empty(table):
            table[0, 1]['imname'] = EMPTY
            return table

        change(cuhk / 'annotation' / 'Images.mat', 'Img', empty)
        with pytest.raises(DataError):
            CUHKSYSUDataset(data_root=str(cuhk), pipeline=[], check_images=False)

    def test_an_empty_pool(self, cuhk):
        savemat(cuhk / 'annotation' / 'pool.mat', {'pool': EMPTY})
        with pytest.raises(DataError, match='has no scene for testing'):
            CUHKSYSUDataset(data_root=str(cuhk), test_mode=True, pipeline=[], check_images=False)

    @pytest.mark.parametrize('field', ['Query', 'Gallery'])
    def test_an_empty_task(self, cuhk, field):
        def empty(table):
            table[0, 0][field] = EMPTY
            return table

        change(cuhk / TESTS / 'TestG50.mat', 'TestG50', empty)
        with pytest.raises(DataError, match=r'TestG50\.mat'):
            cuhk_sysu_protocols(cuhk, ['gallery_50'])

    def test_a_query_without_a_box(self, cuhk):
        def empty(table):
            table[0, 0]['Query'][0, 0]['idlocate'] = EMPTY
            return table

        change(cuhk / TESTS / 'TestG50.mat', 'TestG50', empty)
        with pytest.raises(DataError, match=r'query 0: a box must be 4 finite numbers'):
            cuhk_sysu_protocols(cuhk, ['gallery_50'])

    def test_no_queries(self, cuhk):
        savemat(cuhk / TESTS / 'TestG50.mat', {'TestG50': EMPTY})
        with pytest.raises(DataError):
            CUHKSYSUDataset(data_root=str(cuhk), test_mode=True, pipeline=[], check_images=False)
