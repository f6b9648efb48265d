"""Results of a search as files."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import tempfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from mmclsa.webui.app import build_app
from mmclsa.webui.exporting import UnwantedError, results_csv, write_zip
from mmclsa.webui.server import serving
from tests.fakes.footage import scene
from tests.helpers import wait_until

BODY = dict(query=[dict(row=0)], topk=6, unit='frame')


@pytest.fixture
def export(client):
    def send(kind: str, **changes):
        answer = client.post('/api/export', json=BODY | dict(format=kind) | changes)
        assert answer.status_code == 200, answer.text
        expected = f'attachment; filename="results.{kind}"'
        assert answer.headers['content-disposition'] == expected
        return answer.content

    return send


@pytest.fixture
def hits(client):
    return client.post('/api/search', json=BODY).json()['hits']


def test_json_is_the_answer_of_a_search(export, hits):
    assert json.loads(export('json'))['hits'] == hits


def test_table(export, hits):
    content = export('csv')
    assert content.startswith(b'\xef\xbb\xbf')  # by which Excel knows that it is UTF-8
    rows = list(csv.DictReader(io.StringIO(content.decode('utf-8-sig'))))
    assert len(rows) == len(hits) == 6
    for row, hit in zip(rows, hits):
        assert int(row['row']) == hit['row']
        assert row['source'] == hit['source']
        assert [float(row[name]) for name in ('x1', 'y1', 'x2', 'y2')] == hit['box']
        assert row['probability'] == ''


@pytest.mark.parametrize('text', ['=HYPERLINK("http://a")', '+1', '-1', '@a', '\t=1', '\r=1'])
def test_names_are_no_formulas(hits, text):
    hit = dict(hits[0], source=text, camera=text, similarity=-0.5)
    (row,) = csv.DictReader(io.StringIO(results_csv([hit]).decode('utf-8-sig'), newline=''))
    assert row['source'] == row['camera'] == f"'{text}"
    assert float(row['similarity']) == -0.5


class TestAnswer:
    """What a search has given is saved as it is."""

    @pytest.fixture
    def answer(self, client):
        return client.post('/api/search', json=BODY | dict(topk=3)).json()

    @pytest.mark.parametrize('kind', ['json', 'csv', 'zip'])
    def test_is_not_searched_for_again(self, export, service, answer, monkeypatch, kind):
        monkeypatch.setattr(service, 'search', lambda *_: 1 / 0)
        answer['hits'].reverse()
        content = export(kind, answer=answer)
        if kind == 'zip':
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                assert archive.read('results.csv') == results_csv(answer['hits'])
                content = archive.read('results.json')
                first = answer['hits'][0]
                folder = f'hit_{first["rank"]:03d}'
                assert archive.read(f'{folder}/crop.jpg') == service.kept_crop(first['row'])
        if kind == 'csv':
            assert content == results_csv(answer['hits'])
        else:
            assert json.loads(content) == answer

    @pytest.mark.parametrize(
        ('changes', 'word'),
        [
            (dict(hits=[{}]), 'Field required'),
            (dict(hits='x'), 'list'),
            (dict(seconds=float('nan')), 'finite'),
            (dict(searched=float('inf')), 'integer'),
            (dict(searched=False), 'searched: Input should be a valid integer, not false'),
            (dict(seconds='1'), 'seconds: Input should be a valid number, not "1"'),
        ],
    )
    def test_that_is_none(self, client, answer, changes, word):
        body = json.dumps(BODY | dict(format='zip', answer=answer | changes))
        headers = {'Content-Type': 'application/json'}
        found = client.post('/api/export', content=body, headers=headers)
        assert found.status_code == 422
        assert word in found.json()['detail']

    @pytest.mark.parametrize('row', [-1, 10**9, 10**30])
    def test_with_a_row_that_is_not_there(self, client, answer, row):
        answer['hits'][0]['row'] = row
        body = BODY | dict(format='zip', answer=answer)
        found = client.post('/api/export', json=body)
        if row == 10**9:
            with zipfile.ZipFile(io.BytesIO(found.content)) as archive:
                told = json.loads(archive.read('results.json'))['warnings']
            assert told == [f'hit 1 has no pictures: there is no row {row} in the index']
        else:
            assert found.status_code == 422

    def test_with_too_many_hits(self, client, answer):
        answer['hits'] *= 100
        found = client.post('/api/export', json=BODY | dict(format='zip', answer=answer))
        assert found.status_code == 422


class TestFolder:
    def test_pictures_and_clips(self, export, hits, tmp_path):
        with zipfile.ZipFile(io.BytesIO(export('zip'))) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
            archive.extractall(tmp_path)
        assert json.loads((tmp_path / 'results.json').read_text())['hits'] == hits
        assert (tmp_path / 'results.csv').read_bytes() == results_csv(hits)
        for hit in hits:
            folder = f'hit_{hit["rank"]:03d}'
            video = hit['source'].endswith('avi')
            assert cv2.imread(str(tmp_path / folder / 'crop.jpg')) is not None
            drawn = cv2.imread(str(tmp_path / folder / 'scene.jpg')).astype(int)
            clean = scene(hit['frame'] // 5 if video else int(hit['source'][:4]))
            assert drawn.shape == clean.shape
            x1, y1, x2, y2 = map(int, hit['box'])
            inside = np.s_[y1 + 8 : y2 - 8, x1 + 8 : x2 - 8]
            assert np.abs(drawn[inside] - clean[inside]).mean() < 12
            assert f'{folder}/clip.mp4' in names if video else f'{folder}/clip.mp4' not in names
            if video:
                clip = cv2.VideoCapture(str(tmp_path / folder / 'clip.mp4'))
                assert clip.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
                count = 0
                while clip.read()[0]:
                    count += 1
                assert count == 30  # the whole video: it lasts for three seconds

    def test_what_is_gone_is_said(self, export, service, monkeypatch, hits):
        from mmclsa.webui.problems import GoneError

        def gone(source, frame):
            raise GoneError('the file a.avi is no longer there')

        monkeypatch.setattr(service.footage, 'picture', gone)
        with zipfile.ZipFile(io.BytesIO(export('zip'))) as archive:
            told = json.loads(archive.read('results.json'))['warnings']
            assert len(told) == len(hits)
            assert told[0] == 'hit 1 has no scene: the file a.avi is no longer there'
            assert 'hit_001/crop.jpg' in archive.namelist()  # which the index keeps
            assert 'hit_001/scene.jpg' not in archive.namelist()

    def test_row_that_is_deleted_meanwhile(self, export, service, monkeypatch, hits):
        """The whole file was an error."""
        from mmclsa.webui.problems import GoneError

        sighting, gone = service.sighting, hits[1]['row']

        def look(row):
            if row == gone:
                raise GoneError(f'there is no row {row} in the index')
            return sighting(row)

        monkeypatch.setattr(service, 'sighting', look)
        with zipfile.ZipFile(io.BytesIO(export('zip'))) as archive:
            told = json.loads(archive.read('results.json'))['warnings']
            assert told == [f'hit 2 has no pictures: there is no row {gone} in the index']
            assert 'hit_001/scene.jpg' in archive.namelist()

    @pytest.mark.parametrize('writes', [True, False])
    def test_clip_that_is_cut_is_said(self, export, service, monkeypatch, hits, writes):
        """It was shorter in silence; where no video can be written, the file was an error."""
        from mmclsa.webui.problems import GoneError

        picture = service.footage.picture

        def look(source, frame):
            if frame == 27:
                raise GoneError('the file a.avi cannot be read, or not to this frame')
            return picture(source, frame)

        monkeypatch.setattr(service.footage, 'picture', look)
        if not writes:
            monkeypatch.setattr('cv2.VideoWriter.isOpened', lambda _: False)
        videos = [hit for hit in hits if hit['source'].endswith('avi')]
        with zipfile.ZipFile(io.BytesIO(export('zip'))) as archive:
            told = json.loads(archive.read('results.json'))['warnings']
            assert len(told) == len(videos) > 0
            words = (
                'has a clip that ends before frame 27, not at 29: ' if writes else 'has no clip: '
            )
            assert told[0].startswith(f'hit {videos[0]["rank"]} {words}')
            folder = f'hit_{videos[0]["rank"]:03d}'
            assert f'{folder}/scene.jpg' in archive.namelist()
            assert (f'{folder}/clip.mp4' in archive.namelist()) is writes

    def test_leaves_nothing_behind(self, export, tmp_path, monkeypatch):
        folder = tmp_path / 'temporary'
        folder.mkdir()
        monkeypatch.setattr(tempfile, 'tempdir', str(folder))
        export('zip')
        assert not os.listdir(folder)


class TestWaiting:
    @pytest.fixture
    def slow(self, service, monkeypatch):
        """The hits whose crops were looked for; none is found until this is told to go on."""
        looked, go_on, kept_crop = [], threading.Event(), service.kept_crop

        def look(row):
            looked.append(row)
            assert go_on.wait(60)
            return kept_crop(row)

        monkeypatch.setattr(service, 'kept_crop', look)
        monkeypatch.setattr('mmclsa.webui.routes.export._LOOK', 0.05)
        yield looked, go_on
        go_on.set()

    @pytest.fixture
    def writing(self, monkeypatch):
        """Whether the archive that is written is unwanted, and how its writing ended."""
        ends, unwanted, begun = [], [], threading.Event()

        def write(stream, answer, service, workers, is_unwanted):
            unwanted.append(is_unwanted)
            begun.set()
            try:
                write_zip(stream, answer, service, workers, is_unwanted)
            except BaseException as error:
                ends.append(type(error))
                raise
            ends.append(None)

        monkeypatch.setattr('mmclsa.webui.routes.export.write_zip', write)
        return lambda: begun.is_set() and unwanted[0](), ends

    def test_export_that_nobody_waits_for_is_stopped(self, service, slow, writing):
        """All hits were read, and others waited for it."""
        (looked, go_on), (is_unwanted, ends) = slow, writing
        body = json.dumps(BODY | dict(format='zip', topk=19)).encode()
        head = (
            'POST /api/export HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
            f'Content-Length: {len(body)}\r\n\r\n'
        )
        with serving(build_app(service)) as address:
            place = urlsplit(address)
            with socket.create_connection((place.hostname, place.port), 20) as visitor:
                visitor.sendall(head.encode() + body)
                wait_until(lambda: looked)
                assert not is_unwanted()
            wait_until(is_unwanted)
            go_on.set()
            wait_until(lambda: ends)
        assert ends == [UnwantedError]
        assert len(looked) == 1

    def test_only_so_many_wait(self, client, slow, monkeypatch):
        monkeypatch.setattr('mmclsa.webui.workers._MOST', {'export': 1})
        (looked, go_on), body = slow, BODY | dict(format='zip', topk=2)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(client.post, '/api/export', json=body)
            try:
                wait_until(lambda: looked)
                second = client.post('/api/export', json=body)
            finally:
                go_on.set()
            assert (second.status_code, second.headers['retry-after']) == (503, '5')
            assert second.json()['detail'].startswith('too many wait for an export')
            assert first.result().status_code == 200
        assert client.post('/api/export', json=body).status_code == 200
