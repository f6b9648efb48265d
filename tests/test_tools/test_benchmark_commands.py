"""The benchmark of whole commands, on a hundredth of the data."""

from __future__ import annotations

import json
import sys

from tests.helpers import run_python

PEER = """
import sys
import numpy as np
from mmclsa.datasets.readers.cuhk_sysu import cuhk_sysu_protocols
from mmclsa.evaluation.functional import evaluate_searches
from mmclsa.structures import Predictions

root, predictions, out = sys.argv[1:]
tasks = cuhk_sysu_protocols(root, ['gallery_100'])
result = evaluate_searches(tasks, Predictions.load(predictions))[0]
values = result.average_precisions.copy()
values[3] += 0.25
np.save(out, values)
"""


def benchmark(*words):
    return run_python('tools/analysis_tools/benchmark_commands.py', *map(str, words))


def test_every_command_runs_and_a_peer_is_compared(tmp_path):
    (tmp_path / 'peer.py').write_text(PEER)
    command = f'{sys.executable} {tmp_path / "peer.py"} {{root}} {{predictions}} {{out}}'
    options = ['--folder', tmp_path / 'b', '--sizes', 50, 100, '--scale', 0.01]
    result = benchmark(*options, '--peer', command, '--json', tmp_path / 'rows.json')
    assert result.returncode == 0, result.stderr
    rows = {row['command']: row for row in json.loads((tmp_path / 'rows.json').read_text())}
    assert abs(rows['peer']['largest_difference'] - 0.25) < 1e-12
    assert '2.50e-01' in result.stdout
    assert {'eval_search.py, gallery_100', 'train.py --help'} < set(rows)
    assert all(row['first'] > 0 for name, row in rows.items() if name != 'peer')


def test_what_cannot_be_measured_is_a_sentence(tmp_path):
    result = benchmark('--folder', tmp_path, '--sizes', 50, '--peer', 'true')
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr.strip() == 'error: --peer needs a gallery of 100 among --sizes'
    result = benchmark('--folder', tmp_path, '--scale', 2)
    assert result.stderr.strip() == 'error: --scale must lie in 0..1, but is 2.0'
