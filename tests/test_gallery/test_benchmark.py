"""tools/analysis_tools/benchmark_gallery.py on a gallery of a moment."""

from __future__ import annotations

import json

from tests.helpers import assert_user_error, run_python

TOOL = 'tools/analysis_tools/benchmark_gallery.py'


def test_benchmark(tmp_path):
    figures, picture = tmp_path / 'figures.json', tmp_path / 'figures.png'
    options = json.dumps({'structure_from': 1000, 'lists': 8, 'probes': 8, 'code_bytes': 16})
    result = run_python(
        *(TOOL, '--people', 1500, '--kind', 'flat', 'ivf_pq', '--dims', 32),
        *('--options', options, '--queries', 20, '--work-dir', tmp_path / 'work'),
        *('--out', figures, '--plot', picture),
        timeout=500,
    )
    assert result.returncode == 0, result.stderr
    reports = json.loads(figures.read_text())
    assert [report['people'] for report in reports] == [1500, 1500]
    for report in reports:
        assert report['recall'] >= 0.95
        assert report['filtered_complete'] is True
        assert report['times_faster'] == report['numpy_ms'] / report['median_ms']
        assert 0 < report['anonymous_gib'] <= report['peak_gib'] < 2
    assert f'{reports[0]["recall"]:.4f}' in result.stdout
    assert picture.read_bytes().startswith(b'\x89PNG')
    assert not list((tmp_path / 'work').iterdir())


def test_plot_without_figures():
    assert_user_error(run_python(TOOL, '--plot', 'a.png'), '--out')
