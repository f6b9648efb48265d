"""What several tests share that is no fixture."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
SHARED = REPO.parent / 'shared'

needs_shared = pytest.mark.skipif(
    not (SHARED / 'golden').is_dir(), reason='the folder ../shared is not there'
)


def run_python(*args: object, timeout: float = 300, **env: str) -> subprocess.CompletedProcess:
    """Run the interpreter of the tests on a script of the repository."""
    return subprocess.run(
        [sys.executable, *map(str, args)],
        cwd=REPO,
        env={**os.environ, 'OMP_NUM_THREADS': '1', **env},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def assert_user_error(result: subprocess.CompletedProcess, *words: str) -> None:
    """Check for exit code 2 and one sentence on stderr that has the words."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert 'Traceback' not in result.stdout + result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith('error: ')]
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0]


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is so, rather than for a time in which it should have come to be."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
