"""Diagrams of search results, and the tool that draws them from eval_search's figures."""

from __future__ import annotations

import copy
import json

import cv2
import numpy as np
import pytest

from mmclsa.errors import DataError, UserError
from mmclsa.visualization import (
    draw_gallery_sizes,
    draw_strata,
    read_report,
    save_search_pictures,
)
from tests.helpers import REPO

TOOL = 'tools/analysis_tools/plot_search.py'
GOLDEN = REPO / 'tests' / 'data' / 'golden_cuhk'
BLUE, ORANGE = (31, 119, 180), (255, 127, 14)


def entry(mean_ap=0.5, size=50.0):
    bins = [
        dict(low=0.0, high=64.0, queries=3, matches=5, recall=1.0, mAP=mean_ap, top1=0.7),
        dict(low=64.0, high=None, queries=0, matches=0, recall=0.0, mAP=0.0, top1=0.0),
    ]
    cmc = [0.5, 0.6, 0.7]
    return dict(mAP=mean_ap, cmc=cmc, gallery_size=size, by_height=bins, by_height_ratio=bins)


def count(picture, colour):
    return int((picture == colour).all(-1).sum())


def test_bars_are_as_high_as_their_figures():
    low, high = (draw_strata({'a': entry(value)['by_height']}, 'height') for value in (0.25, 0.75))
    left = slice(0, low.shape[1] // 2)
    ratio = count(high[:, left], BLUE) / count(low[:, left], BLUE)
    assert ratio == pytest.approx(3, abs=0.1)
    both = draw_strata({n: entry()['by_height'] for n in ('a', 'b')}, 'height', 'px', 'all')
    assert count(both, BLUE) > 500
    assert count(both, ORANGE) > 500
    assert draw_strata({}, 'height').ndim == 3


def test_gallery_sizes_need_no_order():
    pairs = [(4000, 0.7), (50, 0.9), (500, 0.8)]
    assert (draw_gallery_sizes({'a': pairs}) == draw_gallery_sizes({'a': sorted(pairs)})).all()
    two = draw_gallery_sizes({'a': pairs, 'b': [(50, 0.1)]})
    assert count(two, ORANGE) > 20


def test_which_pictures_are_written(tmp_path):
    one = {'all': entry()}
    names = {p.name for p in save_search_pictures({'a': one}, tmp_path / 'bilder 街')}
    assert names == {'cmc.png', 'by_height.png', 'by_height_ratio.png'}
    sizes = {'gallery_50': entry(), 'gallery_100': entry(0.4, 100.0)}
    paths = save_search_pictures({'a': sizes}, tmp_path)
    assert 'gallery_size.png' in {p.name for p in paths}
    for path in paths:
        assert cv2.imread(str(path)).shape[0] > 300
    cmc = cv2.imread(str(tmp_path / 'cmc.png'))[..., ::-1]
    assert count(cmc, ORANGE) > 20, 'a curve for each protocol'
    with pytest.raises(UserError, match="protocol must be one of all, but is 'x'"):
        save_search_pictures({'a': one, 'b': one}, tmp_path, 'x')
    with pytest.raises(UserError, match='no protocol is in all of the reports'):
        save_search_pictures({'a': one, 'b': sizes}, tmp_path)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        (None, 'is missing'),
        ('{"a": ', 'no readable JSON'),
        ('[1]', 'must have an object of protocols'),
        ('{"detection": {}}', 'has no protocol'),
        ('{"all": {"mAP": 1.0}}', "protocol all: the field 'cmc' is missing"),
        ('{"all": 3}', "protocol all: the field 'mAP' is missing"),
    ],
)
def test_broken_reports(tmp_path, text, words, run_tool_to_its_error):
    path = tmp_path / 'a.json'
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=words):
        read_report(path)
    message = run_tool_to_its_error(TOOL, path, '--out', tmp_path / 'out')
    assert words in message
    assert str(path) in message
    assert not (tmp_path / 'out').exists()


def test_from_predictions_to_pictures(tmp_path, run_tool_here):
    out = tmp_path / 'figures.json'
    run_tool_here(
        'tools/analysis_tools/eval_search.py', GOLDEN / 'predictions.npz', '--dataset',
        'cuhk_sysu', '--data-root', GOLDEN / 'root', '--protocol', 'gallery_50', 'full',
        '--out', out,
    )  # fmt: skip
    told = run_tool_here(TOOL, out, '--out', tmp_path / 'one').split()
    assert {path.rsplit('/', 1)[1] for path in told} >= {'cmc.png', 'by_height.png'}
    other = copy.deepcopy(json.loads(out.read_text()))
    other['gallery_50']['cmc'] = np.ones(50).tolist()
    (tmp_path / 'other.json').write_text(json.dumps(other))
    files = [out, tmp_path / 'other.json']
    run_tool_here(TOOL, *files, '--out', tmp_path / 'two', '--names', 'ours', 'perfect')
    drawn = cv2.imread(str(tmp_path / 'two' / 'cmc.png'))[..., ::-1]
    rows = np.flatnonzero((drawn == ORANGE).all(-1).sum(1) > 50)
    assert len(rows), 'a flat line at 100 %'


def test_names_must_fit(tmp_path, run_tool_to_its_error):
    (tmp_path / 'a.json').write_text(json.dumps({'all': entry()}))
    command = (tmp_path / 'a.json', tmp_path / 'a.json', '--out', tmp_path / 'out')
    assert '--names must be 2 different names, but are a, a' in run_tool_to_its_error(
        TOOL, *command
    )
