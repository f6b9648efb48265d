"""Every tool says what it is for, and what is wrong with its options, at once."""

from __future__ import annotations

import json
import os

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
