"""Docstrings say what they mean where they stand, and evaluation says by which convention."""

from __future__ import annotations

import ast
import re

import pytest

from tests.helpers import REPO

FILES = sorted([*(REPO / 'mmclsa').rglob('*.py'), *(REPO / 'tools').rglob('*.py')])
EVALUATION = sorted((REPO / 'mmclsa' / 'evaluation').rglob('*.py'))
CONVENTION = re.compile(r'^Convention:\n(?P<text>.*?)(?=\n\n\S|\Z)', re.M | re.S)
# What a figure depends on: boxes that are compared, and who comes first of equals.
DEPENDS = re.compile(r'\bIoU of\b|[Ee]qually similar|\btop-k\b')


def documented(path):
    """Yield name and docstring of the public functions and classes of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            text = ast.get_docstring(node)
            if text and not node.name.startswith('_'):
                yield node.name, text


def test_no_docstring_says_likewise():
    documents = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for path in FILES:
        text = path.read_text()
        if 'likewise' in text.lower():
            nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, documents)]
            said = [node for node in nodes if 'likewise' in (ast.get_docstring(node) or '').lower()]
            assert not said, f'{path.relative_to(REPO)}: {said}'


@pytest.mark.parametrize('path', EVALUATION, ids=lambda path: path.name)
def test_conventions_have_a_worked_number(path):
    for name, text in documented(path):
        found = CONVENTION.search(text)
        assert found is not None or not DEPENDS.search(text), f'{name} needs a Convention'
        assert found is None or re.search(r'\d', found['text']), f'{name} needs a number'
        assert found is None or 'Returns:' not in found['text'], f'{name} returns within'


def test_conventions_are_found():
    texts = [text for path in EVALUATION for _, text in documented(path)]
    assert sum(1 for text in texts if CONVENTION.search(text)) > 50
