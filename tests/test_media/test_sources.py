"""Folders and lists; what is a picture and what a video."""

from __future__ import annotations

import os

import pytest

from mmclsa.errors import UserError
from mmclsa.media import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    absolute_source,
    find_footage,
    is_picture,
    is_video,
    list_files,
)
from tests.fakes.footage import write_scenes


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(footage, folder):
    return [os.path.relpath(path, folder) for path in footage.files]


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

    @pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-be'])
    def test_encodings(self, tmp_path, encoding):
        mark = b'\xfe\xff' * (encoding == 'utf-16-be')
        (tmp_path / 'a.txt').write_bytes(mark + 'ü.jpg\r\nb.jpg\r\n'.encode(encoding))
        assert list_files(tmp_path / 'a.txt') == [str(tmp_path / 'ü.jpg'), str(tmp_path / 'b.jpg')]

    def test_lines_may_be_patterns_of_a_home_or_of_windows(self, tmp_path, monkeypatch):
        monkeypatch.setenv('HOME', str(tmp_path / 'home'))
        touch(tmp_path / 'home' / 'a.jpg', tmp_path / 'in' / 's' / 'b.jpg')
        (tmp_path / 'in' / 'all.txt').write_text('~/*.jpg\ns\\b.jpg\n')
        assert list_files(tmp_path / 'in' / 'all.txt') == [
            str(tmp_path / 'home' / 'a.jpg'),
            str(tmp_path / 'in' / 's' / 'b.jpg'),
        ]


class TestLinks:
    def test_folders_behind_links_are_gone_through_once(self, tmp_path):
        touch(*(tmp_path / name for name in ('nas/1/a.jpg', 'nas/1/deep/b.jpg', 'f/own.jpg')))
        (tmp_path / 'f' / 'cam').symlink_to(tmp_path / 'nas' / '1')
        (tmp_path / 'f' / 'same').symlink_to(tmp_path / 'nas' / '1')
        (tmp_path / 'nas' / '1' / 'up').symlink_to(tmp_path / 'f')  # round in a circle
        found = find_footage([tmp_path / 'f'])
        assert names(found, tmp_path) == ['f/cam/a.jpg', 'f/cam/deep/b.jpg', 'f/own.jpg']

    def test_a_folder_keeps_its_own_name_where_it_has_one(self, tmp_path):
        touch(tmp_path / 'f' / 'z' / 'a.jpg', tmp_path / 'g' / 'b.jpg')
        (tmp_path / 'f' / 'a').symlink_to(tmp_path / 'f' / 'z')
        (tmp_path / 'f' / 'b').symlink_to(tmp_path / 'g')
        assert names(find_footage([tmp_path / 'f', tmp_path / 'g']), tmp_path) == [
            'f/z/a.jpg',
            'g/b.jpg',
        ]

    def test_a_source_within_another_is_no_empty_source(self, tmp_path):
        touch(tmp_path / 'f' / 'z' / 'a.jpg')
        assert len(find_footage([tmp_path / 'f', tmp_path / 'f' / 'z', tmp_path]).files) == 1

    def test_a_link_to_nowhere_is_told_when_it_is_read(self, tmp_path):
        touch(tmp_path / 'a.jpg')
        (tmp_path / 'b.jpg').symlink_to(tmp_path / 'none.jpg')
        (tmp_path / 'c.jpg').symlink_to('c.jpg')
        (tmp_path / 'cam').symlink_to(tmp_path / 'gone')
        found = find_footage([tmp_path])
        assert names(found, tmp_path) == ['a.jpg', 'b.jpg', 'c.jpg']
        assert found.passed_over == {'no suffix': 1}


