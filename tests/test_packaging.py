"""The built wheel: its metadata, and what is in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser

import pytest

from mmclsa.version import __version__
from tests.helpers import REPO

PARTS = [
    'setup.py',
    'setup.cfg',
    'MANIFEST.in',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'model-index.yml',
]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """Build in a copy, so that the checkout keeps its links in mmclsa/.mim."""
    copy = tmp_path_factory.mktemp('copy')
    for part in PARTS:
        shutil.copy(REPO / part, copy)
    unwanted = shutil.ignore_patterns('.mim', '__pycache__')
    for folder in ('mmclsa', 'requirements', 'configs', 'tools'):
        shutil.copytree(REPO / folder, copy / folder, ignore=unwanted)
    result = subprocess.run(
        [sys.executable, 'setup.py', '-q', 'bdist_wheel'],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    (path,) = (copy / 'dist').glob('*.whl')
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_metadata(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith('.dist-info/METADATA'))
    metadata = Parser().parsestr(wheel.read(name).decode())
    assert metadata['Name'] == 'mmclsa'
    assert metadata['Version'] == __version__
    assert metadata['Requires-Python'] == '>=3.9'
    assert {'onedl', 'openmmlab', 'tests'} <= set(metadata.get_all('Provides-Extra'))


def test_requires_neither_torch_nor_openmmlab(wheel):
    """Two stacks share their import names; a requirement would mix them."""
    (name,) = (name for name in wheel.namelist() if name.endswith('.dist-info/METADATA'))
    lines = Parser().parsestr(wheel.read(name).decode()).get_all('Requires-Dist')
    always = [line for line in lines if 'extra ==' not in line]
    assert any(line.startswith('numpy') for line in always)
    assert not [line for line in always if line.startswith(('torch', 'mm', 'onedl', 'opencv'))]


def test_contents(wheel):
    names = set(wheel.namelist())
    assert 'mmclsa/py.typed' in names
    page = REPO / 'mmclsa' / 'webui' / 'static'
    files = {path.relative_to(REPO).as_posix() for path in page.rglob('*') if path.is_file()}
    assert 'mmclsa/webui/static/index.html' in files <= names
    assert 'mmclsa/.mim/configs/clsa/clsa_r50_cuhk.py' in names
    assert 'mmclsa/.mim/configs/_base_/default_runtime.py' in names
    assert {'mmclsa/.mim/model-index.yml', 'mmclsa/.mim/configs/clsa/metafile.yml'} <= names
    assert {'mmclsa/.mim/tools/train.py', 'mmclsa/.mim/tools/dist_train.sh'} <= names
    assert not [name for name in names if name.startswith(('tests', 'docs'))]
    assert not [name for name in names if '__pycache__' in name]


def test_an_installed_model_is_found_by_its_name(wheel, tmp_path):
    wheel.extractall(tmp_path)
    code = (
        "from mmclsa.inference.model_names import find_config; print(find_config('clsa_r50_prw'))"
    )
    result = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(tmp_path / 'mmclsa/.mim/configs/clsa/clsa_r50_prw.py')


def test_every_module_is_in(wheel):
    modules = {path.relative_to(REPO).as_posix() for path in (REPO / 'mmclsa').rglob('*.py')}
    assert {name for name in modules if '.mim' not in name} <= set(wheel.namelist())
