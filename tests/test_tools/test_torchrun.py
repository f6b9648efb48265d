"""The exit code of many processes, and what is said of them."""

from __future__ import annotations

import runpy

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
