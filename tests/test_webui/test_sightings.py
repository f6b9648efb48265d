"""The sightings of the index, a page at a time."""

from __future__ import annotations

import numpy as np
import pytest
from fastapi.testclient import TestClient

from mmclsa.gallery import GalleryIndex, GalleryRecord
from mmclsa.webui import GalleryService
from mmclsa.webui.app import build_app
from tests.test_gallery.fakes import DIMS, FakeEmbedder


@pytest.fixture
def opened(tmp_path):
    """An index of ten rows, two of them deleted and one without a time, and a program before it."""
    times = [float(number) for number in range(9)] + [float('nan')]
    records = [
        GalleryRecord(f'/srv/{"ab"[row % 2]}/1.avi', row, time, (0, 0, 9, 9), 0.9, 'ab'[row % 2])
        for row, time in enumerate(times)
    ]
    with GalleryIndex.create(tmp_path / 'index', FakeEmbedder().fingerprint) as writer:
        for some, crops in ((records[:4], None), ([records[4]], [b'crop']), (records[5:], None)):
            writer.add(np.eye(DIMS)[[0] * len(some)], some, crops=crops)
        writer.commit()
        writer.delete([3, 6])
    with GalleryIndex.open(tmp_path / 'index') as index:
        app = build_app(GalleryService(index, FakeEmbedder()))
        with TestClient(app, 'http://localhost') as client:
            yield client


def listed(client, **limits) -> tuple[list[int], int, list[str]]:
    answer = client.get('/api/rows', params=limits)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    for one in found['sightings']:
        whole = client.get(f'/api/rows/{one["row"]}').json()
        assert one == {name: whole[name] for name in one}
        assert one['has_crop'] == (one['row'] == 4)
        assert one['source'] == f'{one["camera"]}/1.avi'
    return [one['row'] for one in found['sightings']], found['total'], found['warnings']


def test_all_of_them_by_pages(opened):
    rows = [0, 1, 2, 4, 5, 7, 8, 9]
    assert listed(opened) == (rows, 8, [])
    seen, last = [], -1
    while (page := listed(opened, limit=3, after=last))[0]:
        assert page[1:] == (8, [])
        assert len(page[0]) <= 3
        seen += page[0]
        last = seen[-1]
    assert seen == rows
    assert listed(opened, after=2**53 - 1) == ([], 8, [])


def test_limits(opened):
    undated = 'sightings of unknown time, which are left out: 1'
    assert listed(opened, camera='a') == ([0, 2, 4, 8], 4, [])
    assert listed(opened, camera=['a', 'b'], time_from='0:00:05') == ([5, 7, 8], 3, [undated])
    assert listed(opened, camera='a', time_to='3', limit=1) == ([0], 2, [])
    nobody = 'nobody was seen by these cameras at these times'
    assert listed(opened, time_from='60') == ([], 0, [nobody, undated])
    for wrong in (dict(camera='c'), dict(limit=0), dict(limit=201), dict(after=-2),
                  dict(time_from='9', time_to='1'), dict(cameras='a')):  # fmt: skip
        answer = opened.get('/api/rows', params=wrong)
        assert answer.status_code == 422, wrong
        assert isinstance(answer.json()['detail'], str)
