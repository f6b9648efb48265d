"""docs/rest.md: its program runs, its curl lines too, and its table has every address."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import cv2
import pytest

from mmclsa.webui.access import Access
from mmclsa.webui.app import build_app
from mmclsa.webui.server import serving
from tests.fakes.footage import scene, write
from tests.helpers import REPO

PAGE = (REPO / 'docs' / 'rest.md').read_text()
ADDRESS = 'http://127.0.0.1:7860'
TOKEN = 'a-token-of-programs'


@pytest.fixture
def served(service, tmp_path, monkeypatch):
    """Files that the page speaks of, and the address of a server."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'token').write_text(f'{TOKEN}\n')
    write(tmp_path / 'somebody.jpg', scene(1))
    with serving(build_app(service, Access(token=TOKEN))) as address:
        yield address


def test_program_runs(served, tmp_path, capsys):
    (code,) = re.findall(r'^```py\n(.*?)^```$', PAGE, re.M | re.S)
    assert ADDRESS in code
    found = {}
    exec(compile(code.replace(ADDRESS, served), 'rest.md', 'exec'), found)
    ranks = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert ranks == ['1', '2', '3', '4', '5']
    assert all(cv2.imread(f'hit_{rank}.jpg') is not None for rank in ranks)
    assert found['last'] not in [hit['row'] for hit in found['again']['hits']]


@pytest.mark.skipif(not shutil.which('curl'), reason='there is no curl')
def test_curl_lines_run(served, service):
    key, _ = service.upload((REPO / 'docs' / 'images' / 'pets_ranked.jpg').read_bytes(), 'a.jpg')
    (lines,) = re.findall(r'^## With curl\n\n```bash\n(.*?)^```$', PAGE, re.M | re.S)
    lines = lines.replace(ADDRESS, served).replace('sMQ0c1Vq6ahPbnwQV8JYhg', key)
    done = subprocess.run(
        ['bash', '-e', '-c', lines], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    pictures, hits = (json.loads(part) for part in done.stdout.replace('}{', '}\n{').splitlines())
    assert [person['number'] for person in pictures['people']] == [1, 2, 3]
    assert len(hits['hits']) == 5
    assert cv2.imread('crop.jpg') is not None
    with open('results.csv') as table:
        assert table.read().startswith('\ufeffrank,row,')


def test_every_address_is_in_the_table(client):
    described = client.get('/api/openapi.json').json()['paths']
    expected = {f'{method.upper()} {path}' for path, ways in described.items() for method in ways}
    (table,) = re.findall(r'^## Addresses\n(.*?)^## ', PAGE, re.M | re.S)
    told = set(re.findall(r'`((?:GET|POST) /api/\S+)`', table)) - {'GET /api/openapi.json'}
    assert told | {'GET /api/rows/{row}/scene.json'} == expected
