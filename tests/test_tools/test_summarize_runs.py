"""Means and ranges of the figures of several runs."""

from __future__ import annotations

import json

from tests.helpers import assert_user_error, run_python

TOOL = 'tools/analysis_tools/summarize_runs.py'


def write(path, mean_ap, recall=0.5):
    figures = {'search/p/mAP': mean_ap, 'search/p/top1': 0.25, 'search/detection/recall': recall}
    path.write_text(json.dumps(figures))


def test_mean_and_range(tmp_path):
    for seed, value in enumerate((0.5, 0.6, 0.8)):
        write(tmp_path / f'seed_{seed}.json', value)
    write(tmp_path / 'alone.json', 0.125)
    result = run_python(
        TOOL, f'three={tmp_path}/seed_*.json', f'one={tmp_path}/alone.json',
        '--figures', 'mAP', 'detection/recall', '--markdown',
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    lines = [[cell.strip() for cell in row.split('|')] for row in result.stdout.splitlines()]
    assert lines[2][1:-1] == ['three', '3', '63.3 (50.0-80.0)', '50.0 (50.0-50.0)']
    assert lines[3][1:-1] == ['one', '1', '12.5', '50.0']


def test_wrong_input(tmp_path):
    write(tmp_path / 'a.json', 0.5)
    assert_user_error(run_python(TOOL, 'nothing'), 'NAME=PATTERN', 'nothing')
    assert_user_error(run_python(TOOL, f'x={tmp_path}/b.json'), 'b.json')
    assert_user_error(run_python(TOOL, f'x={tmp_path}/a.json'), 'detection/ap')
    (tmp_path / 'a.json').write_text('[1]')
    assert_user_error(run_python(TOOL, f'x={tmp_path}/a.json'), 'a.json', 'figures by their names')
    (tmp_path / 'a.json').write_text('{"p/mAP": "high"}')
    told = run_python(TOOL, f'x={tmp_path}/a.json', '--figures', 'mAP')
    assert_user_error(told, 'mAP must be a number')
    assert_user_error(run_python(TOOL, f'x={tmp_path}'), 'cannot be read')
    (tmp_path / 'a.json').write_text('{"search')
    assert_user_error(run_python(TOOL, f'x={tmp_path}/a.json'), 'a.json', 'no JSON')
