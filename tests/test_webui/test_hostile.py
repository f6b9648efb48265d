"""Careless and hostile programs: the right code and one sentence, whatever they send."""

from __future__ import annotations

import shutil

import httpx2
import pytest
from fastapi.testclient import TestClient

from mmclsa.errors import DataError, UserError
from mmclsa.gallery import GalleryIndex
from mmclsa.webui import GalleryService
from mmclsa.webui.addresses import is_local, listen
from mmclsa.webui.app import build_app
from mmclsa.webui.server import serving
from tests.test_gallery.fakes import FakeEmbedder


@pytest.fixture
def opened(index_dir, tmp_path):
    """A copy of the index, and a program before it."""
    folder = tmp_path / 'ge heim' / 'index'
    shutil.copytree(index_dir, folder)
    with GalleryIndex.open(folder) as index:
        app = build_app(GalleryService(index, FakeEmbedder()))
        with TestClient(app, 'http://localhost') as client:
            yield folder, client


ASKING = [
    ('GET', '/api/index', None),
    ('GET', '/api/rows/0', None),
    ('GET', '/api/rows/0/crop', None),
    ('GET', '/api/people', None),
    ('POST', '/api/search', dict(query=[dict(row=0)])),
    ('POST', '/api/export', dict(query=[dict(row=0)])),
]


@pytest.mark.parametrize('how', ['deleted', 'replaced', 'broken'])
def test_index_that_is_gone_is_not_shown_any_more(opened, index_dir, how):
    """It was shown as long as the server ran; a broken one was said to be the visitor's mistake."""
    folder, client = opened
    if how == 'broken':
        (folder / 'index.sqlite').write_bytes(b'x' * 5000)
    else:
        shutil.rmtree(folder)
    if how == 'replaced':
        shutil.copytree(index_dir, folder)
    for method, path, body in ASKING:
        found = client.request(method, path, json=body)
        assert found.status_code == 500, path
        word = 'is broken' if how == 'broken' else 'was deleted, moved or replaced'
        assert word in found.json()['detail']
        assert 'ge heim' not in found.text
    assert client.get('/api/health').status_code == client.get('/').status_code == 200


def test_answer_is_not_saved_from_an_index_that_is_gone(opened):
    """Seen: a ZIP of warnings with the folder of the index in them."""
    folder, client = opened
    answer = client.post('/api/search', json=dict(query=[dict(row=0)])).json()
    folder.rename(folder.with_name('elsewhere'))
    body = dict(query=[dict(row=0)], format='zip', answer=answer)
    found = client.post('/api/export', json=body)
    assert found.status_code == 500
    assert 'was deleted, moved or replaced' in found.json()['detail']
    assert 'ge heim' not in found.text


def test_broken_people_are_not_the_visitors_mistake(opened, monkeypatch):
    _, client = opened

    def broken(*_):
        raise DataError('row 3 is not what was written')

    monkeypatch.setattr('mmclsa.webui.grouping.people_of_index', broken)
    found = client.get('/api/people')
    assert (found.status_code, 'row 3' in found.json()['detail']) == (500, True)


def test_reader_elsewhere_knows_its_index(index_dir, tmp_path, monkeypatch):
    """Also by a relative path from another folder."""
    shutil.copytree(index_dir, tmp_path / 'index')
    monkeypatch.chdir(tmp_path)
    with GalleryIndex.open('index') as index:
        monkeypatch.chdir('/')
        assert not index.changed_on_disk()
        shutil.rmtree(tmp_path / 'index')
        with pytest.raises(DataError, match='open it again'):
            index.changed_on_disk()


def test_people_while_somebody_is_deleted(opened, monkeypatch):
    """The whole answer was an error: row 3 has been deleted."""
    folder, client = opened
    records, left = GalleryIndex.records, [1]

    def delete_first(index, rows=None):
        if left:
            left.clear()
            with GalleryIndex.open(folder, writable=True) as writer:
                writer.delete([3])
        return records(index, rows)

    monkeypatch.setattr(GalleryIndex, 'records', delete_first)
    found = client.get('/api/people')
    assert found.status_code == 200, found.text
    assert 3 not in [row for person in found.json()['people'] for row in person['rows']]


