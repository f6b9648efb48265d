"""Fixtures and settings of all tests."""

from __future__ import annotations

import os
import tempfile

# Before anything imports NumPy or PyTorch: xdist already uses every core.
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('MPLBACKEND', 'Agg')

import random
import runpy
import signal
import sys
import threading
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from tests.helpers import REPO, SHARED

# The same examples in every run, on however busy a machine; more are drawn by hand, with
# --hypothesis-profile=default.
settings.register_profile(
    'steady',
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile('steady')


@pytest.fixture(scope='session')
def shared_root() -> Path:
    """The folder ../shared, or a skip where it is not there."""
    if not (SHARED / 'golden').is_dir():
        pytest.skip('the folder ../shared is not there')
    return SHARED


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin each test, and the fixtures that are made for it, with the same random numbers.

    Otherwise a test that names no seed draws what those before it on the same worker have left.
    """
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


# What tests read once is not kept for the user's own runs.
_CACHE = tempfile.TemporaryDirectory(prefix='mmclsa-cache-')
os.environ['MMCLSA_CACHE'] = _CACHE.name


@pytest.fixture(scope='session', autouse=True)
def _format_configs_once() -> None:
    """A runner formats its whole config five times, half a second each."""
    from yapf.yapflib import yapf_api

    plain = yapf_api.FormatCode

    @lru_cache(maxsize=64)
    def formatted(text: str, options: tuple[tuple[str, object], ...]) -> tuple[str, bool]:
        return plain(text, style_config=dict(options))

    def format_code(text: str, style_config: dict[str, object]) -> tuple[str, bool]:
        return formatted(text, tuple(sorted(style_config.items())))

    yapf_api.FormatCode = format_code
    yield
    yapf_api.FormatCode = plain


@pytest.fixture(scope='session', autouse=True)
def _read_metafiles_once() -> None:
    """A config with a base of MMDetection's makes MMEngine read its hundred metafiles."""
    from mmengine.config import utils

    plain = utils.load
    utils.load = lru_cache(maxsize=256)(plain)
    yield
    utils.load = plain


# Not SIGCHLD, which PyTorch heeds from the first data worker on.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@pytest.fixture(autouse=True)
def _clean_globals() -> None:
    """Undo what a Runner and a tool leave behind: scopes, loggers, visualizers, trust, signals."""
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    environment, excepthook = dict(os.environ), sys.excepthook
    yield
    for number, handler in handlers.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)
    sys.excepthook = excepthook
    for name in {*environment, *os.environ} - {'PYTEST_CURRENT_TEST'}:
        if name not in environment:
            del os.environ[name]
        elif os.environ.get(name) != environment[name]:
            os.environ[name] = environment[name]
    from mmengine.logging import MessageHub, MMLogger
    from mmengine.registry import DefaultScope
    from mmengine.utils import manager
    from mmengine.visualization import Visualizer

    from mmclsa.utils.trust import trust_checkpoints

    trust_checkpoints(False)
    for kind in (MMLogger, MessageHub, Visualizer, DefaultScope):
        kind._instance_dict.clear()
    # Where making one of them fails, MMEngine keeps its lock, and other threads wait for ever.
    manager._lock = threading.RLock()


@pytest.fixture
def run_tool_here(monkeypatch, capsys):
    """Run a tool's main in this process and return what it prints."""

    def run(script, *args):
        monkeypatch.setattr('sys.argv', [str(script), *map(str, args)])
        runpy.run_path(str(REPO / script), run_name='tool')['main']()
        return capsys.readouterr().out

    return run


@pytest.fixture
def run_tool_to_its_error(monkeypatch, capsys):
    """Run a tool that must end with exit code 2, and return its one sentence.

    In this process: a new one takes seconds to import everything.
    """

    def run(script, *args):
        monkeypatch.chdir(REPO)
        monkeypatch.setenv('LOCAL_RANK', '0')
        monkeypatch.setattr('sys.argv', [str(script), *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPO / script), run_name='__main__')
        error = capsys.readouterr().err
        assert ended.value.code == 2, error
        sentence = error.strip().splitlines()[-1]
        assert sentence.startswith('error: ')
        return sentence

    return run
