"""Folders and lists; what is a picture and what a video."""

from __future__ import annotations

import os

import pytest

from mmclsa.errors import UserError
from mmclsa.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES, is_picture, is_video, list_files
from tests.fakes.footage import write_scenes


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
        ],
    )
    def test_errors(self, tmp_path, name, content, words):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=words):
            list_files(tmp_path / name)


def test_a_suffix_says_one_thing():
    for suffix in IMAGE_SUFFIXES + VIDEO_SUFFIXES:
        assert is_picture(f'a{suffix}') != is_video(f'a{suffix}')
        assert is_picture(f'b/A{suffix.upper()}') == (suffix in IMAGE_SUFFIXES)
    assert not is_picture('a.txt')
    assert not is_video('avi')