def test_row_that_is_deleted_between_two_looks(opened, monkeypatch):
    folder, client = opened

    def delete_first(service, rows):
        with GalleryIndex.open(folder, writable=True) as writer:
            writer.delete([0])

    monkeypatch.setattr(GalleryService, '_check_rows', delete_first)
    found = client.get('/api/rows/0')
    assert found.status_code == 503
    assert found.json()['detail'] == 'the index has changed meanwhile: try again'
    monkeypatch.undo()
    assert client.get('/api/rows/0').status_code == 404


@pytest.mark.parametrize(
    ('method', 'path', 'status'),
    [
        *[('GET', '/api/search', 405), ('GET', '/api/export', 405), ('POST', '/api/index', 405)],
        *[('DELETE', '/api/rows/0', 405), ('OPTIONS', '/api/search', 405)],
        *[('GET', '/api/index/', 404), ('POST', '/api/search/', 404), ('PUT', '/api/x', 404)],
        *[('GET', '/api/..%2f..%2fapp.py', 404), ('GET', '/..%2fapp.py', 404), ('PUT', '/x', 405)],
    ],
)
def test_methods_and_addresses_that_are_none(client, method, path, status):
    """Those of the interface were looked for among the files of the page, so 405 was 404."""
    found = client.request(method, path, follow_redirects=False)
    assert found.status_code == status
    assert set(found.json()) == {'detail'}
    assert ('allow' in found.headers) == (status == 405)


def test_head_is_get_without_a_body(service):
    """What watches over servers asks so: /api/health was not found."""
    with serving(build_app(service)) as address, httpx2.Client(base_url=address) as client:
        for path in ('/', '/api/health', '/api/index', '/api/rows/0/crop', '/api/rows/99', '/x'):
            head, whole = client.head(path), client.get(path)
            assert (head.status_code, head.content) == (whole.status_code, b'')
            same = ('content-type', 'content-length', 'etag', 'cache-control')
            assert [head.headers.get(n) for n in same] == [whole.headers.get(n) for n in same]


@pytest.mark.parametrize(
    ('body', 'sentence'),
    [
        (b'', 'the body: Field required'),
        (b'{"query": [}', 'the body is no JSON, from character 11 on'),
        (b'[]', 'the body: Input should be a valid dictionary or object to extract fields from'),
        (b'{"query": [{"row": 0}], "topk": true}', 'topk: Input should be a valid integer'),
        (b'{"query": [{"row": 0}], "topk": "5"}', 'topk: Input should be a valid integer'),
        (
            b'{"query": [{"row": 0}], "rejected": [true]}',
            'rejected.0: Input should be a valid integ',
        ),
        (b'{"query": [{"row": 1.0}]}', 'Input should be a valid integer'),
        (b'{"query": [{"row": NaN}]}', 'Input should be'),
        (
            b'{"query": [{"row": -1}]}',
            'query.0.row: Input should be greater than or equal to 0, not -1',
        ),
        (b'{"query": [{"row": "0"}]}', 'query.0.row: Input should be a valid integer, not "0"'),
        (b'{"query": [{"row": 0, "picture": "a"}]}', 'query.0.picture: Extra inputs'),
        (
            b'{"query": [{"picture": "a", "box": [0, 0, true, 9]}]}',
            'query.0.box.2: Input should be',
        ),
        (b'{"query": [{"picture": "a", "box": [0, 0, "9", 9]}]}', 'query.0.box.2: Input should be'),
        (
            b'{"query": [{"row": 0}], "time_from": true}',
            'time_from: Input should be a valid string',
        ),
        (
            b'{"query": [{"row": 0}], "time_to": NaN}',
            'time_to: Input should be a finite number, not',
        ),
        (b'{"query": [{"row": 0}], "min_probability": "0.5"}', 'min_probability: Input should be'),
        (b'{"query": [{"row": 0}], "min_probability": true}', 'min_probability: Input should be'),
        (b'{"query": [{"row": 0}], "cameras": ["\\ud800"]}', 'cameras.0: Input should be a valid'),
        (b'{"query": [{"row": 0}], "\\ud800": 1}', 'Input should be a valid string'),
        (b'[' * 100_000, 'There was an error parsing the body'),
    ],
)
def test_bodies_that_are_none(client, body, sentence):
    """``true`` was row 1, and the first second; a wrong row was told by the names of classes."""
    found = client.post('/api/search', content=body, headers={'Content-Type': 'application/json'})
    assert found.status_code in (400, 422)
    assert sentence in found.json()['detail']
    assert 'Look' not in found.text


