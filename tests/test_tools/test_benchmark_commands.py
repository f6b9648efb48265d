"""The benchmark of whole commands: files, times, memory, and a peer beside ours."""

from __future__ import annotations

import json
import os
import runpy
import sys

import pytest

from mmclsa.datasets.readers.cuhk_sysu import cuhk_sysu_protocols, read_cuhk_sysu
from mmclsa.errors import ConfigError, UserError
from mmclsa.structures import Predictions
from tests.helpers import REPO, run_python

TOOL = 'tools/analysis_tools/benchmark_commands.py'

#: A peer: evaluates by loops over what it is given, and is wrong by 0.25 on one query.
PEER = """
import sys
import numpy as np
from mmclsa.datasets.readers.cuhk_sysu import cuhk_sysu_protocols
from mmclsa.evaluation.functional.search import evaluate_search
from mmclsa.structures import Predictions
root, predictions, out = sys.argv[1:4]
(task,) = cuhk_sysu_protocols(root, ['gallery_100'])
found = evaluate_search(task, Predictions.load(predictions)).average_precisions
found[0] += 0.25
np.save(out, found[: len(found) - int(sys.argv[4])])
"""


@pytest.fixture
def tool():
    return runpy.run_path(str(REPO / TOOL), run_name='tool')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A hundredth of the data set, with galleries that its images suffice for."""
    folder = tmp_path_factory.mktemp('commands')
    make = runpy.run_path(str(REPO / TOOL), run_name='tool')['make_files']
    make(folder, [50, 100], 0.02, 0)
    (folder / 'peer.py').write_text(PEER)
    return folder


def test_the_files_are_read_as_cuhk_sysu(folder):
    root = folder / 'cuhk_sysu'
    small, large = cuhk_sysu_protocols(root, ['gallery_50', 'gallery_100'])
    assert (small.gallery_size, large.gallery_size) == (50, 100)
    assert len(small) == len(large) == 58
    found = Predictions.load(folder / 'predictions.npz')
    assert len(found.query_embeddings) == 58
    known = {scene.image for scene in read_cuhk_sysu(root, 'test')}
    assert set(found.images.tolist()) <= known


def test_files_that_are_there_are_kept(tool, folder):
    before = (folder / 'predictions.npz').stat().st_mtime_ns
    tool['make_files'](folder, [50, 100], 0.02, 0)
    assert (folder / 'predictions.npz').stat().st_mtime_ns == before


def test_a_command_is_timed_and_its_memory_measured(tool):
    code = 'import time; block = bytearray(64 << 20); time.sleep(0.3)'
    cost = tool['run']([sys.executable, '-c', code], {})
    assert 0.3 < cost.seconds < 30
    assert 0 < cost.work < cost.seconds  # it sleeps
    assert 64 < cost.peak < 1024


def test_a_command_that_times_itself_is_believed(tool):
    code = 'print("reading"); print(0.125)'
    assert tool['run']([sys.executable, '-c', code], {}).seconds == 0.125


def test_a_command_that_fails_ends_the_benchmark(tool):
    code = 'import sys; print("no such thing"); sys.exit(3)'
    with pytest.raises(UserError, match=r'ended with 3: no such thing'):
        tool['run']([sys.executable, '-c', code], {})


def test_every_row_of_the_table_is_a_command(tool, folder, monkeypatch):
    monkeypatch.setattr('sys.argv', [TOOL, '--folder', str(folder), '--index', 'an/index'])
    args = tool['parse_args']()
    tasks = tool['tasks'](folder / 'cuhk_sysu', folder / 'predictions.npz', args)
    titles = [task.title for task in tasks]
    assert titles[:3] == [
        'eval_search.py, gallery_100',
        'eval_search.py, gallery_1000',
        'eval_search.py, gallery_50 to gallery_4000 and full',
    ]
    assert titles[-1] == 'index opened, after the import'
    assert [task.goals for task in tasks[:4]] == [(None, 2), (None, 3), (60, 8), (None, 3)]
    assert 'full' in tasks[2].command


def test_the_second_run_finds_the_cache_of_the_first(tool, folder, monkeypatch, capsys, tmp_path):
    """One command is enough; all others are as it."""
    every = tool['tasks']
    patched = tool['main'].__globals__
    monkeypatch.setitem(patched, 'tasks', lambda *given: every(*given)[:1])
    out = tmp_path / 'table.json'
    peer = f'{sys.executable} {folder / "peer.py"} {{root}} {{predictions}} {{out}} 0'
    monkeypatch.setattr(
        'sys.argv',
        [TOOL, '--folder', str(folder), '--sizes', '50', '100', '--peer', peer, '--json', str(out)],
    )
    monkeypatch.setenv('PYTHONPATH', str(REPO))
    tool['main']()
    said = capsys.readouterr().out
    assert '| eval_search.py, gallery_100' in said
    row, theirs = json.loads(out.read_text())
    assert row['again']['seconds'] > 0
    assert row['again']['work'] > 0
    assert row['again']['peak'] > 16
    assert any((folder / 'cache' / 'files').iterdir())
    assert theirs['largest_difference'] == pytest.approx(0.25)
    assert theirs['seconds'] > 0
    assert 'largest difference of the AP of a query 2.50e-01' in said


def test_a_peer_of_other_queries_is_refused(tool, folder, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(REPO))
    peer = f'{sys.executable} {folder / "peer.py"} {{root}} {{predictions}} {{out}} 1'
    with pytest.raises(UserError, match=r'AP of 58 queries, but got an array of shape \(57,\)'):
        tool['compare_with_peer'](
            peer, folder / 'cuhk_sysu', folder / 'predictions.npz', dict(os.environ)
        )


def test_mistakes_are_user_errors(run_tool_here, tmp_path):
    with pytest.raises(ConfigError, match='--peer needs a gallery of 100'):
        run_tool_here(TOOL, '--folder', tmp_path, '--sizes', '50', '--peer', 'true')
    with pytest.raises(ConfigError, match='--scale'):
        run_tool_here(TOOL, '--folder', tmp_path, '--scale', '2')
    assert not list(tmp_path.iterdir())


def test_every_command_runs(folder, tmp_path):
    result = run_python(
        *(TOOL, '--folder', folder, '--sizes', 50, 100, '--scale', 0.02),
        *('--json', tmp_path / 'rows.json'),
    )
    assert result.returncode == 0, result.stderr
    rows = json.loads((tmp_path / 'rows.json').read_text())
    assert {'eval_search.py, gallery_100', 'train.py --help'} < {row['command'] for row in rows}
    assert all(row['first']['seconds'] > 0 for row in rows)
