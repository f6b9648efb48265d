from __future__ import annotations

import re
import subprocess
import sys
import warnings

import pytest
from packaging.requirements import Requirement as Line
from packaging.utils import canonicalize_name
from packaging.version import Version

from mmclsa.compat import REQUIREMENTS, Requirement, check_versions, installed_version
from mmclsa.compat import _without_onedl as without_onedl
from tests.helpers import REPO, run_python


def requirement_lines(name: str) -> dict[str, Line]:
    text = (REPO / 'requirements' / name).read_text()
    lines = (Line(line) for line in text.splitlines() if line and not line.startswith('#'))
    return {line.name: line for line in lines}


@pytest.mark.parametrize('file', ['mm_onedl.txt', 'mm_upstream.txt'])
def test_bounds_in_code_admit_what_the_extras_install(file):
    lines = requirement_lines(file)
    for package, requirement in REQUIREMENTS.items():
        (line,) = (lines[name] for name in requirement.distributions if name in lines)
        lower = [Version(part.version) for part in line.specifier if part.operator == '>=']
        assert lower[0] >= Version(requirement.minimum), package


def test_pins_are_the_tested_versions():
    pins = requirement_lines('constraints.txt')
    for package, requirement in REQUIREMENTS.items():
        (line,) = (pins[name] for name in requirement.distributions if name in pins)
        assert re.match(rf'=={re.escape(requirement.tested)}(\.|$)', str(line.specifier)), package


def test_every_requirement_is_pinned():
    pins = set(map(canonicalize_name, requirement_lines('constraints.txt')))
    for path in (REPO / 'requirements').glob('*.txt'):
        if path.name != 'mm_upstream.txt':
            assert set(map(canonicalize_name, requirement_lines(path.name))) <= pins, path.name


def test_too_old_is_an_import_error(monkeypatch):
    monkeypatch.setattr('mmclsa.compat.installed_version', lambda _: ('mmcv', '1.7.2'))
    with pytest.raises(ImportError, match=r'needs mmcv >= 2\.1\.0, but mmcv 1\.7\.2 is installed'):
        check_versions({'mmcv': REQUIREMENTS['mmcv']})


@pytest.mark.parametrize(
    ('version', 'newer'),
    [('2.13.0+cpu', False), ('2.13.1', False), ('2.14.0', True), ('3.0', True)],
)
def test_newer_than_tested_is_a_warning(monkeypatch, version, newer):
    monkeypatch.setattr('mmclsa.compat.installed_version', lambda _: ('torch', version))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        check_versions({'torch': Requirement(('torch',), '2.0', '2.13')})
    # Files that other tests have left open may be told of at any time.
    caught = [one for one in caught if one.category is not ResourceWarning]
    assert bool(caught) == newer


def test_an_absent_package_is_no_error(monkeypatch):
    monkeypatch.setattr('mmclsa.compat.installed_version', lambda _: None)
    check_versions()


def test_finds_the_installed_name():
    name, version = installed_version(REQUIREMENTS['mmengine'])
    assert name in REQUIREMENTS['mmengine'].distributions
    assert Version(version) >= Version(REQUIREMENTS['mmengine'].minimum)


@pytest.mark.parametrize('module', ['mmclsa', 'mmclsa.structures', 'mmclsa.evaluation.functional'])
def test_light_modules_import_no_heavy_one(module):
    code = (
        f'import sys, {module}\n'
        "heavy = {'torch', 'mmengine', 'mmcv', 'mmdet'} & set(sys.modules)\n"
        "assert not heavy, f'imports {sorted(heavy)}'"
    )
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    'command',
    [
        ['-c', 'import mmclsa.datasets, mmclsa.models'],
        # What a registry imports, with nothing of ours before it.
        ['-c', 'import mmclsa, mmdet.evaluation'],
        ['tools/misc/verify_dataset.py', 'no_such_config.py'],
    ],
)
def test_nothing_is_said_of_onedl(command):
    result = run_python(*command)
    assert 'Traceback' not in result.stderr
    assert 'OneDL' not in result.stdout + result.stderr


def test_all_else_is_said(capsys):
    from mmengine import logging

    before = logging.print_log
    with without_onedl():
        logging.print_log('Could not import OneDL. Skipping OneDL datasets.')
        logging.print_log('Could not import lvis.')
    assert capsys.readouterr().out == 'Could not import lvis.\n'
    assert logging.print_log is before
