"""The table of costs is printed, and its ratios are ratios."""

from __future__ import annotations

import json
import runpy

import pytest
import torch

from mmclsa.errors import ConfigError
from tests.helpers import REPO

TOOL = 'tools/analysis_tools/benchmark_train.py'
SIZE = ('--size', '64', '96', '--boxes', '5')
NARROW = [
    '--cfg-options',
    'model.detector.backbone.base_channels=8',
    'model.detector.neck.in_channels=[32,64,128,256]',
    'model.detector.neck.out_channels=16',
    'model.detector.rpn_head.in_channels=16',
    'model.detector.rpn_head.feat_channels=16',
    'model.detector.roi_head.bbox_roi_extractor.out_channels=16',
    'model.detector.roi_head.bbox_head.in_channels=16',
    'model.detector.roi_head.bbox_head.fc_out_channels=32',
    'model.reid.neck.in_channels=[64,128,256]',
    'model.reid.neck.out_channels=16',
    'model.reid.head.in_channels=16',
]


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(REPO / TOOL), run_name='tool')


def test_three_models_side_by_side(run_tool_here, tmp_path, monkeypatch):
    monkeypatch.chdir(REPO)
    out = tmp_path / 'rows.json'
    printed = run_tool_here(TOOL, *SIZE, '--repeats', '1', '--json', out, *NARROW)
    rows = json.loads(out.read_text())
    assert [row['model'] for row in rows] == ['detector alone', 'one level', 'CLSA']
    for key in ('train', 'saved', 'peak', 'test', 'gflops', 'parameters'):
        assert rows[0][f'{key}_ratio'] == pytest.approx(1)
        assert all(row[key] > 0 for row in rows), key
    for key in ('saved', 'gflops', 'parameters'):
        assert 1 < rows[1][f'{key}_ratio'] < rows[2][f'{key}_ratio'], key
    lines = [line for line in printed.splitlines() if 'CLSA  ' in line]
    assert f'{rows[2]["gflops_ratio"]:.3f}' in lines[0]


def test_memory_alone(run_tool_here, tmp_path, monkeypatch):
    """Half precision and checkpointing show; each part is a column."""
    monkeypatch.chdir(REPO)
    totals = []
    for options in ([], ['--amp', 'bf16'], ['model.detector.backbone.with_cp=True']):
        amp = options if options[:1] == ['--amp'] else []
        more = [] if amp else options
        out = tmp_path / 'rows.json'
        printed = run_tool_here(TOOL, *SIZE, '--memory-only', '--json', out, *amp, *NARROW, *more)
        (line,) = (line for line in printed.splitlines() if line.startswith('    5 detector'))
        totals.append([float(cell) for cell in line.split()[3:]])
        assert json.loads(out.read_text())[0]['total'] == pytest.approx(totals[-1][4], abs=0.1)
    plain, half, checkpointed = totals
    assert plain[:3] == half[:3] == checkpointed[:3]
    assert plain[4] == pytest.approx(sum(plain[:4]), abs=2)
    assert checkpointed[3] < plain[3]


def test_steps_alternate(tool):
    order = []
    runs = [lambda: order.append('a'), lambda: order.append('b')]
    times = tool['alternate'](runs, 2, torch.device('cpu'))
    assert order == ['a', 'b'] * 3
    assert [len(part) for part in times] == [2, 2]  # without the warm-up


def test_a_ratio_is_of_one_round(tool):
    assert tool['median_ratio']([2.0, 20.0, 4.0], [1.0, 10.0, 4.0]) == 2.0


def test_loading_is_compared_with_the_step(tool, capsys):
    from mmengine.config import Config

    cfg = Config(dict(train_dataloader=dict(num_workers=3)))
    tool['report_loading'](40.0, cfg, step=0.5, batch_size=4)
    printed = capsys.readouterr().out
    assert '40.0 pictures/s by 3 workers' in printed
    assert '8.00 pictures/s: 5.0 times' in printed


def test_mistakes_are_user_errors(run_tool_here, monkeypatch):
    monkeypatch.chdir(REPO)
    with pytest.raises(ConfigError, match='start at 1'):
        run_tool_here(TOOL, '--repeats', '0')
    with pytest.raises(ConfigError, match='SceneReID'):
        run_tool_here(TOOL, 'configs/clsa/clsa_mbv2_mot2pets.py')
