"""The flags that a config's metric searches with are those of everybody else."""

from __future__ import annotations

import pytest

from mmclsa.engine import configured_flags
from mmclsa.errors import ConfigError
from mmclsa.evaluation.metrics import PersonSearchMetric

METRICS = {
    'default': (dict(type='PersonSearchMetric'), 0.5),
    'several thresholds': (dict(type='PersonSearchMetric', det_thresh=[0.5, 0.2]), 0.5),
    'preset': (dict(type='PersonSearchMetric', preset='alignps', dataset='prw'), 0.15),
    'preset, but': (dict(type='PersonSearchMetric', preset='pstr', det_thresh=0.4), 0.4),
    'description of a model': (dict(det_thresh=0.3), 0.3),
}


@pytest.mark.parametrize('name', METRICS)
def test_as_the_metric_has_them(name):
    metric, threshold = METRICS[name]
    flags = configured_flags(dict(test_evaluator=metric))
    assert flags.det_thresh == threshold
    options = {key: value for key, value in metric.items() if key != 'type'}
    assert flags == PersonSearchMetric(**options).flags[0]


def test_among_other_metrics():
    metrics = [dict(type='CocoMetric'), dict(type='PersonSearchMetric', similarity='cosine')]
    assert configured_flags(dict(test_evaluator=metrics)).similarity == 'cosine'
    assert configured_flags({}).det_thresh == 0.5


def test_a_threshold_of_ones_own():
    metric = dict(type='PersonSearchMetric', preset='alignps', dataset='prw')
    flags = configured_flags(dict(test_evaluator=metric), det_thresh=0.7)
    assert (flags.det_thresh, flags.query_feature) == (0.7, 'matched_det')
    assert configured_flags({}, det_thresh=0.7).det_thresh == 0.7


def test_mistakes():
    with pytest.raises(ConfigError, match='preset must be one of'):
        configured_flags(dict(test_evaluator=dict(type='PersonSearchMetric', preset='x')))
