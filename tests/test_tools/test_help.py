"""Every tool says what it is for, and what is wrong with its options, at once."""

from __future__ import annotations

import json
import os
import re

import pytest

from tests.helpers import REPO, run_python

TOOLS = sorted(
    str(path.relative_to(REPO))
    for folder in ('*.py', '*/*.py')
    for path in REPO.glob(f'tools/{folder}')
)
SLOW = (
    'cv2', 'faiss', 'fastapi', 'matplotlib', 'mmcv', 'mmdet', 'mmengine', 'onnxruntime', 'pandas',
    'pyarrow', 'ray', 'rich', 'scipy', 'torch', 'uvicorn',
)  # fmt: skip
MOST_MIB = 120

# Not ru_maxrss, which a process takes over from the one that started it.
MEASURE = """
import json, runpy, sys, time
began = time.perf_counter()
tool, ends = sys.argv[1], []
for option in ('--help', '--no-such-option'):
    sys.argv = [tool, option]
    try:
        runpy.run_path(tool, run_name='__main__')
    except SystemExit as ended:
        ends.append(ended.code)
    if option == '--help':
        seconds = time.perf_counter() - began
        peak = next(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line)
print()
found = dict(ends=ends, modules=list(sys.modules), peak=int(peak) / 1024, seconds=seconds)
print(json.dumps(found))
"""


def test_tools_are_found():
    assert {'tools/train.py', 'tools/misc/torchrun.py'} <= set(TOOLS)


@pytest.mark.skipif(not os.path.exists('/proc/self/status'), reason='memory is read from /proc')
@pytest.mark.parametrize('tool', TOOLS)
def test_command_line_is_read_before_anything_slow_is_imported(tool):
    result = run_python('-c', MEASURE, tool, timeout=60)
    assert result.returncode == 0, result.stderr
    *shown, measured = result.stdout.splitlines()
    found = json.loads(measured)
    print(f'{tool}: {found["seconds"]:.2f} s, {found["peak"]:.0f} MiB')
    assert shown[0].startswith('usage: ')
    assert found['ends'] == [0, 2], result.stderr
    assert 'error: ' in result.stderr
    assert 'Traceback' not in result.stderr
    assert not set(SLOW) & set(found['modules'])
    assert found['peak'] < MOST_MIB


def test_tools_that_take_a_config_take_overrides():
    for tool in TOOLS:
        text = (REPO / tool).read_text()
        takes = re.search(r"add_argument\(\s*'(--)?configs?'", text) is not None
        assert not takes or 'add_cfg_options(' in text, tool


@pytest.mark.parametrize('tool', ['deployment/export_onnx.py', 'analysis_tools/eval_tracks.py'])
def test_overrides_reach_the_config(run_tool_to_its_error, tmp_path, tool):
    image = dict(id=1, file_name='a.png', width=8, height=8)
    truth = dict(images=[image], annotations=[], categories=[dict(id=1, name='person')])
    (tmp_path / 'truth.json').write_text(json.dumps(truth))
    coco = ('--coco', tmp_path / 'truth.json', tmp_path)
    options = coco if 'tracks' in tool else ('--out', tmp_path / 'out')
    config = 'configs/clsa/clsa_tiny_synthetic.py'
    sentence = run_tool_to_its_error(
        f'tools/{tool}', config, 'none', *options, '--cfg-options', 'clown=1'
    )
    assert 'clown is neither a setting' in sentence
