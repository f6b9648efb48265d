"""README and docs: their code runs, their commands and links exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers import REPO

PAGES = [
    REPO / 'README.md',
    REPO / 'CONTRIBUTING.md',
    *sorted((REPO / 'docs').rglob('*.md')),
]
PAGES = [page for page in PAGES if '_build' not in page.parts]
FENCE = re.compile(r'^(?P<mark>`{3,})(?P<language>\w+)\n(?P<code>.*?)^(?P=mark)$', re.M | re.S)
LINK = re.compile(r'\]\((?!https?:|mailto:|#)([^)\s]+)\)')
FLAG = re.compile(r'(?<=\s)--[a-z][a-z-]*')
# The shell scripts hand their options on to the tool of the same name.
BEHIND = {
    'tools/dist_train.sh': 'tools/train.py',
    'tools/dist_test.sh': 'tools/test.py',
    'tools/slurm_train.sh': 'tools/train.py',
    'tools/slurm_test.sh': 'tools/test.py',
}


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """Code blocks of one language with the line each starts at."""
    text = page.read_text()
    return [
        (text.count('\n', 0, found.start('code')), found['code'])
        for found in FENCE.finditer(text)
        if found['language'] == language
    ]


def commands(page: Path) -> list[str]:
    """Every command line in the shell blocks, continued lines joined."""
    lines = (code.replace('\\\n', ' ').splitlines() for _, code in blocks(page, 'bash'))
    return [line.strip() for part in lines for line in part if line.strip()]


def ids(page: Path) -> str:
    return page.relative_to(REPO).as_posix()


@pytest.mark.parametrize('page', [page for page in PAGES if blocks(page, 'python')], ids=ids)
def test_python_blocks_run(page, monkeypatch):
    """In order and in one namespace, as a reader would paste them."""
    monkeypatch.chdir(REPO)
    namespace: dict = {'__name__': '__docs__'}
    for line, code in blocks(page, 'python'):
        exec(compile('\n' * line + code, str(page), 'exec'), namespace)


@pytest.mark.parametrize('page', [page for page in PAGES if commands(page)], ids=ids)
def test_commands_exist(page):
    targets = set(re.findall(r'^([a-z0-9]+):', (REPO / 'Makefile').read_text(), re.M))
    for command in commands(page):
        if command.startswith('make '):
            names = [word for word in command.split()[1:] if '=' not in word]
            assert set(names) <= targets, command
        for script in re.findall(r'(?<!\S)tools/\S+\.(?:py|sh)', command):
            assert (REPO / script).is_file(), command
            source = (REPO / BEHIND.get(script, script)).read_text()
            if 'add_trust_option(parser)' in source:
                source += "'--trust-checkpoint'"
            if 'add_cfg_options(parser' in source:
                source += "'--cfg-options'"
            if 'add_converter_options(parser)' in source:
                source += "'--out'"
            for flag in FLAG.findall(command.partition(script)[2]):
                assert f"'{flag}'" in source, f'{flag} of {command}'
        for config in re.findall(r'(?<!\S)configs/\S+\.py', command):
            assert (REPO / config).is_file(), command


@pytest.mark.parametrize('page', PAGES, ids=ids)
def test_relative_links_resolve(page):
    for target in LINK.findall(FENCE.sub('', page.read_text())):
        assert (page.parent / target.partition('#')[0]).exists(), target


@pytest.mark.parametrize('page', PAGES, ids=ids)
def test_nothing_is_left_to_be_filled_in(page):
    assert re.findall(r'@[A-Z][A-Z0-9_]*@|\b(?:TODO|FIXME|TBD)\b', page.read_text()) == []
