"""What is said of the index, also while others write it; and that no path is said."""

from __future__ import annotations

import math
import re
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from fastapi.testclient import TestClient

from mmclsa.errors import UserError
from mmclsa.gallery import GalleryIndex, GalleryRecord, SearchFilter
from mmclsa.webui import GalleryService
from mmclsa.webui.app import build_app
from mmclsa.webui.problems import public_message
from tests.fakes.footage import scene, write
from tests.test_gallery.fakes import DIMS, FakeEmbedder


@pytest.fixture
def growing(tmp_path):
    """An index of one person, opened for writing, and a program before it."""
    embedder = FakeEmbedder()
    writer = GalleryIndex.create(tmp_path / 'index', embedder.fingerprint)
    grow(writer, 1)
    with GalleryIndex.open(tmp_path / 'index') as index:
        app = build_app(GalleryService(index, embedder))
        with TestClient(app, 'http://localhost') as client:
            yield writer, client
    writer.close()


def grow(writer: GalleryIndex, count: int, camera: str = 'door') -> None:
    record = GalleryRecord('/srv/a.jpg', 0, 1.0, (0, 0, 9, 9), 0.9, camera)
    writer.add(np.tile(np.eye(DIMS)[0], (count, 1)), [record] * count)
    writer.commit()


def rows_found(client, **limits) -> int:
    body = dict(query=[dict(row=0)], topk=100, unit='frame', **limits)
    answer = client.post('/api/search', json=body)
    assert answer.status_code == 200, answer.text
    return len(answer.json()['hits'])


def test_what_is_said(client, index_dir):
    found = client.get('/api/index').json()
    with GalleryIndex.open(index_dir) as index:
        counts = dict(index.contents().cameras)
    assert {one['name']: one['count'] for one in found['cameras']} == counts
    assert found['rows'] == sum(counts.values())
    assert found['sources'] == 7
    assert (found['time_from'], found['time_from_text']) == (0, '0:00:00.0')
    assert (found['time_to'], found['time_to_text']) == (2.5, '0:00:02.5')
    assert (found['clock'], found['unit'], found['has_crops']) == ('video', 'sighting', True)
    assert found['calibration'] is None
    assert (found['max_upload_mb'], found['max_hits']) == (1, 200)


def test_index_of_nobody(tmp_path):
    embedder = FakeEmbedder()
    GalleryIndex.create(tmp_path / 'i', embedder.fingerprint).close()
    with GalleryIndex.open(tmp_path / 'i') as index:
        app = build_app(GalleryService(index, embedder))
        with TestClient(app, 'http://localhost') as client:
            found = client.get('/api/index').json()
            assert (found['rows'], found['time_from'], found['clock']) == (0, None, 'none')
            assert client.get('/api/people').json()['people'] == []
            path = write(tmp_path / 'a.png', scene(1))
            sent = client.post('/api/pictures', files={'file': path.read_bytes()}).json()
            looks = [dict(picture=sent['picture'], person=1)]
            answer = client.post('/api/search', json=dict(query=looks)).json()
            assert (answer['hits'], answer['searched']) == ([], 0)
            assert answer['warnings'] == ['nobody is in the index, or nobody else']


class TestGrowth:
    def test_what_is_added_is_found_at_once(self, growing):
        writer, client = growing
        before = client.get('/api/index').json()
        grow(writer, 4, 'yard')
        after = client.get('/api/index').json()
        assert (before['rows'], after['rows']) == (1, 5)
        assert before['growing'] != after['growing'] == client.get('/api/index').json()['growing']
        assert [one['name'] for one in after['cameras']] == ['door', 'yard']
        grow(writer, 3, 'gate')
        assert rows_found(client, cameras=['gate']) == 3

    def test_who_is_deleted_is_gone_at_once(self, growing):
        writer, client = growing
        grow(writer, 4, 'yard')
        assert rows_found(client) == 4
        writer.delete(writer.find(SearchFilter(['yard'])))
        writer.optimize()
        assert client.get('/api/rows/2').status_code == 404
        assert rows_found(client) == 0
        assert client.get('/api/index').json()['rows'] == 1

    def test_verdicts_on_who_is_deleted_are_left_out(self, growing):
        """Every further search was a mistake, until the visitor forgot all verdicts."""
        writer, client = growing
        grow(writer, 3)
        writer.delete([1, 2])
        writer.commit()
        body = dict(query=[dict(row=0)], topk=100, unit='frame')
        answer = client.post('/api/search', json=body | dict(confirmed=[1, 3], rejected=[2]))
        assert answer.status_code == 200, answer.text
        assert answer.json()['warnings'] == [
            f'what was said of row {row} is left out: it has been deleted' for row in (1, 2)
        ]
        assert [hit['row'] for hit in answer.json()['hits']] == [3]

    @pytest.mark.parametrize(('count', 'last'), [(4, '1 further row'), (6, '3 further rows')])
    def test_many_verdicts_on_who_is_deleted(self, growing, count, last):
        """Seen: "so are 1 rows more"."""
        writer, client = growing
        grow(writer, count)
        deleted = list(range(1, count + 1))
        writer.delete(deleted)
        writer.commit()
        body = dict(query=[dict(row=0)], rejected=deleted)
        warnings = client.post('/api/search', json=body).json()['warnings']
        assert len(warnings) == 5  # and that nobody else is there
        assert warnings[3] == f'what was said of {last} is left out as well'

    def test_query_that_is_deleted(self, growing):
        writer, client = growing
        grow(writer, 3)
        writer.delete([1, 2])
        writer.commit()
        body = dict(query=[dict(row=0)], topk=100, unit='frame')
        gone = client.post('/api/search', json=body | dict(query=[dict(row=1)]))
        assert (gone.status_code, gone.json()['detail']) == (404, 'there is no row 1 in the index')

    def test_summary_after_a_search_that_has_seen_a_deletion(self, growing, monkeypatch):
        writer, client = growing
        grow(writer, 3)
        assert client.get('/api/index').json()['rows'] == 4
        service = client.app.state.service
        follow = service._follow

        def follow_and_delete():
            follow()
            monkeypatch.undo()
            writer.delete([2, 3])
            writer.commit()

        monkeypatch.setattr(service, '_follow', follow_and_delete)
        rows_found(client)
        assert client.get('/api/index').json()['rows'] == 2

    def test_while_another_process_keeps_it_locked(self, growing):
        """Everybody waited for a minute, and was told that the request made no sense."""
        writer, client = growing
        before = client.get('/api/index').json()
        client.app.state.service._index.wait_at_most(0.1)
        file = next(writer.path.glob('*.sqlite'))
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute('BEGIN EXCLUSIVE')
            assert client.get('/api/index').json() == before
            for answer in (
                client.get('/api/rows/0'),
                client.post('/api/search', json=dict(query=[dict(row=0)])),
            ):
                assert (answer.status_code, answer.headers['retry-after']) == (503, '5')
                sentence = 'another process is writing the index: try again in a moment'
                assert answer.json()['detail'] == sentence
            other.execute('ROLLBACK')
        assert client.get('/api/rows/0').status_code == 200

    def test_nothing_is_read_again_without_a_change(self, growing, monkeypatch):
        _, client = growing
        client.get('/api/index')
        for name in ('refresh', 'contents'):
            monkeypatch.setattr(GalleryIndex, name, lambda _: pytest.fail('it was read again'))
        assert client.get('/api/index').status_code == 200
        assert rows_found(client) == 0