def test_body_that_is_not_said_to_be_json(client):
    """It was a dictionary that the body should be, and is."""
    for kind in ('text/plain', 'application/x-www-form-urlencoded'):
        headers = {'Content-Type': kind}
        found = client.post('/api/search', content=b'{"query": [{"row": 0}]}', headers=headers)
        assert found.status_code == 422
        assert 'send JSON, with "Content-Type: application/json"' in found.json()['detail']


def test_looks_are_described_as_they_are_taken(client):
    """Fuzzing with all checks found what the description allowed and the interface refused."""
    schemas = client.get('/api/openapi.json').json()['components']['schemas']
    one, other = schemas['PictureLook']['oneOf']
    assert (one['required'], one['properties']['box']) == (['person'], {'type': 'null'})
    assert (other['required'], other['properties']['person']) == (['box'], {'type': 'null'})
    box = dict(picture='gone', box=[0, 0, 9, 9], person=None)
    for look, status in ((box, 404), (dict(picture='gone'), 422), (box | dict(person=1), 422)):
        assert client.post('/api/search', json=dict(query=[look])).status_code == status


def test_forms_with_more_than_a_picture(client, query):
    """Seen: what was beside the picture was left out without a word."""
    picture = ('file', ('a.png', query.read_bytes()))
    for files, said in (
        ([picture, ('person', (None, '1'))], 'there is no field "person" here, but "file"'),
        ([picture, picture], 'one picture is taken at a time, but 2 came'),
        ([('file', (None, 'a.png'))], 'file: must be a file, and not a text'),
        ([('picture', picture[1])], 'file: Field required'),
    ):
        found = client.post('/api/pictures', files=files)
        assert (found.status_code, found.json()['detail']) == (422, said)


@pytest.mark.parametrize('host', ['x' * 70, '.', 'a b', '[::1]', '256.1.1.1'])
def test_host_that_is_none(host):
    """Some ended with a traceback."""
    assert not is_local(host)
    with pytest.raises(UserError, match='the page cannot be served at'):
        listen(host, None)


def has_ipv6() -> bool:
    try:
        listen('::1', None).close()
    except UserError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason='this machine has no IPv6')
def test_ipv6(service):
    with serving(build_app(service), '::1') as address:
        assert address.startswith('http://[::1]:')
        assert httpx2.get(f'{address}/api/health').status_code == 200


NO_PARAMETERS = (
    ('people?min_probabilty=0.9', 'there is no parameter "min_probabilty" here, but "min_prob'),
    ('people?limit=5&Camera=door', 'there is no parameter "Camera" here, but "min_probability'),
    ('people?limit=5&limit=7', 'the parameter "limit" may be given once, but is 2 times'),
    ('people?=', 'there is no parameter "" here'),
    ('rows/0?frame=3', 'there is no parameter "frame" here, nor any other'),
    ('rows/0/crop?size=9', 'there is no parameter "size" here, nor any other'),
    ('index?token=secret', 'there is no parameter "token" here, nor any other'),
    ('health?q=1', 'there is no parameter "q" here, nor any other'),
    ('pictures/x?w=1', 'there is no parameter "w" here, nor any other'),
)


def test_parameters_that_are_none(client):
    """Seen: they were left out without a word, and a misspelt limit limited nothing."""
    for path, told in NO_PARAMETERS:
        assert client.head(f'/api/{path}').status_code == 422
        found = client.get(f'/api/{path}')
        said = found.json()['detail']
        assert (found.status_code, said.startswith(told)) == (422, True), said
        if path.startswith('people'):
            names = ('min_probability', 'min_similarity', 'camera', 'time_from', 'time_to', 'limit')
            assert 'times' in said or all(f'"{name}"' in said for name in names)


def test_parameters_that_there_are(client):
    """Those that may be repeated, and those with nothing in them, are as before."""
    cameras = '/api/people?camera=door&camera=yard&limit=3'
    assert client.get(cameras).status_code == client.get('/api/people?').status_code == 200
    for path in ('search?x=1', 'export?format=csv'):
        found = client.post(f'/api/{path}', json=dict(query=[dict(row=0)]))
        assert (found.status_code, 'no parameter' in found.json()['detail']) == (422, True)
