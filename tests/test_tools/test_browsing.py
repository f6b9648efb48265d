"""print_config.py and browse_dataset.py: what a config is, and what its data sets look like."""

from __future__ import annotations

import cv2
import pytest
from mmengine.config import Config

from tests.fakes import make_fake_coco
from tests.helpers import REPO

TINY = 'configs/clsa/clsa_tiny_synthetic.py'
CROPS = 'configs/clsa/clsa-twostep_yolox-narrow_1xb32-8e_synthetic-hard-crops.py'
PRINT = 'tools/misc/print_config.py'
BROWSE = 'tools/analysis_tools/browse_dataset.py'


def test_the_config_is_printed_with_overrides_of_variables(run_tool_here, tmp_path):
    saved = tmp_path / 'new' / 'whole.py'
    options = ['--save-path', saved, '--cfg-options', 'max_epochs=2']
    printed = run_tool_here(PRINT, REPO / TINY, *options)
    assert "max_epochs=2, type='ResumableEpochBasedTrainLoop'" in printed
    assert Config.fromfile(saved).param_scheduler[1].T_max == 2


def test_mistakes_of_print_config(run_tool_to_its_error, tmp_path):
    words = (PRINT, REPO / TINY, '--save-path', tmp_path / 'a.txt')
    assert '--save-path must end in .py, .json' in run_tool_to_its_error(*words)
    assert 'nothing.py does not exist' in run_tool_to_its_error(PRINT, 'nothing.py')


@pytest.mark.parametrize(('config', 'split'), [(TINY, 'train'), (TINY, 'test'), (CROPS, 'train')])
def test_images_are_drawn(run_tool_here, tmp_path, config, split):
    told = run_tool_here(BROWSE, REPO / config, '--out', tmp_path, '--split', split, '--num', '2')
    assert told.startswith('2 of ')
    pictures = [cv2.imread(str(path)) for path in tmp_path.iterdir()]
    assert len(pictures) == 2
    # The green of people with an identity: BGR.
    assert all((abs(p.astype(int) - (72, 160, 24)).max(axis=2) < 90).any() for p in pictures)


def test_boxes_of_a_test_set_lie_in_its_own_pixels(run_tool_here, tmp_path):
    """The test pipeline resizes images and leaves boxes as annotated."""
    root = make_fake_coco(tmp_path / 'coco')
    test = dict(
        type='CocoPersonSearchDataset', data_root=str(root), ann_file='annotations.json',
        protocol_files=['protocol.json'], data_prefix=dict(img_path='img'), test_mode=True,
        pipeline=[dict(type='LoadSceneImage'), dict(type='mmdet.Resize', scale=(32, 24))],
    )  # fmt: skip
    config = tmp_path / 'config.py'
    config.write_text(f'test_dataloader = dict(dataset={test!r})')
    run_tool_here(BROWSE, config, '--out', tmp_path / 'out', '--split', 'test', '--num', '1')
    (drawn,) = (tmp_path / 'out').iterdir()
    plain = cv2.imread(str(next((root / 'img').iterdir())))
    assert cv2.imread(str(drawn)).shape == plain.shape


def test_mistakes_of_browse_dataset(run_tool_to_its_error, tmp_path):
    (tmp_path / 'a.py').write_text('model = dict()')
    words = (BROWSE, tmp_path / 'a.py', '--out', tmp_path / 'out')
    assert 'the config has no train_dataloader' in run_tool_to_its_error(*words)
