"""Sizes from headers: as pictures are loaded, read once, and all that a batch sampler needs."""

from __future__ import annotations

import json
import os

import cv2
import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image

from mmclsa.datasets import CUHKSYSUDataset
from mmclsa.datasets import picture_sizes as module
from mmclsa.datasets.picture_sizes import picture_sizes, readable_sizes
from mmclsa.engine import load_config
from mmclsa.errors import DataError
from mmclsa.media import picture_size
from tests.fakes import make_fake_cuhk_sysu, make_fake_movienet, make_fake_prw
from tests.helpers import REPO


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('MMCLSA_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


def save(path, width=40, height=20, orientation=None, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.zeros((height, width, 3), np.uint8))
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    picture.save(path, exif=exif, **kwargs)
    return path


@pytest.mark.parametrize('data', [b'', b'text', None])
def test_no_picture(tmp_path, data):
    if data is not None:
        (tmp_path / 'a.jpg').write_bytes(data)
    with pytest.raises(DataError, match=r'a\.jpg'):
        picture_sizes(tmp_path, ['a.jpg'])


class TestCache:
    @pytest.fixture
    def opened(self, monkeypatch):
        """Names of the pictures whose headers were read."""
        names = []

        def record(path):
            names.append(path.name)
            return picture_size(path)

        monkeypatch.setattr(module, 'picture_size', record)
        return names

    def test_read_once(self, tmp_path, opened):
        names = [save(tmp_path / f'{i}.jpg', width=10 + i).name for i in range(5)]
        expected = [(10 + i, 20) for i in range(5)]
        assert picture_sizes(tmp_path, [*names, names[0]]) == [*expected, expected[0]]
        assert sorted(opened) == names
        assert picture_sizes(tmp_path, names[::-1]) == expected[::-1]
        assert sorted(opened) == names

    def test_only_what_changed_is_read_again(self, tmp_path, opened):
        names = [save(tmp_path / f'{i}.jpg').name for i in range(3)]
        picture_sizes(tmp_path, names[:2])
        opened.clear()
        save(tmp_path / '1.jpg', width=20, height=40)
        os.utime(tmp_path / '1.jpg', ns=(1, 1))
        assert picture_sizes(tmp_path, names) == [(40, 20), (20, 40), (40, 20)]
        assert sorted(opened) == ['1.jpg', '2.jpg']

    def test_folders_do_not_mix(self, tmp_path):
        save(tmp_path / 'a' / '0.jpg')
        save(tmp_path / 'b' / '0.jpg', width=20, height=40)
        assert picture_sizes(tmp_path / 'a', ['0.jpg']) == [(40, 20)]
        assert picture_sizes(tmp_path / 'b', ['0.jpg']) == [(20, 40)]

    @pytest.mark.parametrize(
        'content', ['', '[]', '{"version": 1, "pictures": {"0.jpg": [1]}}', '{"version": 0}']
    )
    def test_a_broken_cache_is_read_anew(self, tmp_path, cache, opened, content):
        save(tmp_path / '0.jpg')
        picture_sizes(tmp_path, ['0.jpg'])
        (file,) = (cache / 'picture_sizes').iterdir()
        file.write_text(content)
        assert picture_sizes(tmp_path, ['0.jpg']) == [(40, 20)]
        assert len(opened) == 2
        assert json.loads(file.read_text())['pictures'].keys() == {'0.jpg'}

    def test_a_cache_that_cannot_be_written_is_done_without(self, tmp_path, cache, opened):
        cache.write_text('a file in the way')
        save(tmp_path / '0.jpg')
        for _ in range(2):
            assert picture_sizes(tmp_path, ['0.jpg']) == [(40, 20)]
        assert len(opened) == 2

    def test_long_reading_is_told(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, '_TELL_EVERY', -1.0)
        said = []
        monkeypatch.setattr(module, 'print_log', lambda text, **_: said.append(text))
        picture_sizes(tmp_path, [save(tmp_path / f'{i}.jpg').name for i in range(3)], 'PRW')
        assert said == [f'PRW: sizes of {count} of 3 pictures read' for count in (1, 2)]

    def test_what_is_missing_or_broken_is_passed_over(self, tmp_path, opened):
        save(tmp_path / 'whole.jpg')
        (tmp_path / 'broken.jpg').write_bytes(b'text')
        names = ['gone.jpg', 'broken.jpg', 'whole.jpg']
        for _ in range(2):
            found = readable_sizes(tmp_path, names, 'PRW', tolerant=True)
            assert found == {'whole.jpg': (40, 20)}
        # What could be read is not read again; a picture that breaks is forgotten.
        assert opened.count('whole.jpg') == 1
        (tmp_path / 'whole.jpg').write_bytes(b'no longer')
        assert readable_sizes(tmp_path, names, 'PRW', tolerant=True) == {}


MAKERS = {
    'cuhk_sysu': make_fake_cuhk_sysu,
    'prw': make_fake_prw,
    'movienet_ps': make_fake_movienet,
}


@pytest.mark.parametrize('name', MAKERS)
def test_batches_of_the_configs_are_portrait_or_landscape(tmp_path, monkeypatch, name):
    """KeyError 'width' before; a mixed batch is padded to a square."""
    monkeypatch.setenv('MMCLSA_DATA', str(tmp_path))
    root = MAKERS[name](tmp_path / name, num_train=8)
    for index, path in enumerate(sorted(root.rglob('*.jpg'))):
        if index % 2:
            cv2.imwrite(str(path), np.zeros((160, 120, 3), np.uint8))
    config = REPO / 'configs' / '_base_' / 'datasets' / f'{name}.py'
    options = dict(num_identities=4, image_scale=(96, 64))
    options['train_dataloader.batch_size'] = 2
    cfg = load_config(str(config), options)
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    init_default_scope('mmclsa')
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    shapes = [
        [tuple(picture.shape[1:]) for picture in batch['inputs']]
        for _ in range(3)
        for batch in loader
    ]
    whole = [batch for batch in shapes if len(batch) == 2]
    mixed = [batch for batch in whole if len({h > w for h, w in batch}) > 1]
    # What is left of both kinds at the end of an epoch makes the last batch.
    assert len(mixed) <= 3
    assert len(whole) - len(mixed) >= 6
    assert {h > w for batch in shapes for h, w in batch} == {True, False}


def test_sizes_are_for_training_with_pictures(tmp_path):
    root = str(make_fake_cuhk_sysu(tmp_path, images=False))
    assert 'width' not in CUHKSYSUDataset(data_root=root, check_images=False).get_data_info(0)
    make_fake_cuhk_sysu(tmp_path)
    info = CUHKSYSUDataset(data_root=root).get_data_info(0)
    assert (info['width'], info['height']) == (160, 120)
    assert 'width' not in CUHKSYSUDataset(data_root=root, test_mode=True).get_data_info(0)


def test_a_missing_training_picture_shows_when_the_data_set_is_built(tmp_path):
    root = make_fake_cuhk_sysu(tmp_path)
    (root / 'Image' / 'SSM' / 's4.jpg').unlink()
    with pytest.raises(DataError, match=r's4\.jpg cannot be read'):
        CUHKSYSUDataset(data_root=str(root))
