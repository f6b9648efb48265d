"""Files of one name are told apart, and no path of the server is told."""

from __future__ import annotations

import csv
import io
import itertools

import numpy as np
import pytest
from fastapi.testclient import TestClient

from mmclsa.gallery import GalleryIndex, GalleryRecord
from mmclsa.webui import GalleryService
from mmclsa.webui.app import build_app
from mmclsa.webui.file_names import display_names, file_name
from tests.test_gallery.fakes import DIMS, FakeEmbedder


def slow_name(source: str, sources: list[str]) -> str:
    """The shortest ending that is of no other; all of it where there is none."""
    parts = source.strip('/').split('/')
    for depth in range(1, len(parts) + 1):
        ending = parts[-depth:]
        alike = [one for one in sources if one.strip('/').split('/')[-depth:] == ending]
        if len(alike) == 1:
            break
    return '/'.join(ending)


def slow_abridged(source: str, names: dict[str, str]) -> str:
    """A whole path without its middle, if that is nobody else's name."""

    def abridge(one: str) -> str:
        parts = names[one].split('/')
        whole = names[one] == one.strip('/') and len(parts) > 2
        return f'{parts[0]}/…/{parts[-1]}' if whole else names[one]

    alike = [one for one in names if abridge(one) == abridge(source)]
    return abridge(source) if len(alike) == 1 else names[source]


def test_no_whole_path():
    sources = ['/home/secret/cam1/a.mp4', '/mnt/secret/cam1/a.mp4', '/mnt/a.mp4']
    named = display_names(sources)
    assert [named[one] for one in sources] == ['home/…/a.mp4', 'mnt/…/a.mp4', 'mnt/a.mp4']


def test_names_are_the_shortest_endings():
    rng = np.random.default_rng(0)
    for _ in range(50):
        paths = {
            '/' + '/'.join([*rng.choice(['x', 'y'], rng.integers(0, 4)), f'{rng.integers(2)}.avi'])
            for _ in range(8)
        }
        sources = sorted(paths)
        named = display_names(sources)
        slow = {one: slow_name(one, sources) for one in sources}
        assert {one: named.get(one) or file_name(one) for one in sources} == {
            one: slow_abridged(one, slow) for one in sources
        }
        shown = [named.get(one) or file_name(one) for one in sources]
        assert len(set(shown)) == len(shown)


@pytest.mark.parametrize('order', list(itertools.permutations(range(3))))
def test_one_that_cannot_be_longer(order):
    sources = ['a.avi', 'x/a.avi', '/y/x/a.avi']
    named = display_names([sources[place] for place in order])
    assert named == {'a.avi': 'a.avi', 'x/a.avi': 'x/a.avi', '/y/x/a.avi': 'y/…/a.avi'}


@pytest.fixture
def alike(tmp_path):
    """An index of two videos of one name and one of another, and a program before it."""
    sources = [f'/srv/ge heim/{name}' for name in ('Tür/1.avi', 'دار/1.avi', 'Tür/2.avi')]
    with GalleryIndex.create(tmp_path / 'index', FakeEmbedder().fingerprint) as writer:
        add(writer, *sources)
        with GalleryIndex.open(tmp_path / 'index') as index:
            app = build_app(GalleryService(index, FakeEmbedder()))
            with TestClient(app, 'http://localhost') as client:
                yield writer, client


def add(writer: GalleryIndex, *sources: str) -> None:
    for source in sources:
        writer.add(np.eye(DIMS)[:1], [GalleryRecord(source, 0, 1.0, (0, 0, 9, 9), 0.9)])
    writer.commit()


def found_in(client) -> list[str]:
    """What rows, hits and a table say of the files, in the order of the rows."""
    count = client.get('/api/index').json()['rows']
    body = dict(query=[dict(row=0)], topk=50)
    answer = client.post('/api/search', json=body)
    hits = {hit['row']: hit['source'] for hit in answer.json()['hits']}
    table = client.post('/api/export', json=body | dict(format='csv')).content.decode('utf-8-sig')
    assert {int(c['row']): c['source'] for c in csv.DictReader(io.StringIO(table))} == hits
    rows = [client.get(f'/api/rows/{row}') for row in range(count)]
    names = [row.json()['source'] for row in rows]
    assert hits == dict(enumerate(names[1:], 1))
    assert not [one for one in (answer, *rows) if 'ge heim' in one.text or 'srv' in one.text]
    return names


def test_of_one_name_in_two_folders(alike):
    """Seen: they looked alike."""
    _, client = alike
    assert found_in(client) == ['Tür/1.avi', 'دار/1.avi', '2.avi']


def test_names_follow_the_index(alike):
    writer, client = alike
    add(writer, '/srv/ge heim/دار/2.avi')
    assert found_in(client) == ['Tür/1.avi', 'دار/1.avi', 'Tür/2.avi', 'دار/2.avi']
    writer.delete([1])
    assert client.get('/api/rows/0').json()['source'] == '1.avi'
