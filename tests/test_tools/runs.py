"""Starting the tools as a user does, on the toy training, and waiting for their end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config

from tests.helpers import REPO
from tests.test_engine.toy import toy_config

ENV = {
    **os.environ,
    'OMP_NUM_THREADS': '1',
    'PYTHON': sys.executable,
    'PYTHONPATH': os.pathsep.join([str(REPO), os.environ.get('PYTHONPATH', '')]),
}
A_MINUTE = 60


def toy_file(folder: Path, *hooks: dict, name: str = 'work', **overrides: Any) -> Path:
    """Write the toy config with more hooks; its work dir is ``folder / name``."""
    cfg = Config(toy_config(folder / name, **overrides))
    cfg.custom_imports = {'imports': ['tests.test_engine.toy']}
    cfg.custom_hooks.extend(hooks)
    cfg.log_level = 'INFO'
    path = folder / f'{name}.py'
    cfg.dump(path)
    return path


@contextmanager
def started(*command: Any, log: Path, **env: str) -> Iterator[subprocess.Popen]:
    """Start a command in a process group of its own, which does not outlive the test."""
    with open(log, 'ab') as stream:
        process = subprocess.Popen(
            [*map(str, command)],
            cwd=REPO,
            env={**ENV, **env},
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def finish(*command: Any, log: Path, timeout: float = 300, **env: str) -> int:
    """Run a command to its end; return its exit code."""
    with started(*command, log=log, **env) as process:
        return process.wait(timeout)


def wait_for(condition: Any, seconds: float, log: Path) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Tell whether a process runs, and is no zombie."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def rank_pids(work_dir: Path, ranks: int, log: Path) -> list[int]:
    """Wait until every rank of a :class:`Slow` training has begun; give their processes."""
    files = [work_dir / f'rank{rank}.pid' for rank in range(ranks)]
    wait_for(lambda: all(f.exists() and f.read_text() for f in files), 240, log)
    return [int(file.read_text()) for file in files]
