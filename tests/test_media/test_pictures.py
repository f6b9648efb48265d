"""Pictures that are odd, large or broken; sizes from headers."""

from __future__ import annotations

import calendar
import io
import os
import struct
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile, features

from mmclsa.errors import DataError, UserError
from mmclsa.media import (
    as_bgr,
    decode_bytes,
    decode_picture,
    iterate_pictures,
    load_picture,
    picture_size,
    read_header,
    read_picture,
)
from tests.fakes.footage import scene, write

HEIC = b'\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf' + bytes(100)


class TestPictures:
    def test_exif_rotation_turns_the_picture_upright(self, tmp_path):
        """The red corner of a phone picture that was held sideways ends where a viewer shows it."""
        stored = np.zeros((40, 80, 3), np.uint8)
        stored[:10, :10] = [255, 0, 0]
        exif = Image.Exif()
        exif[0x0112] = 6  # turn by 90 degrees clockwise to view
        Image.fromarray(stored).save(tmp_path / 'a.png', exif=exif)
        Image.fromarray(stored).save(tmp_path / 'a.jpg', exif=exif, quality=95)
        for name in ('a.png', 'a.jpg'):
            picture = read_picture(tmp_path / name)
            assert picture.shape == (80, 40, 3)
            assert picture[4, 35, 2] > 200, name
            assert picture[4, 4, 2] < 50, name

    @pytest.mark.parametrize('mode', ['L', 'LA', 'RGB', 'RGBA', 'P', '1', 'I;16'])
    def test_every_mode_gives_three_channels(self, tmp_path, mode):
        source = Image.new('L', (30, 20), 200)
        if mode == 'I;16':
            source = Image.fromarray(np.full((20, 30), 200 * 257, np.uint16))
        else:
            source = source.convert('RGB').convert(mode) if mode != 'L' else source
        source.save(tmp_path / 'a.png')
        picture = read_picture(tmp_path / 'a.png')
        assert picture.shape == (20, 30, 3)
        assert picture.dtype == np.uint8
        assert abs(float(picture.mean()) - (255 if mode == '1' else 200)) < 60

    def test_huge_picture_is_refused_before_decoding(self, tmp_path):
        with Image.new('1', (30000, 30000)) as picture:
            picture.save(tmp_path / 'a.png')
        with pytest.raises(DataError, match='too large'):
            read_picture(tmp_path / 'a.png')
        write(tmp_path / 'b.png', np.zeros((50, 70, 3), np.uint8))
        with pytest.raises(DataError, match=r'b\.png is too large: 70 x 50'):
            read_picture(tmp_path / 'b.png', max_pixels=3499)
        assert read_picture(tmp_path / 'b.png', max_pixels=3500).shape == (50, 70, 3)

    @pytest.mark.parametrize('content', [b'', b'no picture', b'\x89PNG\r\n\x1a\n'])
    def test_broken(self, tmp_path, content):
        (tmp_path / 'a.png').write_bytes(content)
        with pytest.raises(DataError, match=r'a\.png'):
            read_picture(tmp_path / 'a.png')

    def test_a_video_is_called_one(self, tmp_path):
        # Seen: a good video as a query was "empty or broken, or no picture".
        (tmp_path / 'a.MP4').write_bytes(bytes(99))
        with pytest.raises(DataError, match=r'a.MP4 is a video by its name, and a picture'):
            read_picture(tmp_path / 'a.MP4')

    def test_missing(self, tmp_path):
        with pytest.raises(DataError, match=r'a\.png cannot be read \(No such file'):
            read_picture(tmp_path / 'a.png')

    def test_time_of_the_camera(self, tmp_path):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = '2021:06:05 12:30:10'
        Image.new('RGB', (8, 8)).save(tmp_path / 'a.jpg', exif=exif)
        expected = calendar.timegm((2021, 6, 5, 12, 30, 10))
        assert read_header(tmp_path / 'a.jpg').time == expected
        exif.get_ifd(0x8769)[0x9003] = '0000:00:00 00:00:00'
        Image.new('RGB', (8, 8)).save(tmp_path / 'b.jpg', exif=exif)
        assert read_header(tmp_path / 'b.jpg').time is None

    @pytest.mark.parametrize(
        ('zone', 'hours'), [('+02:00', 2), ('-09:30', -9.5), ('Z', 0), ('\0', 0), ('+2', 0)]
    )
    def test_zone_of_the_camera(self, tmp_path, zone, hours):
        exif = Image.Exif()
        exif.get_ifd(0x8769).update({0x9003: '2021:06:05 12:30:10', 0x9011: zone})
        Image.new('RGB', (8, 8)).save(tmp_path / 'a.jpg', exif=exif)
        expected = calendar.timegm((2021, 6, 5, 12, 30, 10)) - 3600 * hours
        assert read_header(tmp_path / 'a.jpg').time == expected

    @pytest.mark.parametrize('shape', [(4, 6), (4, 6, 1), (4, 6, 3), (4, 6, 4)])
    def test_arrays(self, shape):
        assert as_bgr(np.ones(shape, np.uint8)).tolist() == np.ones((4, 6, 3)).tolist()

    @pytest.mark.parametrize(
        'array', [np.zeros((4, 6, 3)), np.zeros((4, 6, 2), np.uint8), np.zeros((0, 6), np.uint8)]
    )
    def test_other_arrays_are_refused(self, array):
        with pytest.raises(UserError, match='a picture must'):
            as_bgr(array)


