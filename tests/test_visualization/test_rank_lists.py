"""Ranked results and montages: colours, missing pictures, rows."""

from __future__ import annotations

import numpy as np
import pytest

from mmclsa.visualization import RankedPerson, draw_gallery_montage, draw_rank_list
from mmclsa.visualization.canvas import GREEN, GREY, QUERY, RED
from mmclsa.visualization.rank_lists import truth_colour

SCENE = np.zeros((90, 120, 3), np.uint8)
BOX = np.array([30.0, 20.0, 60.0, 80.0])


def person(right=None, picture=SCENE, **kwargs):
    return RankedPerson(picture, BOX, right=right, **kwargs)


def count(picture, colour):
    return int((picture == colour).all(-1).sum())


@pytest.mark.parametrize(('right', 'colour'), [(True, GREEN), (False, RED), (None, GREY)])
def test_a_hit_has_the_colour_of_its_truth(right, colour):
    drawn = draw_rank_list(person(), [person(right)])
    assert truth_colour(right) == colour
    others = {GREEN, RED} - {colour}
    # A border of 4 pixels around a crop of 104 x 208.
    assert count(drawn, colour) >= 4 * 2 * (104 + 208)
    assert count(drawn, QUERY) >= 4 * 2 * (104 + 208)
    assert all(count(drawn, other) == 0 for other in others)


def test_hits_come_in_order_from_left_to_right():
    drawn = draw_rank_list(person(), [person(True), person(False), person(True)])
    row = drawn[10]
    seen = [QUERY, GREEN, RED, GREEN]
    places = [np.flatnonzero((row == colour).all(-1)) for colour in (QUERY, GREEN, RED)]
    assert all(len(p) for p in places)
    order = sorted((p, name) for name, group in enumerate(places) for p in group)
    runs = [name for i, (_, name) in enumerate(order) if i == 0 or order[i - 1][1] != name]
    assert [(QUERY, GREEN, RED)[name] for name in runs] == seen


def test_columns_break_rows():
    hits = [person(True)] * 5
    one = draw_rank_list(person(), hits)
    three = draw_rank_list(person(), hits, columns=3)
    assert three.shape[0] > 1.8 * one.shape[0]
    assert three.shape[1] < one.shape[1]
    assert count(three, GREEN) == count(one, GREEN)


def test_a_title_and_notes_add_lines():
    plain = draw_rank_list(person(), [person()])
    titled = draw_rank_list(person(), [person()], title='query 3, AP 50.0')
    assert titled.shape[0] == plain.shape[0] + 20
    noted = draw_rank_list(person(note='a.jpg'), [person(note='b.jpg')])
    assert noted.shape[0] == plain.shape[0] + 20


def test_missing_pictures_and_no_hits():
    missing = draw_rank_list(person(picture=None), [person(True, picture=None), person(False)])
    whole = draw_rank_list(person(), [person(True), person(False)])
    assert missing.shape == whole.shape
    assert count(missing, GREEN) >= 4 * 2 * (104 + 208), 'its border stays'
    nobody = draw_rank_list(person(), [])
    assert nobody.shape[0] == whole.shape[0]
    assert count(nobody, GREEN) + count(nobody, RED) == 0


def test_montage():
    pictures = [np.zeros((180, 240, 3), np.uint8), None, np.full((300, 50, 3), 255, np.uint8)]
    boxes = [BOX[None], np.zeros((0, 4)), np.zeros((0, 4))]
    drawn = draw_gallery_montage(pictures, boxes, ['a', 'b', 'c'], columns=2)
    assert drawn.shape == (2 * (180 + 20) + 3 * 8, 2 * 240 + 3 * 8, 3)
    assert count(drawn, QUERY) > 50
    alone = draw_gallery_montage([], columns=4)
    assert alone.shape == (180 + 16, 240 + 16, 3)
