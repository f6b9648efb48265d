"""Dependencies point one way: structures <- evaluation.functional <- evaluation.metrics."""

from __future__ import annotations

import ast

import pytest

from tests.helpers import REPO

FRAMEWORKS = ('torch', 'mmengine', 'mmcv', 'mmdet')
OURS = ('apis', 'datasets', 'deploy', 'engine', 'evaluation', 'gallery', 'models', 'visualization')


def ours(*parts):
    return tuple(f'mmclsa.{part}' for part in parts)


FORBIDDEN = {
    'structures': (*FRAMEWORKS, *ours(*OURS)),
    'evaluation/functional': (
        *FRAMEWORKS,
        *ours(*(part for part in OURS if part != 'evaluation')),
        *ours('evaluation.metrics', 'evaluation.report', 'evaluation.device'),
    ),
    'evaluation': ours('apis', 'datasets', 'engine', 'gallery', 'models', 'visualization'),
    'models': ours('apis', 'datasets', 'evaluation', 'gallery', 'visualization'),
    'datasets': ours('apis', 'evaluation', 'gallery', 'models', 'visualization'),
}


def imports(path):
    """Every module that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path} has a relative import'
            yield str(node.module)


@pytest.mark.parametrize('folder', FORBIDDEN)
def test_nothing_is_imported_against_the_direction(folder):
    files = sorted((REPO / 'mmclsa' / folder).rglob('*.py'))
    assert files
    for path in files:
        for module in imports(path):
            for wrong in FORBIDDEN[folder]:
                assert not f'{module}.'.startswith(f'{wrong}.'), f'{path} imports {module}'
