"""Uploading pictures, also by those who mean ill."""

from __future__ import annotations

import asyncio
import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from mmclsa.structures import FoundPeople
from mmclsa.webui.app import build_app
from mmclsa.webui.problems import GoneError
from mmclsa.webui.uploads import PictureStore, StoredPicture
from tests.fakes.footage import scene

ADDRESS = '/api/pictures'


def png(picture: np.ndarray) -> bytes:
    return cv2.imencode('.png', picture)[1].tobytes()


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture
def upload(client):
    def send(data: bytes, name: str = 'a.png'):
        return client.post(ADDRESS, files={'file': (name, data)})

    return send


class TestPeople:
    def test_who_is_in_it(self, upload, client):
        answer = upload(png(scene(1)), 'wer da? ü.png').json()
        assert (answer['name'], answer['width'], answer['height']) == ('wer da? ü.png', 96, 64)
        assert [person['number'] for person in answer['people']] == [1, 2, 3]
        assert answer['people'][0]['box'] == [0, 0, 48, 32]
        assert answer['people'][0]['score'] == pytest.approx(0.9)
        address = f'{ADDRESS}/{answer["picture"]}'
        shown = client.get(address)
        assert shown.headers['content-type'] == 'image/jpeg'
        assert np.abs(decoded(shown.content).astype(int) - scene(1)).mean() < 5
        person = decoded(client.get(f'{address}/people/1').content)
        assert person.shape == (35, 51, 3)  # 48 x 32 pixels at a corner, and 5 % of 48 around
        assert np.abs(person[:30, :46].astype(int) - scene(1)[:30, :46]).mean() < 5

    def test_nobody_is_an_answer(self, upload):
        found = upload(png(np.zeros((64, 96, 3), np.uint8)))
        assert found.status_code == 200
        assert found.json()['people'] == []

    def test_large_pictures_are_shown_smaller(self, upload, client):
        answer = upload(png(np.full((400, 2000, 3), 200, np.uint8))).json()
        assert (answer['width'], answer['height']) == (2000, 400)
        shown = client.get(f'{ADDRESS}/{answer["picture"]}')
        assert decoded(shown.content).shape == (320, 1600, 3)

    def test_phone_picture_is_turned_upright(self, upload, client):
        picture = Image.fromarray(scene(1)[..., ::-1])
        exif = picture.getexif()
        exif[0x0112] = 6
        stream = BytesIO()
        picture.save(stream, 'JPEG', exif=exif)
        answer = upload(stream.getvalue(), 'phone.jpg').json()
        assert (answer['width'], answer['height']) == (64, 96)
        assert decoded(client.get(f'{ADDRESS}/{answer["picture"]}').content).shape == (96, 64, 3)

    @pytest.mark.parametrize('number', [0, 4, -1, 10**9])
    def test_person_who_is_not_in_it(self, upload, client, number):
        key = upload(png(scene(1))).json()['picture']
        found = client.get(f'{ADDRESS}/{key}/people/{number}')
        assert found.status_code == 404
        assert found.json()['detail'] == (
            f'a.png has people 1 to 3, but person {number} is asked for'
        )

    def test_names_are_not_guessed(self, upload, client):
        keys = {upload(png(scene(1))).json()['picture'] for _ in range(3)}
        assert len(keys) == 3
        assert all(len(key) >= 20 for key in keys)
        assert client.get(f'{ADDRESS}/{"a" * 22}').status_code == 404


