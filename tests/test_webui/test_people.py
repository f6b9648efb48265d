"""The people of the index."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from fastapi.testclient import TestClient

from mmclsa.errors import DataError
from mmclsa.gallery import GalleryIndex, GalleryRecord, SearchFilter
from mmclsa.inference.people import people_of_index
from mmclsa.structures import PairCounts
from mmclsa.webui import GalleryService
from mmclsa.webui.app import build_app
from tests.test_gallery.fakes import DIMS, FakeEmbedder

CAMERAS = ('door', 'yard')


@pytest.fixture
def crowd(tmp_path):
    """Three people, whom two cameras see ten times each, in an index that knows probabilities."""
    rng = np.random.default_rng(0)
    looks = [(person, number) for number in range(10) for person in range(3)]
    vectors = np.eye(DIMS)[[person for person, _ in looks]] + rng.normal(0, 0.05, (30, DIMS))
    records = [
        GalleryRecord(f'/srv/{CAMERAS[number % 2]}.avi', 10 * number + person, 1.0 * number,
                      (0, 0, 9, 20 + person), 0.9, CAMERAS[number % 2])
        for person, number in looks
    ]  # fmt: skip
    counts = PairCounts()
    counts.same[330:], counts.different[150:250] = 20, 20
    with GalleryIndex.create(tmp_path / 'index', FakeEmbedder().fingerprint) as index:
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        index.add(vectors / lengths, records, 'a', pairs=counts)
        index.commit()
    return tmp_path / 'index'


@pytest.fixture
def opened(crowd):
    with GalleryIndex.open(crowd) as index:
        service = GalleryService(index, FakeEmbedder())
        with TestClient(build_app(service), 'http://localhost') as client:
            yield service, client


def listed(client, **limits) -> dict:
    answer = client.get('/api/people', params=limits)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_who_is_there(opened, crowd):
    service, client = opened
    found = listed(client, min_similarity=0.5)
    expected = people_of_index(service._index, None, None, 0.5)
    assert found['warnings'] == []
    assert [one['rows'] for one in found['people']] == [list(one.rows) for one in expected]
    assert [one['num_sightings'] for one in found['people']] == [10, 10, 10]
    first = found['people'][0]
    assert first['number'] == 1
    assert first['crop'] == f'/api/rows/{first["best"]}/crop'
    assert first['cameras'] == ['door', 'yard']
    assert (first['time_from'], first['time_to']) == (0, 9)
    assert (first['time_from_text'], first['time_to_text']) == ('0:00:00.0', '0:00:09.0')


@pytest.mark.parametrize('probability', [None, 0.3])
def test_by_probability(opened, probability):
    service, client = opened
    limits = {} if probability is None else dict(min_probability=probability)
    found = listed(client, **limits)
    expected = people_of_index(service._index, None, probability)
    assert [one['rows'] for one in found['people']] == [list(one.rows) for one in expected]
    assert found['warnings'] == []


def test_calibration_is_told(opened):
    _, client = opened
    assert client.get('/api/index').json()['calibration'] == dict(
        num_same=20 * 70, num_different=20 * 100
    )
    hits = client.post('/api/search', json=dict(query=[dict(row=0)], topk=30)).json()['hits']
    assert all(0 <= hit['probability'] <= 1 for hit in hits)
    likely = client.post(
        '/api/search', json=dict(query=[dict(row=0)], topk=30, min_probability=0.5)
    ).json()['hits']
    assert {hit['row'] for hit in likely} == {h['row'] for h in hits if h['probability'] >= 0.5}


def test_limits(opened):
    _, client = opened
    yard = listed(client, camera='yard')['people']
    assert {camera for one in yard for camera in one['cameras']} == {'yard'}
    assert sum(one['num_sightings'] for one in yard) == 15
    late = listed(client, time_from='0:00:08')['people']
    assert sum(one['num_sightings'] for one in late) == 6
    one = listed(client, limit=1, min_similarity=0.5)
    assert len(one['people']) == 1
    assert one['warnings'] == ['2 more people are not listed']
    assert len(listed(client, min_similarity=-1)['people']) == 1
    for wrong in (dict(camera='dor'), dict(limit=0), dict(min_probability=2), dict(time_to='x'),
                  dict(min_probability=0.5, min_similarity=0.5)):  # fmt: skip
        answer = client.get('/api/people', params=wrong)
        assert answer.status_code == 422, wrong
        assert isinstance(answer.json()['detail'], str)


def test_whom_the_limits_leave_out_is_told(opened, crowd):
    """Seen: a search told it, the people did not."""
    _, client = opened
    with GalleryIndex.open(crowd, writable=True) as writer:
        lost = [GalleryRecord('/srv/lost.avi', 0, float('nan'), (0, 0, 9, 9), 0.9, 'yard')]
        writer.add(np.eye(DIMS)[:1], lost)
        writer.commit()
    late = dict(time_from='0:00:08', min_similarity=0.5)
    undated = 'sightings of unknown time, which are left out: 1'
    assert listed(client, **late)['warnings'] == [undated]
    assert listed(client, camera='door', **late)['warnings'] == []
    assert listed(client, min_similarity=0.5)['warnings'] == []
    nobody = listed(client, camera='yard', time_from='0:01:00', min_similarity=0.5)
    told = ['nobody was seen by these cameras at these times', undated]
    assert nobody == dict(people=[], warnings=told)


def test_when_somebody_was_seen_by_two_clocks(tmp_path):
    """Seen: from the start of a video to a date."""
    day = 1_700_000_000.0
    times = [3.0, day, float('nan'), day + 60, 5.0]
    with GalleryIndex.create(tmp_path / 'index', FakeEmbedder().fingerprint) as index:
        records = [
            GalleryRecord(f'{place}.avi', place, time, (0, 0, 9, 9), 0.9)
            for place, time in enumerate(times)
        ]
        index.add(np.eye(DIMS)[[0] * 5], records)
        index.commit()
        (person,) = people_of_index(index, min_similarity=0.5)
        assert (person.time_from, person.time_to) == (day, day + 60)
        (person,) = people_of_index(index, SearchFilter(time_to=9.0), min_similarity=0.5)
        assert (person.time_from, person.time_to) == (3, 5)


def test_too_many_sightings_is_a_sentence(opened, monkeypatch):
    monkeypatch.setattr('mmclsa.inference.people.MAX_SIGHTINGS', 20)
    answer = opened[1].get('/api/people')
    assert answer.status_code == 422
    assert 'choose cameras, or a shorter time' in answer.json()['detail']
    assert listed(opened[1], camera='yard')['people']


def test_index_that_knows_no_probabilities(client):
    found = listed(client)
    assert found['people']
    assert 'knows no probabilities' in found['warnings'][0]
    answer = client.get('/api/people', params=dict(min_probability=0.5))
    assert answer.status_code == 422
    assert answer.json()['detail'].startswith('the index knows no probabilities')


def test_grouping_does_not_hold_searches_and_is_kept(opened, monkeypatch):
    _, client = opened
    began, go_on, calls = threading.Event(), threading.Event(), []

    def group(*args):
        calls.append(1)
        began.set()
        assert go_on.wait(120)
        return people_of_index(*args)

    monkeypatch.setattr('mmclsa.webui.grouping.people_of_index', group)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(listed(client)))
    thread.start()
    assert began.wait(60)
    found = client.post('/api/search', json=dict(query=[dict(row=0)]))
    assert found.json()['hits']
    assert not answers
    go_on.set()
    thread.join(120)
    assert listed(client) == answers[0]
    assert calls == [1]


def test_follows_the_index(opened, crowd):
    _, client = opened
    assert sum(len(one['rows']) for one in listed(client)['people']) == 30
    with GalleryIndex.open(crowd, writable=True) as writer:
        writer.delete(writer.find(SearchFilter(['yard'])))
    assert sum(len(one['rows']) for one in listed(client)['people']) == 15


def test_somebody_is_deleted_while_people_are_grouped(opened, crowd, monkeypatch):
    service, client = opened
    calls = []

    def group(index, *args):
        calls.append(1)
        if len(calls) == 1:
            with GalleryIndex.open(crowd, writable=True) as writer:
                writer.delete([0])
            service.summary()  # another request
            raise DataError('row 0 has been deleted')
        return people_of_index(index, *args)

    monkeypatch.setattr('mmclsa.webui.grouping.people_of_index', group)
    assert sum(len(one['rows']) for one in listed(client)['people']) == 29
    assert len(calls) == 2
