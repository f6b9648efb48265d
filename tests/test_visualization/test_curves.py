"""Curves of a training run and of a search."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmclsa.errors import DataError, UserError
from mmclsa.registry import MODELS
from mmclsa.visualization import (
    cmc_curve,
    draw_cmc,
    draw_training_curves,
    read_scalars,
    save_training_curves,
)
from mmclsa.visualization.curves import _panels, find_scalars
from tests.test_engine.toy import toy_config
from tests.test_models.builders import head_cfg


def lines(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(json.dumps(r) + '\n' for r in records))
    return path


def test_cmc_counts_queries():
    ranks = [1, 3, np.inf, np.nan, 1]
    assert cmc_curve(ranks, 3).tolist() == [0.4, 0.4, 0.6]
    assert cmc_curve(ranks, 100)[-1] == 0.6
    assert cmc_curve([], 2).tolist() == [0, 0]


def test_cmc_diagram_draws_every_curve():
    one = draw_cmc({'a': [0.5, 0.6, 0.7]})
    two = draw_cmc({'a': [0.5, 0.6, 0.7], 'b': [0.1, 0.2, 0.3]}, title='PETS')
    assert one.shape == two.shape
    # The second colour of Matplotlib's cycle.
    orange = np.array([255, 127, 14])
    assert not (one == orange).all(-1).any()
    assert (two == orange).all(-1).sum() > 50
    assert draw_cmc({}).ndim == 3
    assert draw_cmc({'none': []}).ndim == 3


def test_logs_of_a_work_dir_in_order(tmp_path):
    second = lines(tmp_path / '20260102' / 'vis_data' / 'scalars.json', {'step': 1})
    first = lines(tmp_path / '20260101' / 'vis_data' / 'scalars.json', {'step': 1})
    assert find_scalars(tmp_path) == [first, second]
    assert find_scalars(first) == [first]
    with pytest.raises(DataError, match=r'is neither a scalars\.json nor a work dir'):
        find_scalars(tmp_path / 'none')


def test_a_resumed_run_is_one_curve(tmp_path):
    first = lines(
        tmp_path / 'a.json',
        *({'loss': 9 - s, 'step': s} for s in (1, 2, 3, 4)),
        {'search/mAP': 0.3, 'step': 1},
        {'search/mAP': 0.5, 'step': 2},
    )
    # Resumed at step 3, epoch 2: what the killed run did after that did not last.
    second = lines(
        tmp_path / 'b.json',
        *({'loss': 1.0, 'step': s} for s in (3, 4, 5)),
        {'search/mAP': 0.7, 'step': 2},
    )
    records = read_scalars([first, second])
    training = sorted((r['step'], r['loss']) for r in records if 'loss' in r)
    assert training == [(1, 8), (2, 7), (3, 1.0), (4, 1.0), (5, 1.0)]
    assert sorted((r['step'], r['search/mAP']) for r in records if 'loss' not in r) == [
        (1, 0.3), (2, 0.7),
    ]  # fmt: skip


def test_broken_logs(tmp_path):
    path = lines(tmp_path / 'scalars.json', {'loss': 1.0, 'step': 1})
    path.write_text(path.read_text() + '{"loss": 0.5, "st')
    assert len(read_scalars([path])) == 1, 'the run may still be writing its last line'
    path.write_text('{"loss"\n{"loss": 1.0, "step": 1}\n')
    with pytest.raises(DataError, match='line 1 is no JSON'):
        read_scalars([path])
    path.write_text('[1]\n')
    with pytest.raises(DataError, match='line 1 is no JSON object'):
        read_scalars([path])
    path.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(DataError, match=r'scalars\.json cannot be read'):
        read_scalars([path])
    with pytest.raises(DataError, match='cannot be read'):
        read_scalars([tmp_path / 'none.json'])
    path.write_text('{"time": 3}\n')
    with pytest.raises(DataError, match=r'scalars\.json.*neither losses nor figures'):
        save_training_curves(path, tmp_path / 'a.png')
    assert not (tmp_path / 'a.png').exists()


def test_numbers_are_sorted_into_diagrams():
    records = [
        {'step': 2, 'loss': 1.0, 'loss_cls': 0.4, 'loss_id_s0': 0.6, 'lr': 0.1, 'time': 1},
        {'step': 1, 'loss': 2.0, 'loss_cls': 0.8, 'loss_id_s0': 1.2, 'lr': 0.2, 'time': 1},
        {'step': 1, 'detection/recall': 0.5, 'gallery_50/mAP': 0.25, 'data_time': 1},
    ]
    panels = {title: (unit, series) for title, unit, series in _panels(records)}
    assert set(panels['Losses of the detector, and the sum'][1]) == {'loss', 'loss_cls'}
    unit, series = panels['Losses of the re-ID branch']
    assert unit == 'iteration'
    steps, values = series['loss_id_s0']
    assert (steps.tolist(), values.tolist()) == ([1, 2], [1.2, 0.6])
    assert set(panels['Validation: search'][1]) == {'gallery_50/mAP'}
    assert panels['Validation: detection'][0] == 'epoch'
    assert draw_training_curves(records, 'run').shape[1] == 1120


def test_every_loss_of_the_head_is_drawn_as_one_of_the_reid_branch():
    init_default_scope('mmclsa')
    head = MODELS.build(
        head_cfg(
            loss_triplet=dict(type='BatchHardTripletLoss'),
            loss_contrastive=dict(type='SupervisedContrastiveLoss'),
        )
    )
    losses = head.loss([torch.rand(6, 16, 2, 1) for _ in range(3)], torch.arange(6) // 2)
    record = {'loss': 2.0, 'loss_bbox': 1.0, 'step': 1, **dict.fromkeys(losses, 1.0)}
    panels = {title: series for title, _, series in _panels([record])}
    assert set(panels['Losses of the re-ID branch']) == set(losses)
    assert set(panels['Losses of the detector, and the sum']) == {'loss', 'loss_bbox'}


def test_a_long_curve_is_drawn_with_its_mean():
    rng = np.random.default_rng(0)
    records = [{'step': s, 'loss': 5 + rng.normal()} for s in range(200)]
    drawn = draw_training_curves(records)
    blue = np.array([31, 119, 180])
    middle = drawn[:, 100:-20]
    height = np.flatnonzero((np.abs(middle.astype(int) - blue).max(-1) < 10).any(1))
    pale = (middle.std(-1) > 8) & (middle.min(-1) > 120)
    spread = np.flatnonzero(pale.sum(1) > 5)
    assert np.ptp(height) < np.ptp(spread), 'the smooth line spreads less than its pale self'


def test_curves_of_a_real_run(tmp_path):
    runner = Runner.from_cfg(toy_config(tmp_path / 'läufe 街'))
    runner.train()
    out = save_training_curves(tmp_path / 'läufe 街', tmp_path / 'kurven.png')
    drawn = cv2.imdecode(np.frombuffer(out.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert drawn.shape[0] > 300
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='cannot write into the folder'):
        save_training_curves(tmp_path / 'läufe 街', tmp_path / 'file' / 'a.png')