class TestHostileFiles:
    @pytest.mark.parametrize(
        'name',
        ['../../etc/passwd', '/etc/passwd', 'C:\\Windows\\win.ini', '..\\a\\b.png', 'a/../b.png'],
    )
    def test_folders_of_a_name_are_forgotten(self, upload, name):
        found = upload(png(scene(1)), name).json()['name']
        assert found == name.replace('\\', '/').rpartition('/')[2]

    @pytest.mark.parametrize('name', ['..', '/', '\\', '\u200b', '.'])
    def test_name_that_is_none(self, upload, name):
        found = upload(png(scene(1)), name)
        assert found.status_code == 200
        assert found.json()['name'] in ('picture', '..')

    def test_long_name(self, upload):
        assert len(upload(png(scene(1)), 'x' * 1000 + '.png').json()['name']) == 200

    @pytest.mark.parametrize(
        'data',
        [
            b'',
            b'no picture',
            b'GIF89a',
            b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n',
            b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
            png(scene(1))[:200],
            cv2.imencode('.jpg', scene(1))[1].tobytes()[:300],
        ],
    )
    def test_no_picture(self, upload, data):
        found = upload(data)
        assert found.status_code == 422
        assert found.json()['detail'].startswith('image a.png ')

    @pytest.mark.parametrize('size', [(1001, 1000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
    def test_bomb_is_refused_by_its_header(self, upload, monkeypatch, size):
        monkeypatch.setattr('cv2.imdecode', lambda *_: pytest.fail('it was decoded'))
        found = upload(bomb(*size))
        assert found.status_code == 422
        assert 'too large' in found.json()['detail'] or 'cannot be read' in found.json()['detail']

    def test_too_many_bytes(self, upload):
        found = upload(b'0' * 1_200_000)
        assert found.status_code == 413
        assert found.json()['detail'] == 'the request is too large: at most 1 MB are taken'

    @pytest.mark.parametrize('path', [ADDRESS, '/api/search', '/api/export'])
    def test_too_many_bytes_whose_number_is_not_said(self, service, path):
        """It is refused while it comes in: no more is read than is allowed."""
        form = path == ADDRESS
        kind = b'multipart/form-data; boundary=x' if form else b'application/json'
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        parts = iter([head if form else b'[', *[b'0' * 100_000] * 1000])
        answers = []

        async def receive():
            return {'type': 'http.request', 'body': next(parts), 'more_body': True}

        async def send(message):
            answers.append(message)

        scope = dict(
            type='http', method='POST', path=path, raw_path=path.encode(), query_string=b'',
            headers=[(b'host', b'localhost'), (b'content-type', kind)], http_version='1.1',
            root_path='', scheme='http', asgi={'version': '3.0'},
        )  # fmt: skip
        asyncio.run(build_app(service)(scope, receive, send))
        assert answers[0]['status'] == 413
        assert len(list(parts)) > 985

    @pytest.mark.parametrize(
        ('content', 'kind'),
        [
            (b'', 'multipart/form-data; boundary=x'),
            (b'nonsense', 'multipart/form-data'),
            (b'--x\r\n\r\n--x--', 'multipart/form-data; boundary=x'),
            (b'file=a', 'application/x-www-form-urlencoded'),
            (b'{"file": 1}', 'application/json'),
            (b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\na\r\n--x--',
             'multipart/form-data; boundary=x'),
        ],
    )  # fmt: skip
    def test_form_that_is_none(self, client, content, kind):
        found = client.post(ADDRESS, content=content, headers={'Content-Type': kind})
        assert found.status_code in (400, 422)
        assert isinstance(found.json()['detail'], str)

    def test_model_that_cannot_take_it(self, service, upload, monkeypatch):
        def fail(batch):
            if batch[0]['inputs'].shape != (96, 128, 3):  # of the probe
                raise ValueError('cannot be resized')
            return [None]

        monkeypatch.setattr(service._embedder, 'find_people', fail)
        found = upload(png(scene(1)))
        assert found.status_code == 422
        assert found.json()['detail'] == 'a.png cannot be used (ValueError: cannot be resized)'


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it has so many pixels, and has none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
        )

    header = struct.pack('>IIBBBBB', width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(b'\0' * 1000)
    return (
        b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', pixels) + chunk(b'IEND', b'')
    )


class TestStore:
    @staticmethod
    def picture(size: int) -> StoredPicture:
        people = FoundPeople(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 8)))
        return StoredPicture('a.png', 1, 1, bytes(size), b'', people, ())

    def test_the_one_not_used_for_longest_goes_first(self):
        store = PictureStore(1, 3600)
        one, two = (store.add(self.picture(400_000)) for _ in range(2))
        store.get(one)
        three = store.add(self.picture(400_000))
        assert store.get(one) is not store.get(three)
        with pytest.raises(GoneError, match='upload it again'):
            store.get(two)

    def test_expiry_counts_from_the_last_use(self, monkeypatch):
        now = [0.0]
        monkeypatch.setattr('mmclsa.webui.uploads.time.monotonic', lambda: now[0])
        store = PictureStore(1, 60)
        key = store.add(self.picture(10))
        for now[0] in (50, 100, 150):
            store.get(key)
        now[0] = 211
        with pytest.raises(GoneError):
            store.get(key)
        assert not store._pictures

    def test_one_that_is_larger_than_all_is_kept_until_the_next(self):
        store = PictureStore(1, 60)
        large = store.add(self.picture(2_000_000))
        store.get(large)
        store.add(self.picture(10))
        with pytest.raises(GoneError):
            store.get(large)
