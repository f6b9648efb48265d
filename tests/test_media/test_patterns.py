"""Patterns of names, against Python's own where links do not go in circles."""

from __future__ import annotations

import glob
import os

import pytest

from mmclsa.media.patterns import expand_pattern


@pytest.fixture
def tree(tmp_path):
    for name in ('a.jpg', 'B.JPG', 'c/1.jpg', 'c/d/2.jpg', 'c/d/2.txt', '.h/3.jpg', 'c/.4.jpg'):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    'pattern',
    ['*.jpg', '*.JPG', '**/*.jpg', 'c/**/*', '**', '?/*.jpg', '[a-b]*', '*/d/*', '.*/*', 'none/*'],
)
def test_as_a_shell_expands_them(tree, pattern):
    found = expand_pattern(f'{tree}/{pattern}')
    expected = {os.path.normpath(p) for p in glob.glob(f'{tree}/{pattern}', recursive=True)}
    if pattern.startswith('**') or '/**' in pattern:
        # Python's own gives files for a last "**" too; here it stands for folders.
        expected = {p for p in expected if os.path.isdir(p) or not pattern.endswith('**')}
    assert set(found) == expected
    assert found == sorted(found)


def test_brackets_of_a_name_that_is_there(tree):
    """*Seen*: of a camera's folder ``cam [1]`` no pattern found anything."""
    for name in ('cam [1]/a.jpg', 'cam [1]/b [2].jpg', 'cam 1/c.jpg', 'cam 2/d.jpg', 'x[*]/e.jpg'):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).touch()

    def found(pattern):
        return [os.path.relpath(path, tree) for path in expand_pattern(f'{tree}/{pattern}')]

    assert found('cam [1]/*.jpg') == ['cam [1]/a.jpg', 'cam [1]/b [2].jpg']
    assert found('cam [1]/b [2].jpg') == ['cam [1]/b [2].jpg']
    assert found('**/b [2].jpg') == ['cam [1]/b [2].jpg']
    assert found('cam [2]/*.jpg') == ['cam 2/d.jpg']  # there is no such name: as a shell
    assert found('cam [12]/*') == ['cam 1/c.jpg', 'cam 2/d.jpg']
    assert found('x[*]/*') == []  # a folder "x*"


def test_circles_come_to_an_end(tree):
    for name in ('c/up', 'c/d/up', 'c/d/again'):
        (tree / name).symlink_to(tree, target_is_directory=True)
    found = expand_pattern(f'{tree}/**/*.jpg')
    assert [os.path.relpath(path, tree) for path in found] == ['a.jpg', 'c/1.jpg', 'c/d/2.jpg']
