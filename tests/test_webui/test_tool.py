"""tools/webui.py: its mistakes, and the server that it starts."""

from __future__ import annotations

import base64
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest

from mmclsa.errors import UserError
from mmclsa.gallery import GalleryIndex, GalleryRecord
from mmclsa.webui.app import build_app
from mmclsa.webui.server import serving
from tests.fakes.footage import scene, write
from tests.helpers import REPO

PASSWORD = 'correct horse battery'
SCRIPT = 'tools/webui.py'
#: Runs a tool in whose process nothing of PyTorch or OpenMMLab can be imported.
WITHOUT_FRAMEWORKS = """
import runpy, sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('torch', 'mmengine', 'mmcv', 'mmdet'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Wall())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.fixture
def fail(run_tool_to_its_error):
    return lambda *args: run_tool_to_its_error(SCRIPT, *args)


@pytest.fixture
def password(tmp_path):
    path = tmp_path / 'password'
    path.write_text(PASSWORD)
    path.chmod(0o600)
    return path


class TestMistakes:
    @pytest.mark.parametrize('port', [80000, 0, -1, 65536])
    def test_port_that_is_none(self, fail, index_dir, port):
        """80000 was a traceback."""
        assert fail(index_dir, '--port', port) == (
            f'error: --port must lie in 1..65535, but is {port}'
        )

    def test_others_are_not_served_by_mistake(self, fail, index_dir, password):
        assert '--auth USER:PASSWORD-FILE' in fail(index_dir, '--host', '0.0.0.0')
        contradicting = ('--auth', f'ann:{password}', '--no-auth')
        assert 'contradicts' in fail(index_dir, *contradicting)

    def test_password_file(self, fail, index_dir, tmp_path):
        (tmp_path / 'short').write_text('1234567')
        assert 'No such file' in fail(index_dir, '--auth', f'ann:{tmp_path}/none')
        assert '8 characters' in fail(index_dir, '--auth', f'ann:{tmp_path}/short')
        assert '8 characters' in fail(index_dir, '--token-file', f'{tmp_path}/short')

    @pytest.mark.parametrize('text', ['ann', 'ann:', ':file', ''])
    def test_auth_that_is_none(self, monkeypatch, capsys, text):
        monkeypatch.setattr(sys, 'argv', [SCRIPT, 'index', '--auth', text])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPO / SCRIPT), run_name='__main__')
        assert ended.value.code == 2
        assert '--auth must be USER:PASSWORD-FILE' in capsys.readouterr().err

    def test_index_absent(self, fail, tmp_path):
        assert 'there is no index in' in fail(tmp_path / 'none')

    def test_options_that_contradict(self, fail, index_dir):
        assert '--onnx takes the place' in fail(index_dir, '--onnx', 'a', '--config', 'b')
        assert '--max-pixels must be positive' in fail(index_dir, '--max-pixels', '0')
        assert '--max-upload must be positive' in fail(index_dir, '--max-upload', '-3')

    @pytest.mark.parametrize('name', ['search.example:8443', 'https://search.example', 'a/b', ''])
    def test_name_of_a_host_that_is_none(self, fail, index_dir, name):
        """Nothing was served by it, and nobody told why."""
        assert '--allow-host takes names' in fail(index_dir, '--allow-host', name)

    def test_nobody_is_deleted_if_the_port_is_taken(self, fail, exported, tmp_path):
        searcher, folder = exported('crop')[1:]
        with GalleryIndex.create(tmp_path / 'index', searcher.fingerprint) as index:
            record = GalleryRecord('a', 0, 1.0, (0, 0, 9, 9), 0.9)
            index.add(np.eye(index.model.dims)[:1], [record])
            index.commit()
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            port = taken.getsockname()[1]
            options = ('--onnx', folder, '--keep-days', 2, '--port', port)
            assert 'already in use' in fail(tmp_path / 'index', *options)
        with GalleryIndex.open(tmp_path / 'index') as index:
            assert len(index) == 1

    def test_model_of_another_index_is_refused(self, fail, index_dir, exported):
        assert 'another model' in fail(index_dir, '--onnx', exported('crop')[2])

    def test_address_that_is_not_this_machines(self, service):
        app, words = build_app(service), r'cannot be served at 192\.0\.2\.1, port 7860'
        with pytest.raises(UserError, match=words), serving(app, '192.0.2.1', 7860):
            pytest.fail('it is served')

    def test_taken_port(self, service):
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            port = taken.getsockname()[1]
            app, words = build_app(service), f'port {port}: Address already in use'
            with pytest.raises(UserError, match=words), serving(app, port=port):
                pytest.fail('it is served')


def test_the_first_free_port_is_taken(service):
    with serving(build_app(service)) as one, serving(build_app(service)) as two:
        for address in (one, two):
            assert address.startswith('http://127.0.0.1:78')
            with urllib.request.urlopen(f'{address}/api/health', timeout=60) as answer:
                assert json.load(answer)['status'] == 'ok'
                assert 'server' not in answer.headers
        assert one != two


@pytest.fixture
def launched(monkeypatch):
    """The tool, of which all but the waiting for visitors is real."""
    served, opened = [], []
    monkeypatch.setattr('mmclsa.webui.server.launch', lambda *args: served.append(args))
    open_index = GalleryIndex.open.__func__
    monkeypatch.setattr(
        GalleryIndex,
        'open',
        classmethod(lambda cls, *args, **kw: opened.append(1) or open_index(cls, *args, **kw)),
    )
    terminate = signal.getsignal(signal.SIGTERM)

    def run(*args: object):
        monkeypatch.setattr(sys, 'argv', [SCRIPT, *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPO / SCRIPT), run_name='__main__')
        assert ended.value.code == 0
        (app, *address) = served.pop()
        return app, address, len(opened)

    yield run
    signal.signal(signal.SIGTERM, terminate)


def test_defaults_and_that_the_index_is_opened_once(launched, exported, tmp_path):
    """It was opened, and hashed, twice."""
    searcher, folder = exported('crop')[1:]
    GalleryIndex.create(tmp_path / 'index', searcher.fingerprint).close()
    app, address, opened = launched(tmp_path / 'index', '--onnx', folder)
    assert address == ['127.0.0.1', None]
    assert opened == 1
    limits = app.state.service.limits
    assert (limits.max_upload_mb, limits.max_pixels) == (20, 40_000_000)


def test_who_is_too_old_is_deleted_first(launched, exported, tmp_path, capsys):
    searcher, folder = exported('crop')[1:]
    now = time.time()
    with GalleryIndex.create(tmp_path / 'index', searcher.fingerprint) as index:
        dims = index.model.dims
        index.add(
            np.eye(dims)[:2],
            [GalleryRecord('a', 0, now - 86_400 * age, (0, 0, 9, 9), 0.9) for age in (1, 3)],
        )
        index.commit()
    launched(tmp_path / 'index', '--onnx', folder, '--keep-days', 2)
    assert '1 person last seen before' in capsys.readouterr().out
    with GalleryIndex.open(tmp_path / 'index') as index:
        assert index.rows().tolist() == [0]


@contextmanager
def running(*command: object):
    """Start the server as a process, and wait until it answers; give it and its address."""
    with subprocess.Popen(
        [sys.executable, *map(str, command)], cwd=REPO, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, 'OMP_NUM_THREADS': '1'},
    ) as process:  # fmt: skip
        try:
            line = process.stdout.readline()
            assert line.startswith('Serving at http'), process.communicate(timeout=60)
            yield process, line.split()[2]
        finally:
            if process.poll() is None:
                process.kill()


def call(address: str, body: dict | None = None, login: str | None = None) -> dict:
    headers = {'Content-Type': 'application/json'}
    if login:
        headers['Authorization'] = 'Basic ' + base64.b64encode(login.encode()).decode()
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_page_and_interface_where_no_framework_is(exported, tmp_path, password):
    """A process that can import neither PyTorch nor OpenMMLab serves, and ends when it is told."""
    searcher, folder = exported('crop')[1:]
    picture = write(tmp_path / 'a.png', scene(1, (96, 128)))
    with GalleryIndex.create(tmp_path / 'index', searcher.fingerprint) as index:
        vectors = searcher.embed_boxes(scene(1, (96, 128)), [[0, 0, 60, 90]])
        index.add(vectors, [GalleryRecord(str(picture), 0, 1.0, (0, 0, 60, 90), 0.9)])
        index.commit()
    command = (SCRIPT, tmp_path / 'index', '--onnx', folder, '--auth', f'ann:{password}')
    with running('-c', WITHOUT_FRAMEWORKS, *command) as (process, address):
        with pytest.raises(urllib.error.HTTPError, match='401'):
            call(f'{address}/api/index')
        login = f'ann:{PASSWORD}'
        assert call(f'{address}/api/index', login=login)['rows'] == 1
        sent = upload(address, picture.read_bytes(), login)
        looks = [dict(picture=sent['picture'], box=[0, 0, 60, 90])]
        hits = call(f'{address}/api/search', dict(query=looks), login)['hits']
        assert hits[0]['similarity'] == pytest.approx(1, abs=1e-3)
        process.send_signal(signal.SIGTERM)
        out, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
        assert 'Traceback' not in out + error


def upload(address: str, data: bytes, login: str) -> dict:
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    headers = {
        'Content-Type': 'multipart/form-data; boundary=x',
        'Authorization': 'Basic ' + base64.b64encode(login.encode()).decode(),
    }
    request = urllib.request.Request(
        f'{address}/api/pictures', body + data + b'\r\n--x--\r\n', headers
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
