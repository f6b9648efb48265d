"""Pictures that OpenCV 4 and 5 decode otherwise are read alike with both."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from mmclsa.errors import DataError
from mmclsa.media import decode_picture
from mmclsa.media.opencv_gaps import is_cut_jpeg, turn_upright, webp_orientation

PIXELS = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)


def encode(kind, orientation=None, pixels=PIXELS, **options):
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, exif=exif, **options)
    return np.frombuffer(stream.getvalue(), dtype=np.uint8)


@pytest.mark.parametrize('options', [{}, dict(progressive=True), dict(subsampling=0, quality=20)])
def test_a_jpeg_that_breaks_off_anywhere_is_told_from_a_whole_one(options):
    whole = encode('JPEG', **options)
    assert not is_cut_jpeg(whole)
    for length in (4, 21, 300, 700, len(whole) // 2, len(whole) - 20, len(whole) - 2):
        assert is_cut_jpeg(whole[:length]), length
        with pytest.raises(DataError, match=r'a\.jpg \(\d+ bytes\) is empty or broken'):
            decode_picture(whole[:length], 'a.jpg')


def test_a_decoder_that_takes_half_a_picture_is_not_asked(monkeypatch):
    """This is OpenCV 4."""
    monkeypatch.setattr(cv2, 'imdecode', lambda data, flags: PIXELS)
    whole = encode('JPEG')
    assert decode_picture(whole, 'a.jpg').shape == PIXELS.shape
    with pytest.raises(DataError, match='broken'):
        decode_picture(whole[: len(whole) // 2], 'a.jpg')


def test_what_follows_the_end_and_thumbnails_do_not_matter():
    whole = encode('JPEG')
    thumbnail = encode('JPEG', pixels=PIXELS[::4, ::4])
    assert not is_cut_jpeg(np.concatenate([whole, np.zeros(5000, np.uint8)]))
    segment = b'\xff\xe2' + (len(thumbnail) + 2).to_bytes(2, 'big') + thumbnail.tobytes()
    bearer = np.frombuffer(whole[:2].tobytes() + segment + whole[2:].tobytes(), np.uint8)
    assert decode_picture(bearer, 'a.jpg').shape == PIXELS.shape
    assert is_cut_jpeg(bearer[:-500]), 'the end of the thumbnail is none'


@pytest.mark.parametrize('kind', ['PNG', 'WEBP', 'BMP', 'TIFF'])
def test_what_is_no_jpeg_is_left_to_the_decoder(kind):
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, kind)
    data = np.frombuffer(stream.getvalue(), np.uint8)
    assert not is_cut_jpeg(data)
    assert not is_cut_jpeg(data[: len(data) // 2])
    with pytest.raises(DataError):
        decode_picture(data[: len(data) // 2], 'a')


@pytest.mark.parametrize('orientation', range(1, 9))
def test_a_webp_is_turned_as_its_exif_says(orientation):
    data = encode('WEBP', orientation, lossless=True)
    assert webp_orientation(data) == orientation
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data.tobytes()))).convert('RGB')
    assert np.array_equal(decode_picture(data, 'a.webp')[..., ::-1], np.asarray(upright))
    assert np.array_equal(turn_upright(PIXELS, orientation), np.asarray(upright))


def test_a_webp_without_a_note_stays():
    assert np.array_equal(decode_picture(encode('WEBP', lossless=True), 'a')[..., ::-1], PIXELS)
