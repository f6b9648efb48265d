"""What the page does, without the page."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from PIL import Image

from mmclsa.errors import ConfigError, DataError, UserError
from mmclsa.gallery import GalleryIndex, GalleryRecord
from mmclsa.visualization.canvas import QUERY
from mmclsa.webui import GalleryPage
from mmclsa.webui.page import MAX_HITS
from tests.fakes.footage import scene, write
from tests.test_gallery.fakes import DIMS, FakeEmbedder


def test_what_it_says_of_the_gallery(page):
    assert page.cameras == ['door', 'yard']
    assert page.summary.endswith('in 7 files, from 0:00:00.0 to 0:00:02.5')


@pytest.mark.parametrize('people', [0, 1])
def test_gallery_that_is_empty_or_without_times(tmp_path, query, people):
    embedder = FakeEmbedder()
    with GalleryIndex.create(tmp_path / 'index', embedder.fingerprint) as index:
        record = GalleryRecord(str(query), 0, math.nan, (0.0, 0.0, 48.0, 32.0), 0.9)
        index.add(np.eye(DIMS)[:people], [record] * people)
        index.commit()
        page = GalleryPage(index, embedder)
        assert page.summary == f'{people} people in {people} files'
        answer = page.search(page.drop(query), 0)
        assert len(answer.scenes) == people
        assert json.loads(answer.report)['hits'] == [] or answer.scenes[0][0].shape == (64, 96, 3)


def test_drop_finds_people_and_forgets_folders(page, query):
    drop = page.drop(query)
    assert drop.name == 'wer da? ü.png'
    assert np.array_equal(drop.picture, scene(1))
    assert len(drop.people.scores) >= 1
    assert np.array_equal(drop.people.boxes[0], [0, 0, 48, 32])


def test_phone_picture_is_turned_upright(page, tmp_path):
    picture = Image.fromarray(scene(1)[..., ::-1])
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / 'phone.png', exif=exif)
    assert page.drop(tmp_path / 'phone.png').picture.shape == (96, 64, 3)


@pytest.mark.parametrize('content', [b'', b'no picture', b'GIF89a'])
def test_file_that_is_no_picture(page, tmp_path, content):
    (tmp_path / 'a.png').write_bytes(content)
    with pytest.raises(DataError, match=r'a\.png'):
        page.drop(tmp_path / 'a.png')


def test_picture_with_too_many_pixels_is_not_decoded(page, tmp_path, monkeypatch):
    Image.new('1', (1001, 1000)).save(tmp_path / 'a.png')
    monkeypatch.setattr('cv2.imdecode', lambda *_: pytest.fail('it was decoded'))
    with pytest.raises(DataError, match='too large: 1001 x 1000'):
        page.drop(tmp_path / 'a.png')


def test_nobody(page, tmp_path):
    path = write(tmp_path / 'night.png', np.zeros((64, 96, 3), np.uint8))
    with pytest.raises(UserError, match=r'nobody is found in night\.png'):
        page.drop(path)


def test_drawing_marks_the_chosen_one(page, query):
    drop = page.drop(query)
    before, after = page.draw(drop), page.draw(drop, 0)
    assert before.shape == after.shape == drop.picture.shape
    assert after[0, 10].tolist() == list(QUERY) != before[0, 10].tolist()


class TestSearch:
    def hits(self, answer):
        return json.loads(answer.report)['hits']

    def test_the_same_scene_comes_first(self, page, query):
        answer = page.search(page.drop(query), 0, topk=4)
        hits = self.hits(answer)
        assert len(answer.scenes) == len(hits) == 4
        assert hits[0]['similarity'] == pytest.approx(1, abs=1e-3)
        assert [hit['rank'] for hit in hits] == [1, 2, 3, 4]
        similarities = [hit['similarity'] for hit in hits]
        assert similarities == sorted(similarities, reverse=True)
        assert answer.timeline.ndim == 3
        picture, caption = answer.scenes[0]
        assert picture.shape == (64, 96, 3)
        assert caption.startswith('1: 1.000, ')
        assert json.loads(answer.report)['query'][0]['box'] == [0, 0, 48, 32]

    def test_cameras_and_times_limit_it(self, page, query):
        drop = page.drop(query)
        yard = self.hits(page.search(drop, 0, cameras=['yard'], topk=50))
        assert {hit['camera'] for hit in yard} == {'yard'}
        late = self.hits(page.search(drop, 0, (), '0:01.5', '0:02', topk=50))
        assert {hit['time'] for hit in late} == {1.5, 2.0}
        none = page.search(drop, 0, ['nowhere'])
        assert self.hits(none) == []
        assert none.scenes == []

    def test_one_scene_a_track(self, page, query):
        drop = page.drop(query)
        hits = self.hits(page.search(drop, 0, ['door'], topk=50, group_by_track=True))
        every = self.hits(page.search(drop, 0, ['door'], topk=50))
        assert 0 < len(hits) <= len(every)

    @pytest.mark.parametrize(
        ('changes', 'words'),
        [
            (dict(drop=None), 'drop a picture first'),
            (dict(chosen=None), 'click on a person'),
            (dict(chosen=99), 'click on a person'),
            (dict(chosen=-1), 'click on a person'),
            (dict(topk=0), f'1\\.\\.{MAX_HITS}'),
            (dict(topk=MAX_HITS + 1), f'1\\.\\.{MAX_HITS}'),
            (dict(time_from='yesterday'), 'yesterday'),
        ],
    )
    def test_mistakes(self, page, query, changes, words):
        arguments = dict(drop=page.drop(query), chosen=0) | changes
        with pytest.raises((UserError, ConfigError), match=words):
            page.search(**arguments)

    def test_scene_that_is_gone(self, page, query, monkeypatch):
        monkeypatch.setattr(
            'mmclsa.webui.page.load_record_pictures', lambda records: [None] * len(records)
        )
        answer = page.search(page.drop(query), 0, topk=2)
        assert [picture.shape for picture, _ in answer.scenes] == [(240, 320, 3)] * 2
