"""The table of what rows cost is printed, side by side."""

from __future__ import annotations

from tests.helpers import assert_user_error
from tests.ranks import run_tool_forked

TOOL = 'tools/analysis_tools/benchmark_rows.py'
GRID = 'tools/analysis_tools/grids/crops_drawn.py'


def test_ratios_to_the_first_row():
    rows = ['one', 'three', 'one-pyramid']
    result = run_tool_forked(TOOL, GRID, '--rows', *rows, '--people', '8', '--repeats', '2')
    assert result.returncode == 0, result.stderr
    lines = [line.split('|')[1:-1] for line in result.stdout.splitlines() if '|' in line][1:]
    found = {cells[0].strip(): [float(cell) for cell in cells[1:]] for cells in lines}
    assert list(found) == rows
    assert found['one'][1] == found['one'][3] == 1
    assert [values[4] for values in found.values()] == [64, 192, 64]
    assert found['one-pyramid'][3] > 1.5, 'three sizes in place of one'


def test_wrong_rows():
    assert_user_error(run_tool_forked(TOOL, GRID, '--rows', 'nobody'), 'nobody')
    scenes = 'tools/analysis_tools/grids/scenes_drawn.py'
    assert_user_error(run_tool_forked(TOOL, scenes, '--rows', 'three'), 'CropReID')
