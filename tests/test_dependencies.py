"""Dependencies point one way, and what needs no framework imports none."""

from __future__ import annotations

import ast
import re

import pytest

from tests.helpers import REPO, run_python

FRAMEWORKS = ('torch', 'mmengine', 'mmcv', 'mmdet')
#: What of mmclsa each part may import, itself included: all else is against the direction.
MAY_IMPORT = {
    'structures': ('errors', 'structures'),
    'media': ('errors', 'media'),
    'utils': ('compat', 'errors', 'utils'),
    'datasets/readers': ('datasets.readers', 'errors', 'media', 'structures', 'utils'),
    'datasets': ('datasets', 'errors', 'media', 'registry', 'structures', 'utils'),
    'models': ('errors', 'models', 'registry', 'utils'),
    'evaluation/functional': ('errors', 'evaluation.functional', 'structures'),
    'evaluation': ('errors', 'evaluation', 'registry', 'structures', 'utils'),
    'gallery': (
        *('errors', 'evaluation.functional', 'gallery', 'media', 'registry', 'structures', 'utils'),
    ),
    'visualization': ('errors', 'evaluation', 'registry', 'structures', 'utils', 'visualization'),
    'engine': (
        *('datasets', 'engine', 'errors', 'evaluation', 'models', 'registry', 'utils'),
        'visualization',
    ),
    'inference/onnx': (
        *('errors', 'gallery', 'inference.boxes', 'inference.onnx', 'media', 'structures', 'utils'),
    ),
    'inference': (
        *('engine', 'errors', 'evaluation.functional', 'gallery', 'inference', 'media', 'models'),
        *('registry', 'structures', 'utils', 'version', 'visualization'),
    ),
    'apis': ('inference', 'media'),
    'deploy': ('inference.export', 'inference.onnx'),
    'webui': (
        *(
            'errors',
            'evaluation.functional',
            'gallery',
            'inference',
            'media',
            'structures',
            'utils',
            'version',
            'webui',
        ),
    ),
}
#: And these import no framework either.
WITHOUT_FRAMEWORKS = (
    *('structures', 'media', 'datasets/readers', 'evaluation/functional', 'gallery'),
    'inference/onnx',
)


def imports(path):
    """Every module that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path} has a relative import'
            yield str(node.module)


def is_within(module, package):
    return f'{module}.'.startswith(f'{package}.')


def modules_of(folder):
    files = sorted((REPO / 'mmclsa' / folder).rglob('*.py'))
    assert files
    return files


def test_every_part_has_a_rule():
    parts = {path.parent.name for path in (REPO / 'mmclsa').glob('*/__init__.py')}
    assert parts == {folder for folder in MAY_IMPORT if '/' not in folder}


@pytest.mark.parametrize('folder', MAY_IMPORT)
def test_nothing_is_imported_against_the_direction(folder):
    allowed = [f'mmclsa.{part}' for part in MAY_IMPORT[folder]]
    for path in modules_of(folder):
        place = path.relative_to(REPO / 'mmclsa').as_posix()
        for module in imports(path):
            if is_within(module, 'mmclsa'):
                assert any(is_within(module, part) for part in allowed), f'{place} imports {module}'


@pytest.mark.parametrize('folder', WITHOUT_FRAMEWORKS)
def test_no_framework_is_imported(folder):
    for path in modules_of(folder):
        for module in imports(path):
            assert module.partition('.')[0] not in FRAMEWORKS, f'{path} imports {module}'


@pytest.mark.parametrize(
    'package',
    [
        *('mmclsa.media', 'mmclsa.gallery', 'mmclsa.evaluation.functional'),
        *('mmclsa.datasets.readers', 'mmclsa.inference.onnx'),
    ],
)
def test_importing_it_with_all_below_brings_no_framework(package):
    """Only what registers classes with MMEngine, and is imported by its registries, is left out."""
    code = f"""
import pkgutil, sys
from importlib import import_module

for found in pkgutil.walk_packages(import_module({package!r}).__path__, {package!r} + '.'):
    if not found.name.endswith('.registration'):
        import_module(found.name)
heavy = sorted(set({FRAMEWORKS!r}) & set(sys.modules))
assert not heavy, heavy
"""
    result = run_python('-c', code)
    assert result.returncode == 0, result.stderr


def test_searching_and_drawing_bring_no_framework():
    """The inferencer and the visualizer do, and are imported when they are asked for."""
    parts = ('from_index', 'opening', 'people', 'queries', 'results', 'searching')
    modules = ('mmclsa.visualization', *(f'mmclsa.inference.{part}' for part in parts))
    code = f"""
import sys
from importlib import import_module

for module in {modules!r}:
    import_module(module)
    heavy = sorted(set({FRAMEWORKS!r}) & set(sys.modules))
    assert not heavy, (module, heavy)
"""
    result = run_python('-c', code)
    assert result.returncode == 0, result.stderr


def test_a_config_finds_the_visualizer():
    from mmclsa import visualization
    from mmclsa.registry import VISUALIZERS

    found = VISUALIZERS.get('PersonSearchVisualizer')
    assert found is visualization.PersonSearchVisualizer
    assert set(visualization.__all__) <= set(dir(visualization))
    with pytest.raises(AttributeError, match=r"'mmclsa\.visualization' has no attribute 'Nothing'"):
        visualization.Nothing  # noqa: B018


def test_the_design_page_shows_these_rules():
    shown = {}
    for line in (REPO / 'docs' / 'design.md').read_text().splitlines():
        cells = [cell.strip() for cell in line.split('|')[1:-1]]
        if len(cells) == 4 and cells[3] in ('none', 'yes'):
            parts = re.findall(r'`([^`]+)`', cells[2])
            shown[cells[0].strip('`')] = ({*parts}, cells[3] == 'none')
    own = {
        folder: ({*parts} - {'errors', folder.replace('/', '.')}, folder in WITHOUT_FRAMEWORKS)
        for folder, parts in MAY_IMPORT.items()
    }
    assert shown == own
