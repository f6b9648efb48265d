"""verify_dataset.py and mot_to_coco.py, run by their command lines."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys

import cv2
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from mmclsa.datasets import CUHKSYSUDataset, PRWDataset
from mmclsa.datasets.verify import SplitReport, find_datasets, inspect_split
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


class TestShownTwice:
    """Images with an identity twice: a copy whose list differs is not the published one."""

    @pytest.fixture
    def prw(self, tmp_path):
        root = make_fake_prw(tmp_path / 'prw')
        return root, dict(type='PRWDataset', data_root=str(root))

    @staticmethod
    def double(root, name):
        path = root / 'annotations' / f'{name}.jpg.mat'
        content = loadmat(path)
        key = next(key for key in content if not key.startswith('__'))
        first = content[key][content[key][:, 0] > 0][:1] + np.array([0, 1, 1, 0, 0])
        savemat(path, {key: np.concatenate([content[key], first])})

    def test_every_difference_is_named(self, prw, monkeypatch):
        root, config = prw
        names = [scene.image[:-4] for scene in PRWDataset(data_root=str(root), pipeline=[]).scenes]
        self.double(root, names[0])
        self.double(root, names[1])
        monkeypatch.setattr(PRWDataset, 'SHOWN_TWICE', {'train': (names[1], 'c9s1_000001')})
        report, _ = inspect_split('train', config)
        assert report.counts['images with an identity twice'] == 2
        assert report.expected['images with an identity twice'] == 2
        assert report.doubles == [
            f'{names[0]} shows an identity twice, but not in the published PRW',
            'c9s1_000001 shows an identity twice in the published PRW, but not here',
        ]
        monkeypatch.setattr(PRWDataset, 'PUBLISHED', {})
        assert not inspect_split('train', config)[0].complete
        monkeypatch.setattr(PRWDataset, 'SHOWN_TWICE', {'train': tuple(names[1::-1])})
        report = inspect_split('train', config)[0]
        assert report.complete
        assert report.doubles == []

    def test_none_is_a_list_too(self, prw, monkeypatch):
        root, config = prw
        monkeypatch.setattr(PRWDataset, 'PUBLISHED', {})
        config['test_mode'] = True
        assert inspect_split('test', config)[0].complete
        scenes = PRWDataset(data_root=str(root), pipeline=[], test_mode=True).scenes
        name = next(scene.image[:-4] for scene in scenes if (scene.person_ids > 0).any())
        self.double(root, name)
        assert [text.split(' ')[0] for text in inspect_split('test', config)[0].doubles] == [name]

    def test_the_lists_of_the_published_data_sets(self):
        """As in the issue trackers of the data sets; see docs/datasets.md."""
        counts = {
            (kind.TITLE, split): len(set(names))
            for kind in (CUHKSYSUDataset, PRWDataset)
            for split, names in kind.SHOWN_TWICE.items()
        }
        assert counts == {
            ('CUHK-SYSU', 'train'): 5, ('CUHK-SYSU', 'test'): 6,
            ('PRW', 'train'): 10, ('PRW', 'test'): 0,
        }  # fmt: skip


def test_sizes_that_disagree_are_all_printed(coco, run_python):
    root, config = coco
    content = json.loads((root / 'annotations.json').read_text())
    for image in content['images']:
        image['width'] += 40
    content['categories'].append(dict(id=2, name='car [red]'))
    content['annotations'].append(dict(id=0, image_id=1, category_id=2, bbox=[1, 1, 5, 5]))
    (root / 'annotations.json').write_text(json.dumps(content))
    result = run_python(VERIFY, config, '--no-decode')
    assert result.returncode == 1
    for image in content['images']:
        assert f'{image["file_name"]} is 160x120, but its annotation says 200x120' in result.stdout
    assert 'left out: boxes of category car' in result.stdout


def test_a_training_set_of_nobody_is_a_sentence(coco, run_python):
    root, config = coco
    content = json.loads((root / 'annotations.json').read_text())
    (root / 'annotations.json').write_text(json.dumps(dict(content, annotations=[])))
    result = run_python(VERIFY, config)
    assert result.returncode == 1
    assert 'Traceback' not in result.stderr
    assert 'nobody to train on: none of its 8 images' in result.stdout
    assert 'no gallery image shows' in result.stdout, 'the test set'


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


def test_drawn_people_are_as_many_as_the_config_says():
    """Their number makes the data set; without it the tiny config was called INCOMPLETE."""
    config = dict(type='SyntheticPersonSearch', num_scenes=12, num_identities=9)
    report, _ = inspect_split('train', config)
    assert (report.counts['identities'], report.expected['identities']) == (9, 9)
    assert report.complete
    tested, _ = inspect_split('test', dict(config, test_mode=True))
    assert tested.counts['query identities'] <= 9


def test_report_is_complete_only_if_all_agrees():
    assert SplitReport('a', dict(images=3), dict(images=3)).complete
    assert not SplitReport('a', dict(images=3), dict(images=4)).complete
    assert not SplitReport('a', missing=['b.jpg']).complete
    assert not SplitReport('a', error='gone').complete
    assert not SplitReport('a', disagreements=['b']).complete
    assert not SplitReport('a', doubles=['b']).complete
    assert SplitReport('a', left_out=dict(b=3), notes=['c']).complete


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
