"""What is kept of files, and what is not believed."""

from __future__ import annotations

import os

import numpy as np
import pytest

from mmclsa.utils.cache import cache_folder, cached_arrays


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('MMCLSA_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'files'


class Reader:
    """Counts how often it reads."""

    def __init__(self, value=1.5):
        self.value, self.times = value, 0

    def __call__(self):
        self.times += 1
        return dict(numbers=np.full(1000, self.value), names=np.array([b'a', b'bc']))


def test_is_read_once(cache):
    reader = Reader()
    first, second = (cached_arrays(b'content', 'kind', reader) for _ in range(2))
    assert reader.times == 1
    for name in ('numbers', 'names'):
        np.testing.assert_array_equal(first[name], second[name])
        assert first[name].dtype == second[name].dtype
    assert len(list(cache.iterdir())) == 1


def test_another_content_or_kind_is_read(cache):
    cached_arrays(b'content', 'kind', Reader(1))
    assert cached_arrays(b'changed', 'kind', Reader(2))['numbers'][0] == 2
    assert cached_arrays(b'content', 'other', Reader(3))['numbers'][0] == 3
    assert cached_arrays(b'content', 'kind', Reader(4))['numbers'][0] == 1


@pytest.mark.parametrize('damage', ['cut', 'flip', 'empty', 'text'])
def test_what_is_damaged_is_read_again_and_mended(cache, damage):
    cached_arrays(b'content', 'kind', Reader(1))
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            'cut': whole[:middle],
            'flip': whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
            'empty': b'',
            'text': b'no archive',
        }[damage]
    )
    reader = Reader(7)
    assert cached_arrays(b'content', 'kind', reader)['numbers'].tolist() == [7.0] * 1000
    cached_arrays(b'content', 'kind', reader)
    assert reader.times == 1


def test_objects_are_not_loaded(cache):
    cached_arrays(b'content', 'kind', Reader())
    (path,) = cache.iterdir()
    with open(path, 'wb') as stream:
        np.savez(stream, numbers=np.array([object()], dtype=object))
    assert cached_arrays(b'content', 'kind', Reader(3))['numbers'][0] == 3


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('no folder')
    monkeypatch.setenv('MMCLSA_CACHE', str(tmp_path / 'file' / 'cache'))
    reader = Reader()
    for _ in range(2):
        assert cached_arrays(b'content', 'kind', reader)['numbers'][0] == 1.5
    assert reader.times == 2


def test_switched_off(tmp_path, monkeypatch):
    monkeypatch.setenv('MMCLSA_CACHE', 'off')
    monkeypatch.chdir(tmp_path)
    assert cache_folder() is None
    reader = Reader()
    for _ in range(2):
        cached_arrays(b'content', 'kind', reader)
    assert reader.times == 2
    assert os.listdir(tmp_path) == []


def test_where_it_is(tmp_path, monkeypatch):
    monkeypatch.delenv('MMCLSA_CACHE')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert cache_folder() == tmp_path / 'mmclsa'
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    assert cache_folder() == tmp_path / 'home' / '.cache' / 'mmclsa'
