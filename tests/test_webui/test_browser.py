"""The page in a browser, and what it refuses to serve."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import socket
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import cv2
import pytest

from mmclsa.errors import UserError
from mmclsa.gallery import GalleryIndex
from mmclsa.webui import GalleryPage
from tests.helpers import REPO
from tests.test_gallery.fakes import FakeEmbedder

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason='there is no chromium')


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@pytest.fixture(scope='module')
def address(index_dir):
    """The page, served to this machine; files of at most 1 MB are taken."""
    with tempfile.TemporaryDirectory() as shown:
        os.environ['GRADIO_TEMP_DIR'] = shown
        from mmclsa.webui.app import build_app, launch

        embedder = FakeEmbedder()
        with GalleryIndex.open(index_dir, embedder.fingerprint) as index:
            app = build_app(GalleryPage(index, embedder, max_pixels=1_000_000))
            yield launch(app, port=free_port(), max_upload_mb=1, block=False)
            app.close()
        del os.environ['GRADIO_TEMP_DIR']


def status_of(url: str, data: bytes | None = None, headers: dict | None = None) -> int:
    try:
        request = urllib.request.Request(url, data, headers or {})
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class TestServing:
    def test_listens_to_this_machine_alone(self, address):
        assert urllib.parse.urlparse(address).hostname == '127.0.0.1'
        assert status_of(address) == 200

    @pytest.mark.parametrize('way', ['file=', 'file/', 'static/', 'assets/', 'custom_component/'])
    def test_serves_no_other_files(self, address, index_dir, way):
        """Not of the machine, not of the repository, not even of the index or its sources."""
        footage = index_dir.parent / 'yard' / '0000.png'
        targets = ['/etc/passwd', str(REPO / 'README.md'), 'README.md', str(footage)]
        targets += [str(index_dir / 'index.sqlite'), '../../../../../../etc/passwd']
        targets += [urllib.parse.quote('../../../../../../etc/passwd', safe='')]
        for target in targets:
            for prefix in ('gradio_api/', ''):
                assert status_of(f'{address}{prefix}{way}{target}') in (403, 404, 405, 422), target

    def test_a_path_cannot_be_given_in_place_of_an_upload(self, address, index_dir, query):
        body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        uploaded = post(
            f'{address}gradio_api/upload',
            body + query.read_bytes() + b'\r\n--x--\r\n',
            'multipart/form-data; boundary=x',
        )
        data = {'path': uploaded[0], 'meta': {'_type': 'gradio.FileData'}}
        assert 'people are found' in call(address, 'drop', [data])
        for path in ('/etc/passwd', str(index_dir.parent / 'yard' / '0000.png')):
            data = {'path': path, 'meta': {'_type': 'gradio.FileData'}}
            events = call(address, 'drop', [data])
            assert 'event: error' in events
            assert 'people are found' not in events

    def test_upload_limit(self, address):
        body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        body += b'0' * 1_200_000 + b'\r\n--x--\r\n'
        headers = {'Content-Type': 'multipart/form-data; boundary=x'}
        assert status_of(f'{address}gradio_api/upload', body, headers) == 413

    def test_taken_port(self, address, page):
        from mmclsa.webui.app import build_app, launch

        port = urllib.parse.urlparse(address).port
        with pytest.raises(UserError, match=f'port {port}'):
            launch(build_app(page), port=port, block=False)


def post(url: str, body: bytes, kind: str) -> Any:
    request = urllib.request.Request(url, body, {'Content-Type': kind})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def call(address: str, name: str, data: list) -> str:
    """Call an event of the page as a program would; give the server's answer."""
    url = f'{address}gradio_api/call/{name}'
    event = post(url, json.dumps({'data': data}).encode(), 'application/json')['event_id']
    with urllib.request.urlopen(f'{url}/{event}', timeout=60) as answer:
        return answer.read().decode()


