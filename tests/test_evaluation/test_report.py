from __future__ import annotations

import json

import numpy as np

from mmclsa.evaluation.functional import DetectionResult, SearchFlags, SearchResult
from mmclsa.evaluation.report import format_results, results_to_json

PLAIN = SearchResult('gallery_50', np.array([0.5, 1.0]), np.array([2, 1]), SearchFlags())
CBGM = SearchResult('gallery_50', np.array([0.0, 1.0]), np.array([0, 1]), SearchFlags(cbgm=True))
DETECTION = DetectionResult(recall=0.75, ap=0.5)


def test_table_has_figures_in_percent_and_every_flag():
    text = format_results([PLAIN, CBGM], DETECTION)
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in text.splitlines()]
    assert ['gallery_50', '2', '75.00', '50.00', '100.00', '100.00'] in rows
    assert ['75.00', '50.00'] in rows
    flags = [line for line in text.splitlines() if line.startswith('flags: ')]
    assert len(flags) == 2
    for name in SearchFlags(cbgm=True).describe():
        assert f'{name}=' in flags[0] + flags[1]


def test_json_has_the_keys_of_the_golden_files():
    report = json.loads(json.dumps(results_to_json([PLAIN, CBGM], DETECTION, 0.9)))
    assert set(report) == {'gallery_50', 'gallery_50_cbgm', 'detection'}
    assert report['gallery_50']['per_query_ap'] == [0.5, 1.0]
    assert report['gallery_50']['top1'] == 0.5
    assert report['gallery_50_cbgm']['flags']['cbgm'] is True
    assert report['detection'] == {'recall': 0.75, 'ap': 0.5, 'labeled_recall': 0.9}


def test_no_query_is_no_crash():
    empty = SearchResult('none', np.zeros(0), np.zeros(0, np.int64))
    assert empty.figures() == {'mAP': 0.0, 'top1': 0.0, 'top5': 0.0, 'top10': 0.0}
