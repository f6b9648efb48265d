"""to_coco.py: what it writes is the data set that it was made of."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmclsa.datasets import CocoPersonSearchDataset, SyntheticPersonSearch
from tests.fakes import make_fake_mot
from tests.helpers import assert_user_error, run_python

TOOL = 'tools/dataset_converters/to_coco.py'
OPTIONS = dict(
    num_scenes=6,
    num_identities=4,
    img_size=(96, 64),
    gallery_sizes=(None, 3),
    seed=3,
    test_mode=True,
)


@pytest.fixture(scope='module')
def converted(tmp_path_factory):
    folder = tmp_path_factory.mktemp('coco')
    config = folder / 'config.py'
    dataset = dict(OPTIONS, type='SyntheticPersonSearch')
    config.write_text(f'test_dataloader = dict(dataset={dataset!r})\n')
    result = run_python(TOOL, config, folder / 'out')
    assert result.returncode == 0, result.stderr
    assert '6 images' in result.stdout
    return folder / 'out'


def test_round_trip(converted):
    """Scenes, boxes, people, tasks and every pixel come back."""
    before = SyntheticPersonSearch(**OPTIONS, pipeline=[])
    after = CocoPersonSearchDataset(
        data_root=str(converted),
        ann_file='annotations.json',
        protocol_files=['all.json', 'gallery_3.json'],
        data_prefix=dict(img_path='img'),
        test_mode=True,
        pipeline=[],
    )
    assert len(after) == len(before) == 6
    for number, (one, two) in enumerate(zip(before.scenes, after.scenes)):
        np.testing.assert_allclose(one.boxes, two.boxes)
        assert one.person_ids.tolist() == two.person_ids.tolist()
        picture = cv2.imread(after.get_data_info(number)['img_path'])
        np.testing.assert_array_equal(picture, before.picture(before.get_data_info(number)))
    for one, two in zip(before.protocols, after.protocols):
        assert one.name == two.name
        assert one.person_ids.tolist() == two.person_ids.tolist()
        np.testing.assert_allclose(one.query_boxes, two.query_boxes)
        for query in range(len(one)):
            ours = sorted(one.images[place] for place in one.gallery(query))
            theirs = sorted(two.images[place] for place in two.gallery(query))
            assert ours == theirs


def test_frames_of_a_video(tmp_path):
    """Keys of frames become names of files."""
    make_fake_mot(tmp_path, 'a', video=True)
    dataset = dict(type='MOTChallengeDataset', data_root=str(tmp_path), sequences=['a'])
    config = tmp_path / 'config.py'
    config.write_text(f'train_dataloader = dict(dataset={dataset!r})\n')
    result = run_python(TOOL, config, tmp_path / 'out', '--split', 'train')
    assert result.returncode == 0, result.stderr
    written = sorted(path.name for path in (tmp_path / 'out' / 'img').rglob('*.png'))
    assert len(written) == 5
    assert written[0].endswith('_000001.png')


def test_no_such_split(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text("test_dataloader = dict(dataset=dict(type='SyntheticPersonSearch'))\n")
    assert_user_error(run_python(TOOL, config, tmp_path / 'out', '--split', 'train'), '--split')
    assert not (tmp_path / 'out').exists()
