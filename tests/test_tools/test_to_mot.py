"""to_mot.py: what it writes is the data set that it was made of."""

from __future__ import annotations

import configparser
import csv

import cv2
import numpy as np
import pytest

from mmclsa.datasets import CocoPersonSearchDataset, MOTChallengeDataset
from tests.fakes import make_fake_coco

TOOL = 'tools/dataset_converters/to_mot.py'


@pytest.fixture
def written(tmp_path, run_tool_here):
    """A COCO data set with cameras, people without identity and ignored boxes."""
    root = make_fake_coco(tmp_path / 'coco')
    options = dict(
        data_root=str(root),
        ann_file='annotations.json',
        data_prefix=dict(img_path='img'),
        filter_cfg=dict(filter_empty_gt=True),
    )
    before = CocoPersonSearchDataset(**{**options, 'filter_cfg': None}, pipeline=[])
    dataset = dict(options, type='CocoPersonSearchDataset')
    (tmp_path / 'config.py').write_text(f'train_dataloader = dict(dataset={dataset!r})\n')
    told = run_tool_here(TOOL, tmp_path / 'config.py', tmp_path / 'out', '--split', 'train')
    assert f'{len(before.scenes)} images' in told
    return before, tmp_path / 'out'


def test_round_trip(written):
    before, out = written
    after = MOTChallengeDataset(['*'], data_root=str(out), pipeline=[])
    assert not after.disagreements or 'id of 0 or less' in after.disagreements[0]
    assert sum(after.left_out.values()) == 0
    order = sorted(before.scenes, key=lambda scene: f'cam_{scene.cam_id}')
    assert len(after.scenes) == len(order)
    names: dict[tuple[int, int], int] = {}
    for one, two in zip(order, after.scenes):
        np.testing.assert_allclose(one.boxes, two.boxes)
        assert one.ignore.tolist() == two.ignore.tolist()
        for person, again, ignore in zip(one.person_ids, two.person_ids, one.ignore):
            assert (person < 0 or ignore) == (again < 0)
            # A person of two cameras is two people in MOTChallenge.
            if again >= 0:
                assert names.setdefault((one.cam_id, int(person)), int(again)) == again
        picture = cv2.imread(str(before.data_root) + f'/img/{one.image}')
        np.testing.assert_array_equal(picture, cv2.imread(str(out / two.image)))
    assert len(set(names.values())) == len(names)


def test_what_cvat_and_datumaro_read(written):
    """gt.txt of nine columns, ids of people above 0, classes from 1 in labels.txt."""
    _, out = written
    for folder in sorted(out.iterdir()):
        assert (folder / 'gt' / 'labels.txt').read_text().split() == ['person']
        with open(folder / 'gt' / 'gt.txt', newline='') as stream:
            lines = list(csv.reader(stream))
        assert all(len(line) == 9 for line in lines)
        frames = {int(line[0]) for line in lines}
        assert frames <= {int(path.stem) for path in (folder / 'img1').iterdir()}
        assert all(int(line[1]) > 0 or int(line[1]) == -1 for line in lines)
        assert {int(line[7]) for line in lines} == {1}
        info = configparser.ConfigParser()
        info.read(folder / 'seqinfo.ini')
        assert info['Sequence']['name'] == folder.name
        assert int(info['Sequence']['seqLength']) == len(list((folder / 'img1').iterdir()))
        # Datumaro takes all seven and no others.
        assert set(info['Sequence']) == {
            'name', 'imdir', 'framerate', 'seqlength', 'imwidth', 'imheight', 'imext',
        }  # fmt: skip


def test_no_such_split(tmp_path, run_tool_to_its_error):
    config = tmp_path / 'config.py'
    config.write_text("test_dataloader = dict(dataset=dict(type='SyntheticPersonSearch'))\n")
    assert '--split' in run_tool_to_its_error(TOOL, config, tmp_path / 'out', '--split', 'train')
    assert not (tmp_path / 'out').exists()