class TestSize:
    @pytest.mark.parametrize('suffix', ['jpg', 'png', 'webp', 'tif', 'bmp'])
    @pytest.mark.parametrize('orientation', [None, 1, 3, 5, 6, 8, 77])
    def test_the_size_is_that_of_the_loaded_picture(self, tmp_path, suffix, orientation):
        path = tmp_path / f'a.{suffix}'
        exif = Image.Exif()
        if orientation:
            exif[0x0112] = orientation
        Image.new('RGB', (40, 20)).save(path, exif=exif)
        width, height = picture_size(path)
        assert read_picture(path).shape[:2] == (height, width)

    def test_a_format_that_only_opencv_knows(self, tmp_path):
        path = tmp_path / 'a.hdr'
        assert cv2.imwrite(str(path), np.zeros((20, 40, 3), np.float32))
        with pytest.raises(OSError, match='cannot identify'):
            Image.open(path)
        assert picture_size(path) == (40, 20)

    @pytest.mark.parametrize('data', [b'', b'text', None])
    def test_no_picture(self, tmp_path, data):
        if data is not None:
            (tmp_path / 'a.jpg').write_bytes(data)
        with pytest.raises(DataError, match=r'a\.jpg'):
            picture_size(tmp_path / 'a.jpg')


class TestFormats:
    @pytest.mark.parametrize(
        ('suffix', 'kind'),
        [('.jfif', 'JPEG'), ('.mpo', 'MPO'), ('.gif', 'GIF'), ('.tga', 'TGA'), ('.pcx', 'PCX'),
         ('.jp2', 'JPEG2000'), ('.qoi', 'QOI'), ('.sgi', 'SGI'),
         pytest.param('.avif', 'AVIF', marks=pytest.mark.skipif(
             not features.check('avif'), reason='this Pillow has no AVIF'))],
    )  # fmt: skip
    def test_whatever_opencv_or_pillow_reads(self, tmp_path, suffix, kind):
        path = tmp_path / f'a{suffix}'
        Image.fromarray(scene(3)).save(path, kind)
        picture = read_picture(path)
        assert np.abs(picture[..., ::-1].astype(int) - scene(3)).mean() < 12
        assert picture_size(path) == (96, 64)

    def test_a_broken_jpeg_is_not_mended_by_the_other_library(self, monkeypatch):
        monkeypatch.setattr(ImageFile, 'LOAD_TRUNCATED_IMAGES', True)  # as some libraries do
        noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
        data = cv2.imencode('.jpg', noise)[1]
        monkeypatch.setattr(cv2, 'imdecode', lambda *_: None)  # OpenCV 4 lets half of one pass
        with pytest.raises(DataError, match=r'a\.jpg \(.* is empty or broken'):
            decode_picture(data[: len(data) // 2], 'a.jpg')

    @pytest.mark.parametrize('name', ['a.heic', 'IMG_1.JPG'])
    def test_heic_names_what_is_missing(self, tmp_path, monkeypatch, name):
        """Whatever its suffix: phones write HEIC as .JPG when they are told so."""
        monkeypatch.setattr('mmclsa.media.formats._heif_reader', lambda: False)
        (tmp_path / name).write_bytes(HEIC)
        for options in ({}, {'max_pixels': None}):
            with pytest.raises(DataError, match=r'is HEIC, which needs pillow-heif: pip install'):
                read_picture(tmp_path / name, **options)

    def test_avif_names_what_is_missing(self, tmp_path, monkeypatch):
        (tmp_path / 'a.avif').write_bytes(HEIC.replace(b'heic', b'avif'))
        for known, words in ((False, 'is AVIF, which needs Pillow'), (True, 'is empty or broken')):
            monkeypatch.setattr('mmclsa.media.formats.features.check', lambda _, known=known: known)
            with pytest.raises(DataError, match=words):
                read_picture(tmp_path / 'a.avif')

    @pytest.mark.skipif(find_spec('pillow_heif') is None, reason='extra heic is not installed')
    def test_heic_by_the_extra(self, tmp_path):
        heif = import_module('pillow_heif')
        heif.from_pillow(Image.fromarray(scene(3))).save(tmp_path / 'a.heic')
        assert (
            np.abs(read_picture(tmp_path / 'a.heic')[..., ::-1].astype(int) - scene(3)).mean() < 12
        )

    def test_no_reader_that_starts_a_program(self, tmp_path, monkeypatch):
        """Pillow gives EPS to Ghostscript, which runs what is in it."""
        path = tmp_path / 'a.png'
        Image.fromarray(scene(0)).save(path, 'EPS')
        monkeypatch.setattr('subprocess.check_call', None)
        for options in ({}, {'max_pixels': None}):
            with pytest.raises(DataError, match='is empty or broken'):
                read_picture(path, **options)

    def test_a_reader_that_raises_anything(self, tmp_path, monkeypatch):
        def fail(*_, **__):
            raise OverflowError('no such size')

        write(tmp_path / 'a.png', scene(0))
        monkeypatch.setattr(Image, 'open', fail)
        with pytest.raises(DataError, match=r'a\.png cannot be read \(no such size\)'):
            read_header(tmp_path / 'a.png')

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / 'a.png')
        with pytest.raises(DataError, match='is a pipe, not a file'):
            read_picture(tmp_path / 'a.png')


class TestInputs:
    def test_a_picture_of_pillow_is_taken_upright(self):
        exif = Image.Exif()
        exif[0x0112] = 6
        stream = io.BytesIO()
        Image.fromarray(scene(1)).save(stream, 'PNG', exif=exif)
        (picture,) = iterate_pictures(Image.open(stream))
        assert np.array_equal(picture.array, np.rot90(scene(1), -1)[..., ::-1])
        assert load_picture(Image.new('L', (4, 6), 9)).array.tolist() == [[[9] * 3] * 4] * 6

    @pytest.mark.parametrize('wrong', [3, None, b'ab', [b'ab'], object()])
    def test_what_is_none(self, wrong):
        with pytest.raises(UserError, match='a picture must be a path or an array, not'):
            list(iterate_pictures(wrong))


def tiff_of_two_sizes(side: int, big: bool = False) -> bytes:
    """A TIFF whose directory says first how large it is, and then that it is 10 x 10."""
    stream = io.BytesIO()
    picture = Image.fromarray(np.zeros((side, side), np.uint8))
    picture.save(stream, 'TIFF', compression=None if big else 'tiff_adobe_deflate', big_tiff=big)
    data = bytearray(stream.getvalue())
    place, offset, number, step = (8, '<Q', '<Q', 20) if big else (4, '<I', '<H', 12)
    (first,) = struct.unpack_from(offset, data, place)
    (count,) = struct.unpack_from(number, data, first)
    entries = []
    for start in range(first + struct.calcsize(number), len(data), step)[:count]:
        entry = bytes(data[start : start + step])
        (tag,) = struct.unpack_from('<H', entry)
        entries.append(entry)
        if tag in (256, 257):
            entries.append(struct.pack('<HHQQ' if big else '<HHII', tag, 4, 1, 10))
    data += bytes(len(data) % 2)
    struct.pack_into(offset, data, place, len(data))
    return bytes(data + struct.pack(number, len(entries)) + b''.join(entries) + bytes(8))


@pytest.mark.parametrize('big', [False, True], ids=['TIFF', 'BigTIFF'])
def test_a_tiff_of_two_sizes_is_not_decoded(monkeypatch, tmp_path, big):
    """Pillow believes the small one, and OpenCV would decode the large one."""
    data = tiff_of_two_sizes(600, big)
    (tmp_path / 'a.tif').write_bytes(data)
    assert Image.open(io.BytesIO(data)).size == (10, 10)
    monkeypatch.setattr('cv2.imdecode', lambda *_: pytest.fail('it was decoded'))
    for decode in (lambda: decode_bytes(data, 'a.tif'), lambda: read_picture(tmp_path / 'a.tif')):
        with pytest.raises(DataError, match='names its width or height more than once'):
            decode()


def test_what_decodes_to_more_than_its_header_says_is_refused(monkeypatch, tmp_path):
    data = cv2.imencode('.png', np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    (tmp_path / 'a.png').write_bytes(data)
    monkeypatch.setattr('cv2.imdecode', lambda *_: np.zeros((80, 80, 3), np.uint8))
    for decode in (
        lambda: decode_bytes(data, 'a.png', 100),
        lambda: read_picture(tmp_path / 'a.png', 100),
    ):
        with pytest.raises(DataError, match='too large: 80 x 80'):
            decode()


def test_the_limit_of_opencv_is_a_sentence(tmp_path):
    """It is read when OpenCV is loaded, so a process of its own."""
    code = (
        'import numpy as np; from mmclsa.media import decode_picture; import os, sys;'
        'assert int(os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"]) <= 1000, "not kept";'
        'decode_picture(np.fromfile(sys.argv[1], np.uint8), "a.png")'
    )
    path = tmp_path / 'a.png'
    path.write_bytes(cv2.imencode('.png', np.zeros((80, 80), np.uint8))[1].tobytes())
    ended = subprocess.run(
        [sys.executable, '-c', code, str(path)], capture_output=True, text=True, check=False,
        env={**os.environ, 'OPENCV_IO_MAX_IMAGE_PIXELS': '1000'}, timeout=120,
    )  # fmt: skip
    assert ended.stderr.splitlines()[-1].endswith('image a.png is too large to decode')


@pytest.mark.parametrize(
    'start', [b'II*\0', b'II+\0\x08\0\0\0', b'MM\0+', b'II', b'II*\0\x08\0\0\0']
)
@pytest.mark.parametrize('rest', [b'', b'\xff' * 100])
def test_a_tiff_whose_directory_is_nowhere(start, rest):
    with pytest.raises(DataError, match='broken'):
        decode_picture(np.frombuffer(start + rest, np.uint8), 'a.tif')
