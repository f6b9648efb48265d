"""verify_dataset.py and mot_to_coco.py, run by their command lines."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys

import cv2
import numpy as np
import pytest

from mmclsa.datasets.verify import SplitReport, find_datasets
from mmclsa.media import VideoReader
from tests.fakes import make_fake_coco, make_fake_mot, make_fake_prw
from tests.helpers import REPO, assert_user_error

VERIFY = 'tools/misc/verify_dataset.py'
CONVERT = 'tools/dataset_converters/mot_to_coco.py'


@pytest.fixture
def run_python(monkeypatch, capsys):
    """Run a tool in this process: a new one takes seconds to import everything."""

    def run(script, *args, **env):
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, 'argv', [script, *map(str, args)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(REPO / script), run_name='__main__')
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(args, end.value.code, printed.out, printed.err)

    return run


@pytest.fixture
def coco(tmp_path):
    """Write a fake data set and a config of it."""
    root = make_fake_coco(tmp_path / 'coco')
    dataset = dict(
        type='CocoPersonSearchDataset',
        data_root=str(root),
        ann_file='annotations.json',
        data_prefix=dict(img_path='img'),
    )
    test = dict(dataset, protocol_files=['protocol.json'], test_mode=True)
    config = tmp_path / 'config.py'
    config.write_text(
        f'train_dataloader = dict(dataset={dataset!r})\n'
        f'val_dataloader = dict(dataset={test!r})\n'
        'test_dataloader = val_dataloader\n'
    )
    return root, config


def test_complete_data_set(coco, run_python):
    result = run_python(VERIFY, coco[1])
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count('missing images') == 2, 'val and test are the same data set'
    assert 'complete' in result.stdout.splitlines()[-1]


def test_missing_and_broken_pictures(coco, run_python):
    root, config = coco
    (root / 'img' / '000001.jpg').unlink()
    (root / 'img' / '000002.jpg').write_bytes(b'\xff\xd8 half a JPEG')
    result = run_python(VERIFY, config)
    assert result.returncode == 1
    assert '000001.jpg' in result.stdout
    assert '000002.jpg (14 bytes) is empty or broken' in result.stdout
    (root / 'img' / '000001.jpg').write_bytes(b'')
    assert run_python(VERIFY, config, '--no-decode').returncode == 0


def test_figures_that_differ_from_the_published(tmp_path, run_python):
    make_fake_prw(tmp_path / 'prw')
    config = REPO / 'configs/_base_/datasets/prw.py'
    # The config's 483 identities are not those of the fake: the data set says so.
    result = run_python(VERIFY, config, MMCLSA_DATA=str(tmp_path))
    assert result.returncode == 1, result.stdout + result.stderr
    assert 'DIFFERENT' in result.stdout
    assert '6,112' in result.stdout


def test_absent_data_set_and_wrong_usage(tmp_path, run_python):
    config = REPO / 'configs/_base_/datasets/cuhk_sysu.py'
    result = run_python(VERIFY, config, MMCLSA_DATA=str(tmp_path / 'no'))
    assert result.returncode == 1
    assert 'Traceback' not in result.stderr
    assert 'no/cuhk_sysu is missing' in result.stdout
    assert_user_error(run_python(VERIFY, tmp_path / 'no.py'), 'no.py')
    (tmp_path / 'empty.py').write_text('a = 1')
    assert_user_error(run_python(VERIFY, tmp_path / 'empty.py'), 'no data loader')


def test_wrappers_are_looked_through():
    leaf = dict(type='A', pipeline=[1])
    config = dict(
        train_dataloader=dict(
            dataset=dict(type='ConcatDataset', datasets=[dict(type='Crops', dataset=leaf), leaf])
        ),
        val_dataloader=None,
        test_dataloader=dict(dataset=dict(type='B')),
    )
    assert find_datasets(config) == {'train': dict(type='A'), 'test': dict(type='B')}


def test_report_is_complete_only_if_all_agrees():
    assert SplitReport('a', dict(images=3), dict(images=3)).complete
    assert not SplitReport('a', dict(images=3), dict(images=4)).complete
    assert not SplitReport('a', missing=['b.jpg']).complete
    assert not SplitReport('a', error='gone').complete


def test_conversion_of_folder_and_video(tmp_path, run_python):
    make_fake_mot(tmp_path, 'seqs/a')
    make_fake_mot(tmp_path, 'seqs/b', video=True, seed=1)
    result = run_python(CONVERT, tmp_path, tmp_path / 'out', '--sequences', 'seqs/*')
    assert result.returncode == 0, result.stderr
    assert '10 images' in result.stdout
    content = json.loads((tmp_path / 'out/annotations.json').read_text())
    names = [image['file_name'] for image in content['images']]
    assert names[0] == 'seqs/a/img1/000001.jpg'
    assert names[5] == 'seqs/b/000001.jpg'
    copy = tmp_path / 'out/img' / names[0]
    assert copy.read_bytes() == (tmp_path / names[0]).read_bytes()
    frame = cv2.imread(str(tmp_path / 'out/img' / names[9])).astype(int)
    video = next((tmp_path / 'seqs/b').glob('*.avi'))
    assert np.abs(frame - VideoReader(video)[4]).mean() < 12, 'the last frame, as JPEG'
    config = tmp_path / 'config.py'
    config.write_text(
        "train_dataloader = dict(dataset=dict(type='CocoPersonSearchDataset', "
        f"data_root={str(tmp_path / 'out')!r}, ann_file='annotations.json', "
        "protocol_files='protocol.json', data_prefix=dict(img_path='img'), test_mode=True))"
    )
    assert run_python(VERIFY, config).returncode == 0


def test_conversion_with_links_and_errors(tmp_path, run_python):
    folder = make_fake_mot(tmp_path, 'a')
    result = run_python(CONVERT, tmp_path, tmp_path / 'out', '--sequences', 'a', '--link')
    assert result.returncode == 0, result.stderr
    link = tmp_path / 'out/img/a/img1/000003.jpg'
    assert link.is_symlink()
    assert isinstance(cv2.imread(str(link)), np.ndarray)
    (folder / 'img1' / '000002.jpg').unlink()
    failed = run_python(CONVERT, tmp_path, tmp_path / 'other', '--sequences', 'a')
    assert_user_error(failed, '000002.jpg is missing')
    assert not (tmp_path / 'other' / 'annotations.json').exists(), 'it stands for a whole result'
    assert_user_error(run_python(CONVERT, tmp_path, tmp_path / 'x', '--sequences', 'z*'), 'z*')
