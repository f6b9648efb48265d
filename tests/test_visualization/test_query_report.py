"""The page of queries: parsed, and its pictures decoded."""

from __future__ import annotations

import base64
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from mmclsa.errors import DataError, UserError
from mmclsa.evaluation.examples import choose_examples
from mmclsa.evaluation.functional import SearchFlags
from mmclsa.structures import Predictions, Query, SearchProtocol
from mmclsa.visualization import query_cases, render_report, save_query_report

BOX = np.array([10.0, 10.0, 50.0, 110.0])
VOID = {'meta', 'img', 'br'}


class Page(HTMLParser):
    """Collect what the tests look at, and check that tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.captions: list[str] = []
        self.kinds: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == 'figure':
            self.kinds.append(values['class'])
        elif tag == 'img':
            self.sources.append(values['src'])
        self.links += [v for k, v in attrs if k in ('href', 'srcset', 'onload', 'onerror')]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == 'h2':
            self.headings.append(data)
        elif self.open and self.open[-1] == 'figcaption':
            self.captions.append(data)


def task_and_found(evil='<script>alert(1)</script>.jpg'):
    """Three queries: found first, found second, and never found."""
    images = ['a', 'b', evil, 'c']
    queries = [Query('a', BOX, person) for person in (5, 6, 7)]
    truths = [[('b', BOX)], [(evil, BOX)], [('c', BOX)]]
    task = SearchProtocol.build('task', images, queries, truths)
    found = Predictions(
        images=np.array(['b', evil, 'b']),
        boxes=np.stack([BOX, BOX, BOX + 200]),
        scores=np.ones(3),
        embeddings=np.array([[1.0, 0.2, 0], [0.1, 0.6, 0], [0, 0.7, 1]]),
        query_images=np.array(['a'] * 3),
        query_boxes=np.stack([BOX] * 3),
        query_embeddings=np.eye(3),
    )
    return task, found


def load(image):
    if image == 'c':
        raise DataError('image c is missing')
    return np.full((240, 320, 3), (255, 0, 0), np.uint8)


def page_of(**options):
    task, found = task_and_found()
    top, det_thresh = options.pop('top', 10), options.pop('det_thresh', 0.5)
    chosen = dict(num=30, which='worst', **options) if 'which' not in options else options
    examples = choose_examples(found, task, SearchFlags(det_thresh=det_thresh), **chosen)
    cases = query_cases(examples, load, top)
    return render_report(examples.result, cases, 'Worst & best <queries>'), cases


def test_worst_queries_come_first():
    text, cases = page_of()
    page = Page(text)
    assert page.open == []
    assert [case.precision for case in cases] == [0.0, 0.5, 1.0]
    assert page.headings == [
        '1. Query 2, person 7: AP 0.0 %, 0 of 1 found',
        '2. Query 1, person 6: AP 50.0 %, 1 of 1 found, the first at place 2',
        '3. Query 0, person 5: AP 100.0 %, 1 of 1 found, the first at place 1',
    ]
    assert page.kinds == [
        'query', 'wrong', 'wrong', 'wrong', 'missed',
        'query', 'wrong', 'right', 'wrong',
        'query', 'right', 'wrong', 'wrong',
    ]  # fmt: skip
    assert '<title>Worst &amp; best &lt;queries&gt;</title>' in text
    assert '50.00 %' in text, 'mAP of all queries'
    assert 'det_thresh=0.5' in text


def test_the_page_is_one_file_and_names_do_no_harm():
    text, _ = page_of()
    page = Page(text)
    assert '<script' not in text
    assert any('<script>alert(1)</script>.jpg' in caption for caption in page.captions)
    assert not page.links
    assert 'http' not in text
    prefix = 'data:image/jpeg;base64,'
    assert all(source.startswith(prefix) for source in page.sources)
    assert len(page.sources) == 2 * len(page.kinds)
    pictures = [
        cv2.imdecode(np.frombuffer(base64.b64decode(s[len(prefix) :]), np.uint8), 1)
        for s in page.sources
    ]
    assert {p.shape for p in pictures} == {(192, 96, 3), (144, 192, 3)}
    # The crop of a blue picture (BGR) is blue: channels are in order.
    assert np.abs(pictures[0][96, 48].astype(int) - (255, 0, 0)).max() < 12
    missing = pictures[2 * 4]
    assert missing.min() > 100, 'a picture that is not there is a light cell'


def test_choices_and_mistakes():
    _, cases = page_of(num=1, top=1, which='best')
    assert [case.precision for case in cases] == [1.0]
    assert len(cases[0].hits) == 1
    _, cases = page_of(which='first', det_thresh=2.0)
    assert [case.num_found for case in cases] == [0, 0, 0]
    assert all(len(case.hits) == 0 for case in cases)
    with pytest.raises(UserError, match='top must be at least 1, but is 0'):
        page_of(top=0)
    task, found = task_and_found()
    nobody = SearchProtocol.build('t', ['a', 'b'], [Query('a', BOX, 5)], [[]])
    examples = choose_examples(found, nobody)
    text = render_report(examples.result, query_cases(examples, load), 'x')
    assert 'person 5: not in the gallery' in text
    assert Page(text).kinds == ['query', 'unknown', 'unknown']
    assert len(task) == 3


def test_the_page_is_written_whole(tmp_path):
    text, _ = page_of()
    path = save_query_report(tmp_path / 'Straße 街' / 'a.html', text)
    assert path.read_text(encoding='utf-8') == text
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='cannot write into the folder'):
        save_query_report(tmp_path / 'file' / 'a.html', text)
