"""The exit code of many processes, and what is said of them."""

from __future__ import annotations

import runpy
import signal
import subprocess
import sys

import pytest

from tests.helpers import REPO

TORCHRUN = runpy.run_path(str(REPO / 'tools' / 'misc' / 'torchrun.py'))


@pytest.mark.parametrize(
    ('codes', 'whole'),
    [({75}, 75), ({75, -15}, 75), ({75, -9}, 1), ({2}, 2), ({2, 1}, 2), ({1}, 1), ({-9}, 1)],
)
def test_exit_code(codes, whole):
    assert TORCHRUN['exit_code'](codes) == whole


@pytest.mark.parametrize(
    ('code', 'words'),
    [(75, 'has left'), (-9, 'killed from outside'), (-11, 'SIGSEGV'), (1, 'exit code 1')],
)
def test_sentence(code, words):
    assert words in TORCHRUN['sentence'](3, code)


def test_what_torchrun_refuses_is_a_sentence(monkeypatch, capsys):
    before = signal.getsignal(signal.SIGUSR1)
    monkeypatch.setattr(sys, 'argv', ['torchrun.py', '--nproc_per_node', 'two', 'train.py'])
    try:
        assert TORCHRUN['main']() == 2
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert capsys.readouterr().err.splitlines()[-1].startswith('error: torchrun cannot start')


def test_a_signal_is_passed_on_to_those_that_are_left(monkeypatch):
    gone = subprocess.Popen(['true'])
    gone.wait()
    left = subprocess.Popen(['sleep', '600'])
    monkeypatch.setitem(TORCHRUN['pass_on'].__globals__, 'children', lambda: [gone.pid, left.pid])
    try:
        TORCHRUN['pass_on'](signal.SIGUSR1, None)
        assert left.wait(60) == -signal.SIGUSR1
    finally:
        left.kill()
        left.wait()
