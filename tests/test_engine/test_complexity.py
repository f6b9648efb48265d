"""Operations of a model on a made-up picture."""

from __future__ import annotations

import json

import pytest
import torch
from mmengine.config import Config, ConfigDict

from mmclsa.engine.complexity import _without_weights, configured_shape, measure_complexity
from mmclsa.engine.cost import count_flops
from mmclsa.errors import ConfigError
from mmclsa.registry import MODELS
from tests.test_models.builders import crop_reid_cfg, yolox

pytestmark = pytest.mark.filterwarnings('ignore')
SHAPE = (64, 96)


def searcher(detector, **options):
    return dict(type='PersonSearcher', detector=detector, reid=crop_reid_cfg(), **options)


def crops_alone():
    return searcher(
        None, use_gt_boxes=True, data_preprocessor=dict(type='mmdet.DetDataPreprocessor')
    )


def measure(model, people):
    return measure_complexity(Config(dict(model=model)), SHAPE, people)


def near(ours, run):
    """Compare with PyTorch's count of convolutions and matrix products, a multiply-add as two."""
    with torch.no_grad():
        theirs = count_flops(run)
    return theirs is None or theirs / 2 < ours < 1.25 * theirs / 2


def test_two_steps_are_the_detector_and_each_crop():
    model = searcher(yolox()[0])
    both, crops = measure(model, 2), measure(crops_alone(), 2)
    assert (both['people'], both['shape']) == (2, SHAPE)
    built = MODELS.build(model).eval()
    assert both['params'] == sum(p.numel() for p in built.parameters())
    assert near(crops['flops'], lambda: built.reid.describe_crops(torch.zeros(2, 3, 64, 32)))
    detector = both['flops'] - crops['flops']
    assert near(detector, lambda: built.detector(torch.zeros(1, 3, *SHAPE)))


def test_tuples_stay_tuples():
    """*Seen*: generators of anchors that take no list for a tuple could not be built."""
    cfg = ConfigDict(a=[dict(b=(0.1, 0.9), init_cfg=dict(type='Pretrained', checkpoint='c'))])
    copied = _without_weights(cfg)
    assert copied == dict(a=[dict(b=(0.1, 0.9), init_cfg=None)])
    assert isinstance(copied.a[0].b, tuple)


def test_nobody_to_describe_costs_nothing():
    assert measure(crops_alone(), 0)['flops'] == 0


def test_shape_of_the_test_pipeline():
    def loader(*steps):
        pipeline = [dict(type='LoadSceneImage'), *steps]
        return dict(test_dataloader=dict(dataset=dict(pipeline=pipeline)))

    steps = dict(type='mmdet.Resize', scale=(416, 320)), dict(type='mmdet.Pad', size=(416, 416))
    assert configured_shape(loader(*steps)) == (320, 416)
    with pytest.raises(ConfigError, match='give --shape'):
        configured_shape(loader())
    with pytest.raises(ConfigError, match='no field "model"'):
        measure_complexity(Config({}), SHAPE, 1)


def test_tool(run_tool_here, tmp_path):
    tiny = 'configs/clsa/clsa_tiny_synthetic.py'
    shown = run_tool_here(
        'tools/analysis_tools/get_flops.py', tiny, '--shape', 64, '--json', tmp_path / 'f.json'
    )
    found = json.loads((tmp_path / 'f.json').read_text())
    assert found['shape'] == [64, 64]
    assert found['flops'] > 0
    assert 'Input shape: (64, 64)\nPeople described: 10\nFLOPs: ' in shown


@pytest.mark.parametrize(
    ('options', 'told'),
    [
        (['--shape', 3], '--shape takes one or two numbers from 32 up, not [3]'),
        (['--shape', 64, 64, 3], 'one or two numbers'),
        (['--boxes', -1], '--boxes must be at least 0, not -1'),
    ],
)
def test_mistakes(run_tool_to_its_error, options, told):
    tiny = 'configs/clsa/clsa_tiny_synthetic.py'
    assert told in run_tool_to_its_error('tools/analysis_tools/get_flops.py', tiny, *options)
