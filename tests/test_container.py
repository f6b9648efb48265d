"""The Containerfile, as far as a machine without a container engine can try it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.containerfile import as_script, ignored, read_containerfile, stages
from tests.fakes.footage import write_scenes
from tests.helpers import REPO
from tests.test_inference.conftest import (
    checkpoints,  # noqa: F401 (a fixture)
    exported,  # noqa: F401 (a fixture)
)

BUILD, FINAL = stages(read_containerfile())
INSTALLING = 'MMCLSA_TEST_CONTAINER'


def only(name: str) -> str:
    """The one instruction of a name in the image that is kept."""
    (text,) = (one.text for one in FINAL if one.name == name)
    return text


def environment(**variables: str) -> dict[str, str]:
    """What a build has: nothing of the virtual environment that the tests run in."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('PYTHON', 'VIRTUAL_ENV', 'MAKE', 'PIP_FIND_LINKS', 'COV_'))
    }
    kept['PATH'] = kept['PATH'].replace(f'{Path(sys.executable).parent}{os.pathsep}', '')
    return {**kept, **variables}


def test_the_image_serves_as_the_tool_does():
    command = json.loads(only('ENTRYPOINT'))
    assert command[:3] == ['python', 'tools/webui.py', '/index']
    source = (REPO / command[1]).read_text()
    assert all(f"'{word}'" in source for word in command if word.startswith('--'))
    options = dict(zip(command[3::2], command[4::2]))
    assert options['--host'] == '0.0.0.0'
    check = only('HEALTHCHECK')
    assert f"http://127.0.0.1:{options['--port']}/api/health'" in check
    assert only('EXPOSE') == options['--port']
    compile(json.loads(check[check.index('[') :])[2], 'HEALTHCHECK', 'exec')


def test_nothing_runs_as_root_or_is_of_no_version():
    assert int(only('USER')) > 0
    assert [one.name for one in FINAL].index('USER') > max(
        number for number, one in enumerate(FINAL) if one.name in ('RUN', 'COPY')
    )
    (image,) = (one.text.partition('=')[2] for one in BUILD if one.text.startswith('PYTHON_IMAGE='))
    assert re.fullmatch(r'docker\.io/library/python:3\.11-[\w-]+', image)
    hosts = set(re.findall(r'https?://([^/\s"\']+)', (REPO / 'Containerfile').read_text()))
    assert {host.partition(':')[0] for host in hosts} == {'download.pytorch.org', '127.0.0.1'}


def test_the_built_packages_are_those_of_the_makefile():
    setup = (REPO / 'setup.cfg').read_text()
    (extras,) = (one.text.partition('=')[2] for one in BUILD if one.text.startswith('EXTRAS='))
    for extra in extras.split(','):
        assert f'\n{extra} = file: ' in setup
    runs = [one.text for one in BUILD if one.name == 'RUN']
    assert not any('pip' in run for run in runs)
    assert all(
        subprocess.run(['bash', '-n', '-c', run], check=False).returncode == 0
        for run in [*runs, *(one.text for one in FINAL if one.name == 'RUN')]
    )


def test_what_is_copied_is_there_and_not_left_out():
    copied = [one.text.split()[:-1] for one in BUILD if one.name == 'COPY']
    for path in (name for names in copied for name in names):
        assert (REPO / path).exists(), path
        assert not ignored(path), path
    for path in ('.git/config', 'mmclsa/.mim/configs', 'a/__pycache__/b', 'work_dirs/a', 'data/b'):
        assert ignored(path), path
    files = [REPO / 'mmclsa' / 'webui', *(REPO / 'requirements').iterdir()]
    assert not [path for path in files if ignored(path.relative_to(REPO).as_posix())]


@pytest.mark.skipif(shutil.which('make') is None, reason='make is not installed')
def test_each_step_has_the_files_that_it_needs(tmp_path):
    """The steps in order, where make only says what it would do."""
    python = tmp_path / 'opt' / 'venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.symlink_to('/bin/true')
    script = as_script(BUILD, tmp_path)
    result = subprocess.run(
        ['bash', '-c', script],
        env=environment(MAKEFLAGS='n'),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    installed = [line for line in result.stdout.splitlines() if '-m pip install' in line]
    assert any('--only-binary onedl-mmcv' in line for line in installed)
    assert any("'.[gallery,deploy,webui,heic,safetensors]'" in line for line in installed)
    assert all('-c requirements/constraints.txt' in line for line in installed)
    assert (tmp_path / 'opt/mmclsa/mmclsa/webui/app.py').is_file()


@pytest.mark.skipif(not os.environ.get(INSTALLING), reason=f'{INSTALLING}=1 installs for minutes')
@pytest.mark.timeout(3600)
def test_a_bare_environment_is_built_and_serves(exported, tmp_path):  # noqa: F811
    """The RUN lines as a script, then the page on an index, asked as the health check asks."""
    script = as_script(BUILD, tmp_path)
    variables = environment(TORCH_INDEX=os.environ.get('TORCH_INDEX', ''))
    if links := os.environ.get('PIP_FIND_LINKS'):
        variables['PIP_FIND_LINKS'] = links
    subprocess.run(['bash', '-c', script], env=variables, check=True)
    (path,) = (one.text for one in FINAL if one.text.startswith('PATH='))
    assert '/opt/venv/bin' in path
    variables['PATH'] = f'{tmp_path}/opt/venv/bin{os.pathsep}{variables["PATH"]}'
    run = dict(cwd=tmp_path / 'opt' / 'mmclsa', env=variables)
    graphs, index = exported('crop')[2], tmp_path / 'index'
    write_scenes(tmp_path / 'footage', 2)
    build = ['tools/build_gallery.py', '--onnx', graphs, tmp_path / 'footage', '--out', index]
    subprocess.run(['python', *map(str, build)], check=True, **run)

    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    changes = {'/index': str(index), '0.0.0.0': '127.0.0.1', '7860': port}
    command = [changes.get(word, word) for word in json.loads(only('ENTRYPOINT'))]
    check = only('HEALTHCHECK').replace('7860', port)
    asking = shlex.join(json.loads(check[check.index('[') :]))
    server = subprocess.Popen([*command, '--onnx', str(graphs), '--no-auth'], **run)
    try:
        for _ in range(120):
            time.sleep(1)
            asked = subprocess.run(
                ['bash', '-c', asking], stderr=subprocess.DEVNULL, check=False, **run
            )
            if asked.returncode == 0 or server.poll() is not None:
                break
        assert asked.returncode == 0
    finally:
        server.terminate()
        assert server.wait(timeout=30) is not None
