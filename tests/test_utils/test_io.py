from __future__ import annotations

import os
import stat

import numpy as np
import pytest

from mmclsa.errors import UserError
from mmclsa.utils import atomic_write, check_writable
from mmclsa.utils.io import write_json
from mmclsa.visualization import write_picture


def test_replaces_the_file_at_the_end_only(tmp_path):
    target = tmp_path / 'result.json'
    target.write_text('old')
    with atomic_write(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == '.json'
        temporary.write_text('new')
        assert target.read_text() == 'old'
    assert target.read_text() == 'new'
    assert os.listdir(tmp_path) == ['result.json']


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_file_and_no_other(tmp_path, error):
    target = tmp_path / 'result.json'
    target.write_text('old')

    def write_half():
        with atomic_write(target) as temporary:
            temporary.write_text('half')
            raise error

    with pytest.raises(error):
        write_half()
    assert target.read_text() == 'old'
    assert os.listdir(tmp_path) == ['result.json']


def test_permissions_follow_the_umask(tmp_path):
    umask = os.umask(0o027)
    try:
        with atomic_write(tmp_path / 'a.txt') as temporary:
            temporary.write_text('a')
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / 'a.txt').stat().st_mode) == 0o640


def test_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match=r'cannot write into the folder .*file/work: \w+'):
        check_writable(tmp_path / 'file' / 'work')
    with pytest.raises(UserError), atomic_write(tmp_path / 'file' / 'a.json'):
        pass


def test_what_a_disk_does_is_a_sentence(tmp_path, monkeypatch):
    """*Seen*: a list of people into a folder, or onto a full disk, ended in a traceback."""
    (tmp_path / 'a.json').mkdir()
    with pytest.raises(UserError, match=r'^cannot write .*a\.json: Is a directory$'):
        write_json(tmp_path / 'a.json', [])

    def full(_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(UserError, match=r'^cannot write .*b\.json: No space left on device$'):
        write_json(tmp_path / 'b.json', [])
    with pytest.raises(UserError, match=r'^cannot write .*b\.png: No space left on device$'):
        write_picture(tmp_path / 'b.png', np.zeros((4, 4, 3), np.uint8))
    assert os.listdir(tmp_path) == ['a.json']


def test_check_writable_leaves_nothing(tmp_path):
    assert check_writable(tmp_path / 'a' / 'b') == tmp_path / 'a' / 'b'
    assert os.listdir(tmp_path / 'a' / 'b') == []
