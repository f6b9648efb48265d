"""From folders, videos and lists to units of work."""

from __future__ import annotations

import os

import pytest

from mmclsa.errors import UserError
from mmclsa.gallery.building import Sampling, plan_units
from mmclsa.media import VideoReader
from tests.fakes.footage import write_scenes, write_video


class TestPlan:
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

    def test_units_cover_the_video_once(self, tmp_path, monkeypatch):
        monkeypatch.setattr('mmclsa.gallery.building.units.FRAMES_PER_UNIT', 8)
        video = write_video(tmp_path / 'a b ü.avi', 21)
        units = plan_units([video], Sampling(every=3)).units
        assert [(unit.start, unit.stop) for unit in units] == [(0, 8), (8, 16), (16, None)]
        assert [unit.num_frames for unit in units] == [3, 3, 1]
        reader = VideoReader(video)
        frames = [
            frame
            for unit in units
            for frame, _ in reader.read(unit.start, unit.stop, Sampling(every=3))
        ]
        assert frames == list(range(0, 21, 3))
        assert not reader.broke_off

    def test_no_video_is_skipped_in_the_plan(self, tmp_path):
        write_scenes(tmp_path, 1)
        (tmp_path / 'a.mp4').write_bytes(b'')
        plan = plan_units([tmp_path])
        assert len(plan.units) == 1
        assert 'a.mp4' in str(plan.skipped)
