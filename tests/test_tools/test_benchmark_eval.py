"""The benchmark's tasks have the size they say, and its figures are figures."""

from __future__ import annotations

import json
import runpy

import numpy as np
import pytest

from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional import evaluate_searches
from tests.helpers import REPO, run_python

TOOL = 'tools/analysis_tools/benchmark_eval.py'


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(REPO / TOOL), run_name='tool')


def test_a_worker_measures_a_task_of_true_size():
    # A process of its own: the peak is that of all that a process has ever done.
    done = run_python(TOOL, '--worker', 'cuhk_g100', '--runs', '1', PYTHONPATH=str(REPO))
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures['detections'] == 36000
    assert 0.3 < figures['mAP'] < 0.99
    assert figures['cpu_seconds'] > 0
    assert figures['loaded_mib'] <= figures['peak_mib'] < 2048


def test_prw_has_both_camera_rules(tool):
    predictions, (regular, multi_view), _ = tool['prw'](0, share=0.2)
    assert (len(regular), len(regular.images)) == (2057, 1222)
    assert regular.gallery_size == 1221
    assert multi_view.gallery_size == pytest.approx(1222 * 5 / 6, rel=0.01)
    assert len(predictions.scores) == 5400


def test_a_small_world_is_searched_as_it_was_made(tool):
    """Nearly without noise everybody who was detected is found first."""
    rng = np.random.default_rng(0)
    made = tool['make'](tool['World'](200, 900, 30, 3, 2, rng))
    tasks = [tool['protocol'](made, 50), tool['protocol'](made, None)]
    for result in evaluate_searches(tasks, made.predictions):
        assert result.mean_average_precision > 0.3
    for row, image in enumerate(made.query_images):
        assert image not in tasks[0].gallery(row)


def test_the_plot_is_drawn(tool, tmp_path):
    figures = {
        f'growth_{share}': dict(detections=1000 * share, cpu_seconds=share)
        for share in tool['GROWTH']
    }
    tool['plot'](str(tmp_path / 'growth.png'), figures)
    assert (tmp_path / 'growth.png').read_bytes()[:4] == b'\x89PNG'


def test_mistakes_are_user_errors(run_tool_here):
    with pytest.raises(ConfigError, match='--runs and --threads'):
        run_tool_here(TOOL, '--runs', '0')
    with pytest.raises(ConfigError, match='device'):
        run_tool_here(TOOL, '--device', 'none')
