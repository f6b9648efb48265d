"""tools/analysis_tools/benchmark_page.py, on a few drawn people."""

from __future__ import annotations

import json

import pytest

from tests.helpers import run_python

TOOL = 'tools/analysis_tools/benchmark_page.py'
FEW = ('--people', 40, '--minutes', 0.1, '--size', 160, 120, '--fps', 10, '--dims', 16)


def test_figures_of_a_small_index(tmp_path):
    options = ('--queries', 3, '--no-crops', '--work-dir', tmp_path / 'w', '--out', tmp_path / 'o')
    done = run_python(TOOL, *FEW, *options)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / 'o').read_text())['figures']
    assert list(figures) == ['search', 'answer', 'crops', 'all']
    for values in figures.values():
        assert 0 < values['median'] <= values['percentile_95']
    assert figures['search']['median'] <= figures['answer']['median'] <= figures['all']['median']
    assert not list((tmp_path / 'w').iterdir())


@pytest.mark.parametrize('name', ['people', 'hits', 'minutes'])
def test_what_is_not_positive(run_tool_to_its_error, name):
    assert f'--{name} must be positive' in run_tool_to_its_error(TOOL, f'--{name}', 0)
