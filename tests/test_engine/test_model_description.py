"""A model said as data: the same model, and nothing that does more."""

from __future__ import annotations

import copy
import json

import pytest
from mmengine.config import Config

from mmclsa.engine.inference_pipeline import inference_pipeline
from mmclsa.engine.model_description import (
    config_of_checkpoint,
    config_of_description,
    config_of_text,
    describe_model,
)
from mmclsa.errors import ConfigError
from mmclsa.inference.digests import config_digest
from mmclsa.utils.plain_config import from_json, parse_config_text, to_json
from tests.helpers import REPO

CONFIGS = sorted(
    str(path.relative_to(REPO))
    for folder in (REPO / 'configs').iterdir()
    if not folder.name.startswith('_')
    for path in folder.glob('*.py')
)


def digest(cfg) -> str:
    return config_digest(cfg.model, inference_pipeline(cfg))


@pytest.fixture(scope='module')
def said() -> dict:
    cfg = Config.fromfile(REPO / 'configs/clsa/clsa_r50_cuhk.py')
    return json.loads(json.dumps(describe_model(cfg)))


@pytest.mark.parametrize('path', CONFIGS)
def test_every_config_there_and_back(path):
    cfg = Config.fromfile(REPO / path)
    written = json.loads(json.dumps(describe_model(cfg)))
    again = config_of_description(written, 'build.json')
    assert digest(again) == digest(cfg)
    assert inference_pipeline(again) == inference_pipeline(cfg)  # tuples stay tuples
    assert describe_model(again) == written
    assert 'init_cfg' not in json.dumps(written)
    text = config_of_text(cfg.pretty_text, 'a.pth')
    assert text.to_dict() == again.to_dict()


def change(said: dict, place: str, value) -> dict:
    changed = copy.deepcopy(said)
    *parents, last = place.split('.')
    part = changed
    for name in parents:
        part = part[int(name) if name.isdigit() else name]
    part[last] = value
    return changed


CALL = "__import__('os').system('touch mark')"
DETECTOR = 'model.detector'
WRONG = {
    'dotted type': (f'{DETECTOR}.type', 'os.system'),
    'module of mmdet': (f'{DETECTOR}.type', 'mmdet.apis'),
    'foreign scope': (f'{DETECTOR}.type', 'mmpretrain.ResNet'),
    'class of another registry': (f'{DETECTOR}.type', 'mmengine.Runner'),
    'type that is none': (f'{DETECTOR}.type', ['mmdet.FasterRCNN']),
    # MMCV evaluates the name of a suppression.
    'suppression': (f'{DETECTOR}.test_cfg.rcnn.nms.type', CALL),
    'expression': (f'{DETECTOR}.test_cfg.x', {'type': 'CameraMotionCompensation', 'm': CALL}),
    'scope': (f'{DETECTOR}._scope_', 'evil_module'),
    # Distillation reads the config of its teacher, which is a program.
    'teacher': (f'{DETECTOR}.teacher_config', 'evil.py'),
    'path': (f'{DETECTOR}.backbone.x', 'data/evil'),
    'address': (f'{DETECTOR}.backbone.x', 'hf_hub:evil'),
    'weights': (f'{DETECTOR}.init_cfg', {'type': 'Pretrained', 'checkpoint': 'evil.pth'}),
    'pretrained': (f'{DETECTOR}.backbone.pretrained', 'evil.pth'),
    'transform': ('pipeline.0.type', 'os.system'),
    'transform of models': ('pipeline.0.type', 'mmdet.ResNet'),
    'imports': ('custom_imports', {'imports': ['evil_module']}),
    'threshold': ('det_thresh', 'x'),
    'model': ('model', 'x'),
    'pipeline': ('pipeline', {}),
}


@pytest.mark.parametrize('how', WRONG)
def test_what_a_stranger_may_not_say(said, how):
    with pytest.raises(ConfigError, match=r'build\.json'):
        config_of_description(change(said, *WRONG[how]), 'build.json')


@pytest.mark.parametrize('said', [None, 3, [], {}, 'model'])
def test_no_description(said):
    with pytest.raises(ConfigError, match='does not describe a model'):
        config_of_description(said, 'build.json')


def test_nms_would_be_evaluated(tmp_path):
    """Why the names of operations are looked at: MMCV runs them."""
    import torch
    from mmcv.ops import batched_nms

    mark = tmp_path / 'mark'
    boxes, scores, ids = torch.rand(3, 4), torch.rand(3), torch.zeros(3)
    with pytest.raises(TypeError):
        batched_nms(boxes, scores, ids, dict(type=f'open({str(mark)!r}, "w")'))
    assert mark.exists()


class TestText:
    def test_what_mmengine_writes(self):
        cfg = Config(dict(a=dict(b=(1, -2.5, 'x'), c=[None, True], d={}), e={'f-g': 1}))
        assert parse_config_text(cfg.pretty_text, 'a.pth') == cfg.to_dict()

    @pytest.mark.parametrize(
        'text',
        [
            'import os',
            'a = open("x")',
            'a = dict(b=open("x"))',
            'a = dict([1])',
            'a = b',
            'a = [x for x in ()]',
            'a.b = 1',
            'a = "b".upper()',
            'a = f"{1}"',
            'a: int = 1',
            'a = {"b": lambda: 1}',
            'a = dict(**b)',
            'a = {**b}',
            'a = (',
            'a = 1\x00',
            'a = ' + '[' * 100000,
        ],
    )
    def test_more_than_data(self, text):
        with pytest.raises(ConfigError, match=r'a\.pth carries its config as Python text'):
            parse_config_text(text, 'a.pth')

    @pytest.mark.parametrize(
        'text',
        [
            'model = 1',
            'model = dict()\ntest_dataloader = 3',
            'model = dict()\ntest_dataloader = dict(dataset=dict(pipeline=[3]))',
            "model = dict(type='A')\ntest_dataloader = dict(dataset=dict(pipeline=[dict(x=1)]))",
        ],
    )
    def test_data_that_is_no_model(self, text):
        with pytest.raises(ConfigError):
            config_of_text(text, 'a.pth')


@pytest.mark.parametrize('meta', [None, 3, {}, {'cfg': None}, {'cfg': 3}, {'cfg': ''}])
def test_weights_that_say_nothing(meta):
    assert config_of_checkpoint({'meta': meta}, 'a.pth') is None
    assert config_of_checkpoint({}, 'a.pth') is None


def test_weights_that_say_it_wrongly():
    with pytest.raises(ConfigError, match=r'a\.pth is no JSON'):
        config_of_checkpoint({'meta': {'mmclsa_model': '{'}}, 'a.pth')


def test_what_cannot_be_said():
    class Thing:
        pass

    assert to_json({'type': Thing}) == {'type': 'Thing'}
    for value in ({1: 2}, {'a': Thing()}, [len], {'a b': 1}):
        with pytest.raises(ConfigError, match='cannot be kept as data'):
            to_json(value)
    assert from_json(json.loads(json.dumps(to_json({'a': ((1,), [()])})))) == {'a': ((1,), [()])}