@needs_chromium
def test_drop_click_search(address, query, tmp_path):
    from playwright.sync_api import expect, sync_playwright

    outside = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox'])
        page = browser.new_page(viewport={'width': 1200, 'height': 1200})
        page.set_default_timeout(90_000)
        expect.set_options(timeout=90_000)
        page.on(
            'response',
            lambda answer: None if answer.url.startswith((address, 'blob:', 'data:'))
            else outside.append(answer.url),
        )  # fmt: skip
        page.goto(address)

        # Searching at once tells what to do first.
        page.locator('#search').click()
        expect(page.get_by_text('drop a picture first')).to_be_visible()

        page.locator('#drop input[type=file]').set_input_files(str(query))
        expect(page.locator('#told')).to_contain_text('people are found: click on one')
        picture = page.locator('#picture img')
        expect(picture).to_be_visible()
        box = picture.bounding_box()
        # Into the first quarter, where somebody is in every scene.
        picture.click(position={'x': box['width'] * 0.2, 'y': box['height'] * 0.3})
        expect(page.locator('#told')).to_contain_text('Person 1 of')

        page.get_by_label('yard', exact=True).check()
        page.locator('#search').click()
        captions = page.locator('#scenes .caption-label')
        expect(captions.first).to_contain_text('1: 1.000')
        expect(captions.first).to_contain_text('yard')
        assert captions.count() > 3
        expect(page.locator('#timeline img')).to_be_visible()
        expect(page.locator('#report')).to_contain_text('"hits"')

        with page.expect_download() as saving:
            page.locator('#save').click()
        saving.value.save_as(tmp_path / 'results.json')
        page.screenshot(path=str(tmp_path / 'page.png'), full_page=True)
        browser.close()
    hits = json.loads((tmp_path / 'results.json').read_text())['hits']
    assert {hit['camera'] for hit in hits} == {'yard'}
    assert hits[0]['similarity'] > 0.999
    assert not outside
    assert cv2.imread(str(tmp_path / 'page.png')) is not None


class TestTool:
    @pytest.fixture
    def fail(self, monkeypatch, capsys):
        """Run the tool in this process: its imports take longer than all it does here."""

        def run(*args: object) -> str:
            monkeypatch.chdir(REPO)
            monkeypatch.setattr(sys, 'argv', ['tools/webui.py', *map(str, args)])
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(str(REPO / 'tools' / 'webui.py'), run_name='__main__')
            assert ended.value.code == 2
            return capsys.readouterr().err.strip().splitlines()[-1]

        return run

    def test_serves_this_machine(self, exported, tmp_path, monkeypatch):
        """With the defaults; all but the waiting for visitors is real."""
        searcher, folder = exported('crop')[1:]
        GalleryIndex.create(tmp_path / 'index', searcher.fingerprint).close()
        served = []
        monkeypatch.setattr('mmclsa.webui.app.launch', lambda *args: served.append(args))
        monkeypatch.setenv('GRADIO_TEMP_DIR', 'set by the tool')
        script = str(REPO / 'tools' / 'webui.py')
        monkeypatch.setattr(sys, 'argv', [script, str(tmp_path / 'index'), '--onnx', str(folder)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(script, run_name='__main__')
        assert ended.value.code == 0
        ((_, host, port, megabytes),) = served
        assert (host, port, megabytes) == ('127.0.0.1', None, 20)

    def test_index_absent(self, fail, tmp_path):
        assert fail(tmp_path / 'none').startswith('error: ')

    def test_options_that_contradict(self, fail, index_dir):
        assert '--onnx takes the place' in fail(index_dir, '--onnx', 'a', '--config', 'b')
        assert '--max-pixels must be positive' in fail(index_dir, '--max-pixels', '0')

    def test_model_of_another_index_is_refused(self, fail, index_dir, exported):
        assert 'another model' in fail(index_dir, '--onnx', exported('crop')[2])
