"""Folders, videos and lists; pictures that are odd, large or broken."""

from __future__ import annotations

import calendar
import math
import os

import numpy as np
import pytest
from PIL import Image

from mmclsa.errors import ConfigError, DataError, UserError
from mmclsa.gallery.building import (
    Sampling,
    VideoStream,
    as_bgr,
    list_files,
    plan_units,
    read_header,
    read_picture,
)
from tests.test_gallery.fakes import scene, write, write_scenes, write_video


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

    @pytest.mark.parametrize('shape', [(4, 6), (4, 6, 1), (4, 6, 3), (4, 6, 4)])
    def test_arrays(self, shape):
        assert as_bgr(np.ones(shape, np.uint8)).tolist() == np.ones((4, 6, 3)).tolist()

    @pytest.mark.parametrize(
        'array', [np.zeros((4, 6, 3)), np.zeros((4, 6, 2), np.uint8), np.zeros((0, 6), np.uint8)]
    )
    def test_other_arrays_are_refused(self, array):
        with pytest.raises(UserError, match='a picture must'):
            as_bgr(array)


class TestLists:
    def test_folder_is_recursive_sorted_and_without_hidden_files(self, tmp_path):
        for name in ('b/2.JPG', 'b/10.png', 'a ü 人.png', '.thumbs/x.png', 'b/.y.png', 'notes.txt'):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b'')
        expected = [str(tmp_path / name) for name in ('a ü 人.png', 'b/10.png', 'b/2.JPG')]
        assert list_files(tmp_path) == expected

    def test_list_is_relative_to_itself(self, tmp_path):
        write_scenes(tmp_path / 'in' / 'folder', 2)
        (tmp_path / 'in' / 'all.txt').write_text('\ufeffgone.png\n\nfolder\n ../v.mp4 \n')
        found = list_files(tmp_path / 'in' / 'all.txt')
        names = [os.path.relpath(path, tmp_path) for path in found]
        assert names == ['in/gone.png', 'in/folder/0000.png', 'in/folder/0001.png', 'v.mp4']

    @pytest.mark.parametrize(
        ('name', 'content', 'words'),
        [
            ('none.mp4', None, 'none.mp4 does not exist'),
            ('a.docx', b'', 'must be a folder'),
            ('a.txt', b'a.png\nb.docx\n', 'line 2 of the list'),
            ('a.txt', b'\xff\xfe', 'UTF-8'),
            ('a.txt', b'', 'no picture and no video'),
        ],
    )
    def test_errors(self, tmp_path, name, content, words):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=words):
            plan_units([tmp_path / name])

    def test_no_unit_twice(self, tmp_path):
        paths = write_scenes(tmp_path, 3)
        assert len(plan_units([tmp_path, paths[0], tmp_path]).units) == 3

    def test_name_that_is_not_utf8_is_skipped(self, tmp_path):
        write_scenes(tmp_path, 1)
        with open(os.fsencode(tmp_path) + b'/\xff.png', 'wb'):
            pass
        plan = plan_units([tmp_path])
        assert len(plan.units) == 1
        assert 'not UTF-8' in next(iter(plan.skipped.values()))


class TestVideo:
    def test_units_cover_the_video_once(self, tmp_path, monkeypatch):
        monkeypatch.setattr('mmclsa.gallery.building.sources.FRAMES_PER_UNIT', 8)
        video = write_video(tmp_path / 'a b ü.avi', 21)
        units = plan_units([video], Sampling(every=3)).units
        assert [(unit.start, unit.stop) for unit in units] == [(0, 8), (8, 16), (16, None)]
        assert [unit.num_frames for unit in units] == [3, 3, 1]
        stream = VideoStream(video)
        frames = [
            frame
            for unit in units
            for frame, _ in stream.read(unit.start, unit.stop, Sampling(every=3))
        ]
        assert frames == list(range(0, 21, 3))
        assert not stream.broke_off

    def test_a_stretch_has_the_frames_that_the_whole_has(self, tmp_path):
        video = write_video(tmp_path / 'a.avi', 30)
        whole = dict(VideoStream(video).read(0, None, Sampling()))
        part = dict(VideoStream(video).read(13, 19, Sampling()))
        assert list(part) == list(range(13, 19))
        for frame, picture in part.items():
            assert np.array_equal(picture, whole[frame])
        assert np.abs(whole[7].astype(int) - scene(1)).mean() < 5

    @pytest.mark.parametrize(('fps', 'count'), [(2.5, 10), (10, 40), (1, 4), (99, 40), (3, 12)])
    def test_frames_per_second(self, fps, count):
        wanted = [i for i in range(40) if Sampling(fps=fps).wants(i, 10.0)]
        assert len(wanted) == count
        assert wanted[0] == 0
        assert np.ptp(np.diff(wanted)) <= 1

    @pytest.mark.parametrize('options', [{'every': 0}, {'fps': 0}, {'fps': math.nan}])
    def test_sampling_is_checked(self, options):
        with pytest.raises(ConfigError, match='must be'):
            Sampling(**options)

    def test_broken_off_is_noticed(self, tmp_path):
        video = write_video(tmp_path / 'a.avi', 100)
        data = video.read_bytes()
        video.write_bytes(data[: len(data) // 2])
        stream = VideoStream(video)
        stream.num_frames = stream.num_frames or 100
        read = sum(1 for _ in stream.read(0, None, Sampling()))
        assert 20 < read < 80

    def test_no_video_is_skipped_in_the_plan(self, tmp_path):
        write_scenes(tmp_path, 1)
        (tmp_path / 'a.mp4').write_bytes(b'')
        plan = plan_units([tmp_path])
        assert len(plan.units) == 1
        assert 'a.mp4' in str(plan.skipped)
