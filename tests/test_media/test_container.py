"""What containers say of the whole video."""

from __future__ import annotations

import pytest

from mmclsa.media.container import Container, read_container
from tests.fakes.containers import write_mkv, write_mp4
from tests.fakes.footage import scene, write_video

MADE = 1_714_979_289.0


@pytest.mark.parametrize('write', [write_mkv, write_mp4])
class TestContainers:
    def test_creation_and_length(self, tmp_path, write):
        video = write(tmp_path / 'a', [scene(0)] * 3, [0, 40, 2000], MADE)
        assert read_container(video) == Container(MADE, 2.04)

    def test_no_creation(self, tmp_path, write):
        assert read_container(write(tmp_path / 'a', [scene(0)], [0])).created is None

    def test_a_creation_before_there_were_such_files_was_never_set(self, tmp_path, write):
        assert read_container(write(tmp_path / 'a', [scene(0)], [0], 86_400.0)).created is None

    def test_broken_anywhere(self, tmp_path, write):
        data = write(tmp_path / 'a', [scene(0)] * 2, [0, 40], MADE).read_bytes()
        for cut in range(0, len(data), 7):
            (tmp_path / 'b').write_bytes(data[:cut])
            assert read_container(tmp_path / 'b').created in (None, MADE)
            (tmp_path / 'c').write_bytes(data[:cut] + b'\xff' * 16 + data[cut + 16 :])
            read_container(tmp_path / 'c')


def test_others(tmp_path):
    assert read_container(write_video(tmp_path / 'a.avi', 3)) == Container()
    assert read_container(tmp_path / 'none') == Container()
    (tmp_path / 'empty').touch()
    assert read_container(tmp_path / 'empty') == Container()
