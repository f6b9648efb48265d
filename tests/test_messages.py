"""Errors have one form: what, where, what was expected, what came; no capital, no full stop."""

from __future__ import annotations

import ast
import re

import pytest

from tests.helpers import REPO

FILES = sorted([*(REPO / 'mmclsa').rglob('*.py'), *(REPO / 'tools').rglob('*.py')])
# What may begin with a capital: PersonSearchMetric, FAISS, and products.
NAME = re.compile(r'[A-Z][a-z]+[A-Z]|[A-Z]{2}|(Milvus|Ray)\b')


def sentences(path):
    """Yield line, beginning and end of every message that is raised as it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args):
            continue
        message = node.exc.args[0]
        pieces = message.values if isinstance(message, ast.JoinedStr) else [message]
        ends = [piece.value if isinstance(piece, ast.Constant) else '{}' for piece in pieces]
        if all(isinstance(end, str) for end in ends):
            yield node.lineno, ends[0], ends[-1], ''.join(ends)


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.relative_to(REPO).as_posix())
def test_messages_have_one_form(path):
    for line, first, last, whole in sentences(path):
        assert not first[:1].isupper() or NAME.match(first), f'line {line}: {whole}'
        assert not last.endswith('.') or last.endswith('...'), f'line {line}: {whole}'
        assert not re.search(r'[a-z})][.?!] [A-Z]', whole), f'line {line}: two sentences: {whole}'


def test_messages_are_found():
    assert sum(1 for path in FILES for _ in sentences(path)) > 400
