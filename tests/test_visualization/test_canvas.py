"""Boxes, crops, cells, text and files, looked at by their pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmclsa.errors import DataError, UserError
from mmclsa.visualization import crop_person, draw_boxes, fit_into, write_picture
from mmclsa.visualization.canvas import GREEN, QUERY, RED, put_text


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8)


def test_each_box_has_its_colour_and_leaves_its_inside():
    picture = noise(80, 100)
    before = picture.copy()
    boxes = np.array([[10, 10, 30, 60], [50, 20, 90, 70]])
    drawn = draw_boxes(picture, boxes, colours=[GREEN, RED])
    assert (picture == before).all(), 'the picture that came is not touched'
    for (x1, y1, x2, y2), colour in zip(boxes, (GREEN, RED)):
        for x, y in ((x1, y1 + 5), (x2 - 1, y1 + 5), (x1 + 5, y1), (x1 + 5, y2 - 1)):
            assert tuple(drawn[y, x]) == colour
        inside = np.s_[y1 + 3 : y2 - 4, x1 + 3 : x2 - 4]
        assert (drawn[inside] == before[inside]).all()
    assert (drawn[:8] == before[:8]).all()


@pytest.mark.parametrize('box', [[-50, -50, -10, -10], [np.nan, 0, 10, 10], [0, 0, np.inf, 10]])
def test_boxes_outside_or_not_finite_draw_nothing(box):
    picture = noise(40, 40)
    assert (draw_boxes(picture, np.array([box])) == picture).all()


def test_no_box_and_a_huge_one():
    picture = noise(40, 40)
    assert (draw_boxes(picture, np.zeros((0, 4)), [], GREEN) == picture).all()
    drawn = draw_boxes(picture, np.array([[5, 5, 1e9, 1e9]]))
    assert tuple(drawn[20, 5]) == GREEN


@pytest.mark.parametrize('corner', [(0, 0), (95, 3), (-20, 78)])
def test_a_label_stays_in_the_picture(corner):
    x, y = corner
    blank = np.full((80, 100, 3), 128, np.uint8)
    plain = draw_boxes(blank, np.array([[x, y, x + 20, y + 20]]))
    drawn = draw_boxes(blank, np.array([[x, y, x + 20, y + 20]]), ['0.93'])
    patch = (drawn == GREEN).all(-1) & ~(plain == GREEN).all(-1)
    assert patch.sum() > 100, 'room for four characters'
    empty = draw_boxes(blank, np.array([[x, y, x + 20, y + 20]]), [''])
    assert (empty == plain).all()


def test_crop_keeps_its_aspect_and_repeats_borders():
    picture = noise(60, 40)
    crop = crop_person(picture, np.array([0, 0, 20, 40]))
    assert crop.shape == (48, 24, 3)
    assert (crop[10, :2] == crop[10, 2]).all(), 'two columns left of the picture'
    assert (crop[4, 2] == picture[0, 0]).all()
    wide = crop_person(picture, np.array([0, 0, 40, 10]))
    assert wide.shape == (96, 48, 3)
    assert crop_person(picture, np.array([500, 500, 500, 500])).shape[0] >= 1


def test_a_cell_keeps_the_shape_of_its_picture():
    cell = fit_into(np.zeros((10, 40, 3), np.uint8), (80, 60))
    black = (cell == 0).all(-1)
    rows, columns = np.flatnonzero(black.any(1)), np.flatnonzero(black.any(0))
    assert (len(rows), len(columns)) == (20, 80)
    assert rows[0] == 20, 'in the middle'


def test_a_missing_picture_says_so():
    cell = fit_into(None, (80, 60), 'gone')
    assert cell.shape == (60, 80, 3)
    assert (cell != cell[0, 0]).any(), 'there is text'
    assert (fit_into(np.zeros((0, 5, 3), np.uint8), (80, 60), 'gone') == cell).all()


def test_text_that_is_too_long_or_not_ascii():
    blank = np.full((20, 60, 3), 255, np.uint8)
    assert put_text(blank, 'Straße 街', (2, 15), width=50) <= 50
    assert (blank != 255).any()
    assert (blank[:, 54:] == 255).all()
    assert put_text(blank, 'anything', (0, 15), width=1) >= 0


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.BMP'])
def test_a_written_picture_reads_back(tmp_path, suffix):
    picture = np.full((30, 40, 3), QUERY, np.uint8)
    path = write_picture(tmp_path / 'Straße 街' / f'a{suffix}', picture)
    data = np.frombuffer(path.read_bytes(), np.uint8)
    read = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(read.astype(int) - picture).max() <= 4
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_pictures_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    blank = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(UserError, match='cannot write into the folder'):
        write_picture(tmp_path / 'file' / 'a.png', blank)
    with pytest.raises(DataError, match=r"a\.gif must end in .*, but ends in '\.gif'"):
        write_picture(tmp_path / 'a.gif', blank)