class TestOtherFiles:
    def test_every_other_file_is_counted_by_its_kind(self, tmp_path):
        for name in ('a.jpg', 'a.txt', 'B.TXT', 'c.cr2', 'notes', '.x.jpg', '.h/y.jpg', '.h/z.jpg'):
            touch(tmp_path / name)
        found = find_footage([tmp_path])
        assert names(found, tmp_path) == ['a.jpg']
        assert found.passed_over == {
            '.txt': 2, '.cr2': 1, 'no suffix': 1, 'hidden file': 1, 'hidden folder': 1
        }  # fmt: skip

    def test_what_never_ends_is_not_opened(self, tmp_path):
        touch(tmp_path / 'a.jpg')
        os.mkfifo(tmp_path / 'b.mp4')
        os.mkfifo(tmp_path / 'c')
        found = find_footage([tmp_path])
        assert found.skipped == {
            str(tmp_path / 'b.mp4'): f'{tmp_path / "b.mp4"} is a pipe, not a file'
        }
        assert found.passed_over == {'pipe': 1}
        for path, kind in ((tmp_path / 'b.mp4', 'pipe'), ('/dev/null', 'device')):
            with pytest.raises(UserError, match=f'must be a file or a folder, but is a {kind}'):
                find_footage([path])

    def test_a_folder_that_may_not_be_read_is_named(self, tmp_path, monkeypatch):
        touch(tmp_path / 'a.jpg', tmp_path / 'locked' / 'b.jpg')
        real = os.scandir

        def scandir(path):
            if str(path).endswith('locked'):
                raise PermissionError(13, 'Permission denied', path)
            return real(path)

        monkeypatch.setattr(os, 'scandir', scandir)
        locked = str(tmp_path / 'locked')
        assert find_footage([tmp_path]).skipped == {
            locked: f'folder {locked} cannot be read (Permission denied)'
        }

    def test_an_empty_text_is_not_the_current_folder(self, tmp_path, monkeypatch):
        """*Seen*: of a shell's variable that was not set, the current folder was indexed."""
        monkeypatch.chdir(tmp_path)
        touch(tmp_path / 'a.jpg')
        for find in (lambda: find_footage(['a.jpg', '']), lambda: list_files('')):
            with pytest.raises(UserError, match='a source must be a path, but is an empty text'):
                find()
        assert list_files('.') == [str(tmp_path / 'a.jpg')]

    def test_an_empty_source_says_what_is_there(self, tmp_path):
        touch(tmp_path / 'a.docx', tmp_path / 'b.docx')
        with pytest.raises(UserError, match=r'no picture and no video in it \(other.*docx 2\)'):
            find_footage([tmp_path])


class TestPatterns:
    def test_patterns_and_homes_are_expanded(self, tmp_path, monkeypatch):
        monkeypatch.setenv('HOME', str(tmp_path))
        monkeypatch.chdir(tmp_path)
        touch(*(tmp_path / name for name in ('f/a.jpg', 'f/b.png', 'f/g/c.jpg', 'f/g/notes.txt')))
        for source, expected in {
            '~/f': ['f/a.jpg', 'f/b.png', 'f/g/c.jpg'],
            'f/*.jpg': ['f/a.jpg'],
            '~/f/**/*.jpg': ['f/a.jpg', 'f/g/c.jpg'],
            '~/f/*': ['f/a.jpg', 'f/b.png', 'f/g/c.jpg'],
            'f/g/*': ['f/g/c.jpg'],
        }.items():
            assert names(find_footage([source]), tmp_path) == expected, source
        assert find_footage(['f/g/*']).passed_over == {'.txt': 1}, 'not read as a list'
        assert absolute_source('~/f') == str(tmp_path / 'f')

    def test_a_name_with_brackets_is_a_name(self, tmp_path):
        touch(tmp_path / 'a [1].jpg', tmp_path / '~b.jpg')
        for name in ('a [1].jpg', '~b.jpg'):
            assert list_files(tmp_path / name) == [str(tmp_path / name)]

    def test_a_pattern_of_nothing(self, tmp_path):
        with pytest.raises(UserError, match=r'\*\.jpg is a pattern that no file'):
            find_footage([tmp_path / '*.jpg'])


@pytest.mark.parametrize(
    'address',
    ['rtsp://u:p@cam.example/1', 'http://x/a.mp4', 'https://x/a.jpg', 'UDP://@239.0.0.1:1234',
     'rtmp://x/y', 'srt://x:1', 's3://b/a.mp4'],
)  # fmt: skip
def test_addresses_are_refused_by_name(tmp_path, address):
    with pytest.raises(UserError, match='is an address, and streams are not read: record') as told:
        find_footage([address])
    assert f'-i {address} -c' in str(told.value)
    (tmp_path / 'a.txt').write_text(f'{address}\n')
    with pytest.raises(UserError, match=r'line 1 of the list .* is an address'):
        find_footage([tmp_path / 'a.txt'])


def test_a_suffix_says_one_thing():
    for suffix in IMAGE_SUFFIXES + VIDEO_SUFFIXES:
        assert is_picture(f'a{suffix}') != is_video(f'a{suffix}')
        assert is_picture(f'b/A{suffix.upper()}') == (suffix in IMAGE_SUFFIXES)
    assert not is_picture('a.txt')
    assert not is_video('avi')
