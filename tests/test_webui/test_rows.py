"""Rows of the index: crops, scenes, clips; files that are gone or slow."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from mmclsa.gallery import GalleryIndex, GalleryRecord
from mmclsa.gallery.building import Sampling, SourceOptions, build_gallery, plan_units
from mmclsa.structures.sightings import Stay, TrackFrames
from mmclsa.webui import GalleryService
from mmclsa.webui.app import build_app
from mmclsa.webui.clips import clip_frames
from tests.fakes.footage import scene, write_scenes, write_video
from tests.test_gallery.fakes import DIMS, FakeEmbedder


def decoded(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    assert answer.headers['content-type'] == 'image/jpeg'
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)


def rows_of(client) -> list[dict]:
    count = client.get('/api/index').json()['rows']
    return [client.get(f'/api/rows/{row}').json() for row in range(count)]


@pytest.fixture(params=[True, False], ids=['with crops', 'without crops'])
def built(request, tmp_path):
    """A folder with an index of a video and pictures, and a program before it."""
    write_video(tmp_path / 'footage' / 'Tür.avi', 60)
    write_scenes(tmp_path / 'yard', 3)
    embedder = FakeEmbedder()
    with GalleryIndex.create(tmp_path / 'index', embedder.fingerprint) as index:
        for source in ('footage', 'yard'):
            options = SourceOptions(Sampling(every=5), source, crops=request.param)
            build_gallery(
                index, embedder, plan_units([tmp_path / source], options.sampling), options
            )
    with GalleryIndex.open(tmp_path / 'index') as index:
        app = build_app(GalleryService(index, embedder))
        with TestClient(app, 'http://localhost') as client:
            yield tmp_path, client, request.param


class TestRow:
    def test_what_it_says(self, client, service):
        for found in rows_of(client):
            row = found['row']
            (record,) = service._index.records([row])
            assert found['source'] in ('Tür.avi', *(f'{n:04d}.png' for n in range(6)))
            assert found['box'] == pytest.approx(record.box, abs=0.01)
            assert found['num_frames'] == len(found['behind']) == record.num_frames
            assert found['behind'][0]['frame'] == record.first_frame
            assert found['behind'][-1]['frame'] == record.last_frame
            assert (found['time'] is None) == (found['camera'] == 'yard')

    def test_what_is_deleted_is_not_shown_out_of_a_browsers_memory(self, built, query):
        """It was, for ten minutes."""
        folder, client, _ = built
        paths = ['/api/rows/0/crop', '/api/rows/0/scene', '/api/rows/0/frames/0']
        sent = client.post('/api/pictures', files={'file': query.read_bytes()}).json()['picture']
        uploaded = [f'/api/pictures/{sent}', f'/api/pictures/{sent}/people/1']
        tags = {}
        for path in [*paths, *uploaded]:
            first = client.get(path)
            assert first.headers['cache-control'] == 'private, no-cache'
            tags[path] = {'If-None-Match': f'W/{first.headers["etag"]}, "other"'}
            again = client.get(path, headers=tags[path])
            assert (again.status_code, again.content) == (304, b'')
            assert again.headers['etag'] == first.headers['etag']
            assert again.headers['cache-control'] == 'private, no-cache'
            assert client.get(path, headers={'If-None-Match': '"other"'}).content == first.content
        assert len({tag['If-None-Match'] for tag in tags.values()}) >= 4  # frame and scene are one
        with GalleryIndex.open(folder / 'index', writable=True) as index:
            index.delete([0])
        for path in paths:
            gone = client.get(path, headers=tags[path])
            assert (gone.status_code, gone.headers['cache-control']) == (404, 'no-store')

    def test_crop_and_scene(self, built):
        _, client, kept = built
        assert client.get('/api/index').json()['has_crops'] is kept
        for found in rows_of(client):
            assert found['has_crop'] is kept
            video = found['source'].endswith('avi')
            expected = scene(found['frame'] // 5 if video else int(found['source'][:4]))
            whole = decoded(client.get(f'/api/rows/{found["row"]}/scene'))
            assert np.abs(whole.astype(int) - expected).mean() < 8
            x1, y1, x2, y2 = map(int, found['box'])
            crop = decoded(client.get(found['crop']))
            height, width = crop.shape[:2]
            assert x2 - x1 <= width <= 1.3 * (x2 - x1)
            inner = crop[height // 3 : -height // 3, width // 3 : -width // 3]
            assert np.abs(inner.mean((0, 1)) - expected[y1:y2, x1:x2].mean((0, 1))).max() < 12
            told = client.get(f'/api/rows/{found["row"]}/scene.json').json()
            assert told == dict(
                width=96, height=64, box=found['box'], frame=found['frame'],
                time_text=found['time_text'],
            )  # fmt: skip

    def test_crops_of_the_index_need_no_footage(self, built):
        folder, client, kept = built
        shutil.rmtree(folder / 'footage')
        shutil.rmtree(folder / 'yard')
        for found in rows_of(client):
            answer = client.get(found['crop'])
            assert answer.status_code == (200 if kept else 410)
            scene_of = client.get(f'/api/rows/{found["row"]}/scene')
            assert scene_of.status_code == 410
            assert scene_of.json()['detail'] == f'the file {found["source"]} is no longer there'

    @pytest.mark.parametrize('part', ['', '/crop', '/scene', '/scene.json', '/clip', '/frames/0'])
    def test_row_that_is_not_there(self, client, part):
        found = client.get(f'/api/rows/999{part}')
        assert found.status_code == 404
        assert found.json()['detail'] == 'there is no row 999 in the index'
        for wrong in ('-1', '1e3', 'x', '99999999999999999999', '%00'):
            assert client.get(f'/api/rows/{wrong}{part}').status_code == 422

    def test_file_that_is_broken(self, built):
        folder, client, _ = built
        found = next(row for row in rows_of(client) if row['source'] == '0001.png')
        (folder / 'yard' / '0001.png').write_bytes(b'no picture')
        answer = client.get(f'/api/rows/{found["row"]}/scene')
        assert answer.status_code == 410
        assert answer.json()['detail'] == 'the file 0001.png cannot be read, or not to this frame'

    def test_record_that_is_broken(self, built):
        """Seen: the row was said not to be there."""
        folder, client, _ = built
        with closing(sqlite3.connect(folder / 'index' / 'index.sqlite')) as connection, connection:
            connection.execute("UPDATE people SET score = 'much' WHERE row = 1")
        for part in ('', '/crop', '/scene', '/scene.json', '/clip', '/frames/0'):
            answer = client.get(f'/api/rows/1{part}')
            assert answer.status_code == 500, part
            assert 'is broken' in answer.json()['detail']
            assert str(folder) not in answer.text
            assert client.get(f'/api/rows/0{part}').status_code == 200

    def test_what_may_be_wrong_is_described(self, client):
        paths = client.get('/api/openapi.json').json()['paths']
        for part in ('/crop', '/scene', '/scene.json', '/clip', '/frames/{frame}'):
            told = paths[f'/api/rows/{{row}}{part}']['get']['responses']
            assert {'404', '410', '500'} <= told.keys()
            assert 'its file' in told['410']['description']
        assert '410' not in paths['/api/rows/{row}']['get']['responses']


class TestClip:
    def test_of_a_video(self, built):
        _, client, _ = built
        for found in rows_of(client):
            clip = client.get(f'/api/rows/{found["row"]}/clip').json()
            frames = [frame['frame'] for frame in clip['frames']]
            assert found['frame'] in frames
            if not found['source'].endswith('avi'):
                assert frames == [0]
                continue
            assert clip['fps'] == 10
            assert frames == list(range(frames[0], frames[-1] + 1))
            assert 0 <= frames[0] <= max(found['behind'][0]['frame'] - 30, 0)
            assert min(found['behind'][-1]['frame'] + 30, 59) == frames[-1] <= 59
            boxes = {frame['frame']: frame['box'] for frame in clip['frames']}
            for one in found['behind']:
                assert boxes[one['frame']] == one['box']
            assert boxes[frames[-1]] is None or frames[-1] == found['behind'][-1]['frame']
            assert clip['frames'][0]['time_text'] == f'0:00:0{frames[0] / 10}'

    def test_frames_are_those_of_the_video(self, built):
        _, client, _ = built
        clip = client.get('/api/rows/0/clip').json()
        for frame in clip['frames'][::3]:
            shown = decoded(client.get(frame['url']))
            assert np.abs(shown.astype(int) - scene(frame['frame'] // 5)).mean() < 8

    def test_other_frames_are_not_shown(self, built):
        _, client, _ = built
        last = client.get('/api/rows/0/clip').json()['frames'][-1]['frame']
        for frame in (last + 1, 10**9, 2**53 - 1):
            answer = client.get(f'/api/rows/0/frames/{frame}')
            assert answer.status_code == 404
            assert answer.json()['detail'] == f'frame {frame} is not in the clip of row 0'

    def test_of_a_file_that_is_gone(self, built):
        folder, client, _ = built
        shutil.rmtree(folder / 'footage')
        for part in ('clip', 'frames/0'):
            answer = client.get(f'/api/rows/0/{part}')
            assert answer.status_code == 410
            assert answer.json()['detail'] == 'the file Tür.avi is no longer there'

    def test_of_somebody_who_stayed_for_an_hour_is_short(self, tmp_path):
        video = write_video(tmp_path / 'a.avi', 60)
        stay = Stay(0, 36_000, 0.0, 3600.0, 2)
        record = GalleryRecord(str(video), 30, 3.0, (0, 0, 9, 9), 0.9, 'door', 1, stay)
        embedder = FakeEmbedder()
        behind = TrackFrames(
            np.array([0, 36_000]), np.array([0.0, 3600.0]), np.ones((2, 4), np.float32), np.ones(2)
        )
        with GalleryIndex.create(tmp_path / 'i', embedder.fingerprint) as index:
            index.add(np.eye(DIMS)[:1], [record], behind=[behind])
            index.commit()
        with GalleryIndex.open(tmp_path / 'i') as index:
            app = build_app(GalleryService(index, embedder))
            with TestClient(app, 'http://localhost') as client:
                frames = client.get('/api/rows/0/clip').json()['frames']
        assert [frame['frame'] for frame in frames] == list(range(60))
        assert not any(frame['box'] for frame in frames[1:])  # nobody knows, for an hour


class TestSlowFiles:
    """One slow file was waited for by everybody: it was decoded under the lock of searches."""

    @pytest.fixture
    def slow(self, service, monkeypatch):
        """Lets the video hang until it is told to go on."""
        go_on, began = threading.Event(), threading.Event()
        read = service.footage.picture

        def picture(source, frame):
            if source.endswith('avi'):
                began.set()
                assert go_on.wait(300)
            return read(source, frame)

        monkeypatch.setattr(service.footage, 'picture', picture)
        yield began, go_on
        go_on.set()

    def test_do_not_hold_the_others(self, client, slow, query):
        began, go_on = slow
        rows = rows_of(client)
        video = [row for row in rows if row['source'].endswith('avi')]
        picture = next(row for row in rows if row['source'].endswith('png'))
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.append(client.get('/api/rows/0/scene')))
            for _ in range(20)  # more than there are threads for files
        ]
        for thread in threads:
            thread.start()
        assert began.wait(60)
        assert client.get('/api/index').status_code == 200
        upload = client.post('/api/pictures', files={'file': query.read_bytes()}).json()
        looks = [dict(picture=upload['picture'], person=1)]
        found = client.post('/api/search', json=dict(query=looks)).json()
        assert found['hits']
        assert client.get(video[0]['crop']).status_code == 200
        decoded(client.get(f'/api/rows/{picture["row"]}/scene'))
        assert client.get('/api/people').status_code == 200
        assert not answers  # nobody waited for the file
        go_on.set()
        for thread in threads:
            thread.join(60)
        assert [answer.status_code for answer in answers] == [200] * 20


@pytest.mark.parametrize('fps', [12, 14.9, 15, 24, 25, 29.97, 30, 30.0000000001])
def test_no_more_than_ten_frames_a_second(fps):
    frames = clip_frames(500, 500, 500, fps, 0)
    assert fps / (frames[1] - frames[0]) <= 10 + 1e-6
    assert clip_frames(500, 500, 500, 30.0000000001, 0) == clip_frames(500, 500, 500, 30, 0)


def test_frames_are_described_as_frames(client):
    paths = client.get('/api/openapi.json').json()['paths']
    told = paths['/api/rows/{row}/frames/{frame}']['get']['parameters']
    assert {one['name']: one['description'] for one in told} == {
        'row': 'Number of a row of the index.', 'frame': 'Number of a frame, from 0.'
    }  # fmt: skip
