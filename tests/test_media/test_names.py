"""Camera and time in the names of files."""

from __future__ import annotations

import calendar
import pickle

import pytest

from mmclsa.errors import ConfigError
from mmclsa.media import NamePattern

MOMENT = calendar.timegm((2024, 5, 6, 7, 8, 9))


@pytest.mark.parametrize(
    ('pattern', 'path', 'camera', 'time'),
    [
        ('{camera}_{date}_{time}', '/f/door_20240506_070809.mp4', 'door', MOMENT),
        ('{camera}_{date}_{time}', '/f/cam_1_2024-05-06_07-08-09.MKV', 'cam_1', MOMENT),
        ('{camera}_{date}_{time}', '/f/d_2024_05_06_07_08_09.mp4', 'd', MOMENT),
        ('{camera}_{date}_{time}.mp4', '/f/d_20240506_070809.mp4', 'd', MOMENT),
        ('{camera}_{date}_{time}', '/f/d_20240506_070809250.avi', 'd', MOMENT + 0.25),
        ('{camera}/{date}/{time}*', '/nas/yard/2024.05.06/07.08.09.5_x.jpg', 'yard', MOMENT + 0.5),
        ('*_{camera}_{date:%d%m%y}_{time:%Hh%M}', '/f/NVR_a_060524_07h08.ts', 'a', MOMENT - 9),
        ('{epoch}', f'/f/{MOMENT}.jpg', None, MOMENT),
        ('{camera}-{epoch}', f'/f/c-{MOMENT}123.jpg', 'c', MOMENT + 0.123),
        ('{date}', '/f/20240506.mp4', None, MOMENT - 7 * 3600 - 489),
        ('{camera}/*', '/f/yard/a.b.mp4', 'yard', None),
        ('(1) {camera}+', '/f/(1) ü+.mp4', 'ü', None),
    ],
)
def test_what_names_tell(pattern, path, camera, time):
    named = pickle.loads(pickle.dumps(NamePattern(pattern))).match(path)
    assert named.camera == camera
    assert named.time == (time if time is None else pytest.approx(time, abs=1e-6))


@pytest.mark.parametrize(
    'path',
    [
        '/f/door.mp4',
        '/f/door_20240506_070809_2.mp4',
        '/f/door_20241306_070809.mp4',  # a thirteenth month
        '/f/door_20240506_250809.mp4',
        '/f/door_2024-0506_070809.mp4',
        '/f/_20240506_070809.mp4',
    ],
)
def test_names_of_another_pattern(path):
    assert NamePattern('{camera}_{date}_{time}').match(path) is None


def test_a_camera_is_one_part_of_the_path():
    assert NamePattern('{camera}_{date}').match('/f/a/b_20240506.mp4').camera == 'b'


@pytest.mark.parametrize(
    'pattern',
    ['', 'door', '{cam}_{date}', '{time}', '{date}{date}', '{camera', '{camera:%d}', '{}'],
)
def test_patterns_that_are_none(pattern):
    with pytest.raises(ConfigError, match='name pattern'):
        NamePattern(pattern)
