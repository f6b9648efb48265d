"""Fixtures and settings of all tests."""

from __future__ import annotations

import os

# Before anything imports NumPy or PyTorch: xdist already uses every core.
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('MPLBACKEND', 'Agg')

import runpy
from pathlib import Path

import pytest

from tests.helpers import REPO, SHARED


@pytest.fixture(scope='session')
def shared_root() -> Path:
    """The folder ../shared, or a skip where it is not there."""
    if not (SHARED / 'golden').is_dir():
        pytest.skip('the folder ../shared is not there')
    return SHARED


@pytest.fixture(autouse=True)
def _clean_globals() -> None:
    """Undo what a Runner leaves behind: scopes, loggers and visualizers."""
    yield
    from mmengine.logging import MessageHub, MMLogger
    from mmengine.registry import DefaultScope
    from mmengine.visualization import Visualizer

    for manager in (MMLogger, MessageHub, Visualizer, DefaultScope):
        manager._instance_dict.clear()


@pytest.fixture
def run_tool_here(monkeypatch, capsys):
    """Run a tool's main in this process and return what it prints."""

    def run(script, *args):
        monkeypatch.setattr('sys.argv', [str(script), *map(str, args)])
        runpy.run_path(str(REPO / script), run_name='tool')['main']()
        return capsys.readouterr().out

    return run
