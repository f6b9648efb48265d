"""Searching by the interface."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from fastapi.testclient import TestClient

from mmclsa.gallery import GalleryIndex, GalleryRecord
from mmclsa.inference import QueryPerson, search
from mmclsa.webui import GalleryService
from mmclsa.webui.app import build_app
from tests.fakes.footage import scene
from tests.test_gallery.fakes import DIMS, FakeEmbedder, embedding

ADDRESS = '/api/search'
DAY = 1_700_000_000.0


@pytest.fixture
def key(client, query):
    return client.post('/api/pictures', files={'file': query.read_bytes()}).json()['picture']


@pytest.fixture
def ask(client, key):
    def send(**changes):
        body = dict(query=[dict(picture=key, person=1)], topk=50) | changes
        return client.post(ADDRESS, json=body)

    return send


@pytest.fixture
def said(ask):
    """What is said of a mistake."""

    def send(**changes) -> str:
        found = ask(**changes)
        assert found.status_code in (404, 422), found.text
        return found.json()['detail']

    return send


class TestHits:
    def test_are_those_of_the_command(self, ask, service, index_dir, query):
        embedder = FakeEmbedder()
        person = QueryPerson(scene(1), np.array([0, 0, 48, 32]), str(query))
        for unit in ('sighting', 'frame'):
            expected = search(embedder, [person], index_dir, 50, unit=unit)
            hits = ask(unit=unit).json()['hits']
            assert [hit['row'] for hit in hits] == [hit.row for hit in expected.hits]
            assert [hit['rank'] for hit in hits] == list(range(1, len(hits) + 1))
            for hit, (row, similarity, record) in zip(
                hits, ((h.row, h.similarity, h.record) for h in expected.hits)
            ):
                assert hit['similarity'] == pytest.approx(similarity, abs=1e-5)
                assert hit['box'] == pytest.approx(record.box, abs=0.01)
                assert record.source.endswith(f'/{hit["source"]}')
                assert hit['crop'] == f'/api/rows/{row}/crop'

    def test_the_network_is_not_run_again(self, ask, service, monkeypatch):
        monkeypatch.setattr(service._embedder, 'find_people', lambda _: pytest.fail('it ran'))
        monkeypatch.setattr(service._embedder, 'embed_boxes', lambda *_: pytest.fail('it ran'))
        assert ask().status_code == 200

    def test_box(self, ask, key):
        one = ask(query=[dict(picture=key, box=[0, 0, 48, 32])]).json()['hits']
        assert [hit['row'] for hit in one] == [hit['row'] for hit in ask().json()['hits']]
        assert one[0]['similarity'] == pytest.approx(1, abs=1e-3)

    def test_rows_are_left_out(self, ask):
        first = ask(unit='frame').json()['hits'][0]['row']
        hits = ask(query=[dict(row=first)], unit='frame').json()['hits']
        assert hits
        assert first not in [hit['row'] for hit in hits]

    def test_pictures_and_rows_together(self, ask, key):
        found = ask(query=[dict(picture=key, person=1), dict(picture=key, person=2), dict(row=3)])
        assert found.status_code == 200

    def test_confirmed_and_rejected(self, ask):
        every = {hit['row']: hit['similarity'] for hit in ask(unit='frame').json()['hits']}
        first, *_, last = every
        again = ask(unit='frame', rejected=[first], confirmed=[last]).json()['hits']
        refined = {hit['row']: hit['similarity'] for hit in again}
        assert first not in refined
        assert refined[last] > every[last] + 0.1

    def test_cameras_and_times_limit_it(self, ask):
        yard = ask(cameras=['yard']).json()['hits']
        assert {hit['camera'] for hit in yard} == {'yard'}
        for limits in [('0:01.5', '0:02'), (1.5, 2), ('1.5', '2.0')]:
            late = ask(time_from=limits[0], time_to=limits[1], unit='frame').json()['hits']
            assert all(hit['time_from'] <= 2 and hit['time_to'] >= 1.5 for hit in late)
            assert 0 < len(late) < len(ask(cameras=['door'], unit='frame').json()['hits'])
        both = ask(cameras=['yard', 'door'], unit='frame').json()['hits']
        assert len(both) == len(ask(unit='frame').json()['hits'])

    @pytest.mark.parametrize('nothing', [None, '', '  '])
    def test_limits_that_are_none(self, ask, nothing):
        assert len(ask(time_from=nothing, time_to=nothing, cameras=None).json()['hits']) > 5

    def test_nothing_found_is_said(self, ask):
        found = ask(cameras=['door'], time_from='0:02.6').json()
        assert found['hits'] == []
        assert found['warnings'] == ['nobody was seen by these cameras at these times']

    def test_who_has_no_time_is_said(self, ask):
        # Seen: the pictures of the yard were missing in silence.
        found = ask(time_from='0:00').json()
        assert {hit['camera'] for hit in found['hits']} == {'door'}
        (sentence,) = found['warnings']
        yard = len(ask(cameras=['yard'], unit='frame').json()['hits'])
        assert sentence == f'sightings of unknown time, which are left out: {yard}'

    def test_without_limits_nobody_goes_through_the_index(self, ask, service, monkeypatch):
        """Which takes long after each commit of a large one."""
        monkeypatch.setattr('mmclsa.gallery.index_reader.IndexReader.contents', lambda _: 1 / 0)
        monkeypatch.setattr(service, '_summary', None)
        assert ask().status_code == 200

    def test_no_number_that_json_does_not_know(self, ask):
        text = ask().text
        json.loads(text, parse_constant=lambda name: pytest.fail(name))


class TestMistakes:
    """Each gave nothing, without a word."""

    def test_unknown_camera(self, said):
        assert said(cameras=['door', 'dor']) == (
            'there is no camera "dor" in the index, which has "door", "yard"'
        )

    def test_from_after_to(self, said):
        assert said(time_from='0:00:02', time_to='0:00:01') == (
            '"from" must not be after "to", but 0:00:02 is after 0:00:01: exchange the two'
        )

    def test_date_where_there_are_none(self, said):
        sentence = said(time_from='2024-05-06T07:08:09')
        assert 'time since the start of the video such as 0:00:02.5' in sentence
        assert 'but is 2024-05-06T07:08:09' in sentence

    @pytest.mark.parametrize('time', ['12:00:00', '0:10', 5, '5'])
    def test_time_of_day_on_an_index_with_dates(self, dated, time):
        client = dated([DAY, DAY + 60])
        for side in ('time_from', 'time_to'):
            found = client.post(ADDRESS, json={'query': [{'row': 0}], side: time})
            assert found.status_code == 422
            detail = found.json()['detail']
            assert detail.startswith(f'"{side[5:]}" must be a date such as 2023-11-14T22:13:20Z')

    @pytest.mark.parametrize('time', ['2023-11-14', DAY, str(DAY)])
    def test_date_on_an_index_with_dates(self, dated, time):
        found = dated([DAY, DAY + 60]).post(
            ADDRESS, json={'query': [{'row': 0}], 'time_from': time}
        )
        assert [hit['row'] for hit in found.json()['hits']] == [1]

    def test_either_where_there_are_both(self, dated):
        client = dated([5.0, DAY])
        for time in ('0:00:03', '2023-01-01'):
            body = {'query': [{'row': 0}], 'time_from': time}
            assert client.post(ADDRESS, json=body).status_code == 200
        assert client.get('/api/index').json()['clock'] == 'both'

    def test_time_where_none_is_known(self, dated):
        client = dated([math.nan, math.nan])
        found = client.post(ADDRESS, json={'query': [{'row': 0}], 'time_to': '0:10'})
        assert found.json()['detail'] == (
            '"to" is given, but no time is known of anybody in the index'
        )

    @pytest.mark.parametrize(
        ('changes', 'words'),
        [
            (dict(query=[]), 'query: '),
            (dict(query=[{}]), 'query.0'),
            (dict(query=[dict(row=99)]), 'there is no row 99'),
            (dict(query=[dict(row=-1)]), 'query.0.row'),
            (dict(query=[dict(row=1)] * 21), 'query: '),
            (dict(query=[dict(picture='gone', person=1)]), 'upload it again'),
            (dict(confirmed=[1, 98]), 'there is no row 98'),
            (dict(confirmed=[1], rejected=[1]), 'both confirmed and rejected'),
            (dict(rejected=[1] * 1001), 'rejected: '),
            (dict(topk=0), 'topk: '),
            (dict(topk=201), 'topk: '),
            (dict(unit='person'), 'unit: '),
            (dict(min_probability=1.5), 'min_probability: '),
            (dict(min_probability=0.5), 'knows probabilities, but the index has'),
            (dict(time_from='yesterday'), "'yesterday'"),
            (dict(cameras=['a' * 2000]), 'cameras.0: '),
            (dict(group_by_track=True), 'group_by_track: '),
        ],
    )
    def test_are_sentences(self, said, changes, words):
        assert words in said(**changes)

    @pytest.mark.parametrize(
        ('look', 'words'),
        [
            (dict(person=4), 'people 1 to 3'),
            (dict(box=[200, 200, 300, 300]), 'must have a pixel or more within its picture'),
            (dict(box=[9, 9, 3, 3]), 'x1 < x2'),
            (dict(box=[1, 2, 3]), 'query.0'),
            ({}, 'either "person" or "box"'),
            (dict(person=1, box=[0, 0, 9, 9]), 'either "person" or "box"'),
        ],
    )
    def test_of_a_picture(self, said, key, look, words):
        assert words in said(query=[dict(picture=key, **look)])

    @pytest.mark.parametrize(
        'content',
        [
            b'', b'{', b'[' * 100_000, b'{"query": [{"row": NaN}]}', b'null', b'"a"',
            b'{"query": [{"row": 0}], "time_from": 1e999}', b'{"query": [{"row": ' + b'9' * 5000,
            b'\xff\xfe', b'{"query": [{"row": 0}], "cameras": ["\\ud800"]}',
            b'{"query": [{"row": 0}], "min_probability": NaN}',
        ],
    )  # fmt: skip
    def test_body_that_is_none(self, client, content):
        found = client.post(ADDRESS, content=content, headers={'Content-Type': 'application/json'})
        assert found.status_code in (400, 422)
        assert isinstance(found.json()['detail'], str)


@pytest.fixture
def dated(tmp_path):
    """A program before an index of people at some times."""
    opened = []

    def make(times: list[float]) -> TestClient:
        embedder = FakeEmbedder()
        with GalleryIndex.create(tmp_path / 'i', embedder.fingerprint) as index:
            records = [GalleryRecord('a.jpg', 0, time, (0, 0, 9, 9), 0.9) for time in times]
            vectors = np.stack([embedding(np.full(1, 8 * n)) for n in range(len(times))])
            assert vectors.shape == (len(times), DIMS)
            index.add(vectors, records)
            index.commit()
        opened.append(GalleryIndex.open(tmp_path / 'i'))
        client = TestClient(build_app(GalleryService(opened[-1], embedder)), 'http://localhost')
        opened.append(client.__enter__())
        return client

    yield make
    for one in reversed(opened):
        one.__exit__(None, None, None)
