"""Gradient norms of the first steps: the two parts make up the whole."""

from __future__ import annotations

import re

import pytest
from torch import tensor

from tests.helpers import assert_user_error
from tests.ranks import run_tool_forked
from tools.analysis_tools.gradient_norms import split_losses

TOOL = 'tools/analysis_tools/gradient_norms.py'
CONFIG = 'configs/clsa/clsa_faster-rcnn-narrow_1xb4-4e_synthetic-hard.py'
NARROW = [
    '--cfg-options',
    'model.reid.head.num_identities=8',
    'train_dataloader.dataset.num_scenes=8',
    'train_dataloader.dataset.num_identities=8',
    'val_cfg=None',
    'val_dataloader=None',
    'val_evaluator=None',
]


def test_losses_are_sorted_by_part():
    losses = dict(
        loss_rpn_cls=[tensor([1.0, 3.0]), tensor([4.0])],
        loss_bbox=tensor(5.0),
        acc=tensor(99.0),
        loss_id_l0=tensor(7.0),
        loss_align_l0=tensor(0.5),
    )
    assert {name: float(v) for name, v in split_losses(losses).items()} == {
        'detector': 2.0 + 4.0 + 5.0,
        're-ID': 7.5,
    }


def test_table(tmp_path):
    """An empty memory has no gradient; a share of 0 leaves the backbone to the detector."""
    options = [*NARROW, 'model.reid.backbone_grad=0.0']
    result = run_tool_forked(TOOL, CONFIG, '--steps', 2, '--work-dir', tmp_path, *options)
    assert result.returncode == 0, result.stderr[-3000:]
    rows = re.findall(r'^\| (.+?) +\| (\S+) +\| ([\d. |]+) \|$', result.stdout, re.M)
    found = {(of, part): [float(v) for v in values.split('|')] for of, part, values in rows}
    assert len(found) == 4
    assert found['all weights', 'detector'][0] > 0.1
    assert found['all weights', 're-ID'][2] > 1
    assert found['the backbone', 're-ID'] == pytest.approx([0, 0, 0])
    assert found['the backbone', 'detector'][1] > 0


def test_wrong_config(tmp_path):
    assert_user_error(run_tool_forked(TOOL, tmp_path / 'no.py'), 'no.py')