def everything(client, query) -> list[str]:
    """Answers of all kinds, mistakes included, as text."""
    sent = client.post('/api/pictures', files={'file': ('/home/me/q.png', query.read_bytes())})
    looks = [dict(picture=sent.json()['picture'], person=1)]
    bodies = [
        dict(query=looks), dict(query=looks, min_probability=0.5), dict(query=[dict(row=10**9)]),
        dict(query=looks, cameras=['x']), dict(query=looks, time_from='2024-01-01'),
    ]  # fmt: skip
    answers = [sent, client.post('/api/pictures', files={'file': ('/a/b.png', b'x')})]
    answers += [client.post('/api/search', json=body) for body in bodies]
    answers += [
        client.post('/api/export', json=dict(query=looks, format=f)) for f in ('json', 'csv')
    ]
    for row in (0, 1, 10**9):
        for part in ('', '/scene.json', '/clip', '/crop', '/frames/999999'):
            answers.append(client.get(f'/api/rows/{row}{part}'))
    answers += [client.get(f'/api/{name}') for name in ('index', 'people', 'openapi.json', 'x')]
    return [one.text for one in answers if 'image' not in one.headers['content-type']]


class TestPaths:
    """Paths of the server, of the index, the footage and of temporary files, were shown."""

    @pytest.mark.parametrize('gone', [False, True])
    def test_none_is_said(self, client, query, index_dir, service, monkeypatch, gone):
        if gone:
            monkeypatch.setattr('mmclsa.webui.footage.is_video', lambda _: False)
            monkeypatch.setattr(
                'mmclsa.webui.footage.read_picture',
                lambda path: (_ for _ in ()).throw(PathError(path)),
            )
        for text in everything(client, query):
            assert str(index_dir.parent) not in text
            assert not re.search(r'(?<![\w:"])/(tmp|home|root|work|usr|etc|srv)\b', text), text

    @pytest.mark.parametrize(
        ('sentence', 'private', 'said'),
        [
            ('image /srv/a b/c.jpg is broken', '/srv/a b', 'image c.jpg is broken'),
            ('image /srv/ü/c.jpg (3 bytes)', '', 'image c.jpg (3 bytes)'),
            ("no '/srv/c.jpg'", '', "no 'c.jpg'"),
            ('the index /srv/x has 3 rows', '/srv/x', 'the index has 3 rows'),
            ('a/b of 1/2 and http://x/y', '', 'a/b of 1/2 and http://x/y'),
            ('C:\\Users\\me\\a.jpg is broken', '', 'a.jpg is broken'),
            ('there is no camera "a" in the index', 'index', 'there is no camera "a" in the index'),
        ],
    )
    def test_messages(self, sentence, private, said):
        assert public_message(UserError(sentence), private) == said

    def test_fault_of_the_program(self, service, monkeypatch):
        def fail():
            raise RuntimeError('/srv/secret')

        monkeypatch.setattr(service, 'summary', fail)
        app = build_app(service)
        client = TestClient(app, 'http://localhost', raise_server_exceptions=False)
        with client:
            answer = client.get('/api/index')
        assert answer.status_code == 500
        assert answer.json() == {'detail': 'the server has failed at this; its log tells why'}


class PathError(UserError):
    """Names a file by its path."""


def test_time_that_is_not_a_number_is_null(growing):
    writer, client = growing
    record = GalleryRecord('a.jpg', 0, math.nan, (0, 0, 9, 9), 0.9)
    writer.add(np.eye(DIMS)[:1], [record])
    writer.commit()
    found = client.get('/api/rows/1').json()
    assert (found['time'], found['time_text'], found['time_from']) == (None, '', None)
