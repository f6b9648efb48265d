"""Two tasks are the same, or a word says what differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmclsa.evaluation.functional import scenes_differ, tasks_differ
from mmclsa.structures import Query, Scene, SearchProtocol

BOX = np.array([0.0, 0, 10, 20])


def task(images='abc', galleries=(('b', 'c'), ('a', 'b')), shift=0.0, person=7, match='b'):
    queries = [Query('a', BOX + shift, person), Query('c', BOX, 8)]
    truths = [[(match, BOX)], [('b', BOX + 30)]]
    return SearchProtocol.build('t', list(images), queries, truths, galleries)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({}, ''),
        (dict(images='abcd'), '3 images against 4'),
        (dict(images='acb'), 'other images'),
        (dict(shift=1.0), 'other queries'),
        (dict(person=9), 'other queries'),
        (dict(galleries=(('b',), ('a', 'b'))), 'other galleries'),
        (dict(galleries=None), 'other galleries'),
        (dict(match='c'), 'other matches'),
    ],
)
def test_what_differs_between_tasks_is_named(change, words):
    assert tasks_differ(task(), task(**change)) == words


def test_a_query_less():
    whole = task()
    less = replace(
        whole,
        query_ids=whole.query_ids[:1],
        query_images=whole.query_images[:1],
        query_boxes=whole.query_boxes[:1],
        person_ids=whole.person_ids[:1],
    )
    assert tasks_differ(whole, less) == '2 queries against 1'


def scene(image='a', boxes=2, person=0, ignore=False):
    rows = np.tile(BOX, (boxes, 1))
    return Scene(image, rows, np.full(boxes, person), np.full(boxes, ignore))


@pytest.mark.parametrize(
    ('other', 'words'),
    [
        ([scene(), scene('b')], ''),
        ([scene()], '2 images against 1'),
        ([scene(), scene('c')], 'image 1 is b against c'),
        ([scene(boxes=3), scene('b')], 'other people in the image a'),
        ([scene(person=1), scene('b')], 'other people in the image a'),
        ([scene(), scene('b', ignore=True)], 'other people in the image b'),
    ],
)
def test_what_differs_between_scenes_is_named(other, words):
    assert scenes_differ([scene(), scene('b')], other) == words
