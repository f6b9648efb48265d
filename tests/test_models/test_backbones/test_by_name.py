"""Backbones by name: the table says what they are, and all that depends on one follows."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from mmclsa.engine import load_config
from mmclsa.errors import ConfigError
from mmclsa.inference import PersonSearchInferencer
from mmclsa.inference.export import TOLERANCE, export_searcher
from mmclsa.registry import MODELS
from mmclsa.utils.backbones import BACKBONES, crop_model, scene_model
from tests.helpers import REPO
from tests.test_models.builders import batch, head_cfg, scene_sample, total_loss

SCENES = REPO / 'configs' / 'clsa' / 'clsa_faster-rcnn-narrow_1xb4-4e_synthetic-hard.py'
CUHK = str(REPO / 'configs' / 'clsa' / 'clsa_r50_cuhk.py')
MOT2PETS = str(REPO / 'configs' / 'clsa' / 'clsa_mbv2_mot2pets.py')
_SWIN = dict(embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 2, 4, 8))
#: Fewer channels and blocks, and the channels that come of it.
NARROW = {
    'resnet18': (dict(base_channels=8, frozen_stages=-1), (8, 16, 32, 64)),
    'resnet50': (dict(base_channels=4, frozen_stages=-1), (16, 32, 64, 128)),
    'resnet101': (dict(base_channels=2, frozen_stages=-1), (8, 16, 32, 64)),
    'mobilenetv2': (dict(widen_factor=0.25), (8, 8, 24, 1280)),
    'swin-t': (dict(_SWIN, convert_weights=False), (8, 16, 32, 64)),
    'pvt-v2-b0': (dict(embed_dims=8, num_layers=[1, 1, 1, 1]), (8, 16, 40, 64)),
    'convnext-t': (dict(arch=dict(depths=[1] * 4, channels=[8, 16, 32, 64])), (8, 16, 32, 64)),
    'osnet-ain-x0.25': ({}, None),
    'agw-r50-ibn': (dict(base_channels=4), (16, 32, 64, 128)),
    'solider-swin-t': (_SWIN, (8, 16, 32, 64)),
}
# Their graphs hold for one size of picture.
TRANSFORMERS = ('swin-t', 'pvt-v2-b0', 'solider-swin-t')


def needs_mmpretrain(name):
    absent = importlib.util.find_spec('mmpretrain') is None
    marks = pytest.mark.skipif(absent, reason='MMPretrain is not installed')
    return (
        pytest.param(name, marks=marks) if BACKBONES[name].cfg['type'].startswith('mmp') else name
    )


def config(name, kind):
    """Narrow person searcher on a backbone; ``kind`` is 'scene' or 'crop'."""
    options, channels = NARROW[name]
    cfg = Config.fromfile(SCENES)
    init_default_scope(cfg.default_scope)
    if kind == 'scene':
        cfg.merge_from_dict(dict(model=scene_model(name, None, channels, **options)))
        return cfg
    model = crop_model(name, None, channels, **options)['reid']
    del model['backbone']['_delete_']
    neck = dict(model.pop('neck'), type='CLSANeck', out_channels=16)
    cfg.model.reid = dict(
        type='CropReID',
        crop_size=(64, 32),
        neck=neck,
        head=head_cfg(num_identities=cfg.model.reid.head.num_identities),
        **model,
    )
    steps = cfg.test_dataloader.dataset.pipeline
    place = next(n for n, step in enumerate(steps) if 'Resize' in step['type'])
    steps.insert(place, dict(type='KeepOriginalImage'))
    return cfg


@pytest.mark.parametrize('kind', ['scene', 'crop'])
@pytest.mark.parametrize('name', map(needs_mmpretrain, NARROW))
def test_trains_predicts_and_exports(name, kind, tmp_path):
    torch.manual_seed(0)
    cfg = config(name, kind)
    inferencer = PersonSearchInferencer(cfg, None, 'cpu')
    model = inferencer.model
    scenes = [scene_sample((96, 128), ids=[0, 1, 2]), scene_sample((96, 128), ids=[0, 3, -1])]
    model.train()
    total_loss(model.loss(*batch(model, scenes, True))).backward()
    backbone = (model.detector if kind == 'scene' else model.reid).backbone
    idle = [n for n, p in backbone.named_parameters() if p.requires_grad and p.grad is None]
    # What lies behind the highest of the maps, or within a block that adds nothing yet.
    assert not [n for n in idle if '.norm' not in n], idle
    assert all(p.grad.isfinite().all() for p in backbone.parameters() if p.grad is not None)
    model.eval()
    with torch.no_grad():
        inputs, samples = batch(model, [scene_sample((96, 128), queries=2)], False)
        (found,) = model.predict(inputs, samples)
    described = found.query_instances.embeddings
    torch.testing.assert_close(described.norm(dim=1), torch.ones(2))
    if kind == 'scene' and name in TRANSFORMERS:
        with pytest.raises(ConfigError, match='one size of picture; as the backbone of CropReID'):
            export_searcher(inferencer, tmp_path)
        return
    assert export_searcher(inferencer, tmp_path).about['embedding_error'] <= TOLERANCE


@pytest.mark.parametrize('name', map(needs_mmpretrain, BACKBONES))
def test_the_table_tells_the_truth(name):
    """Channels and strides of what a backbone gives, at full size."""
    found = BACKBONES[name]
    init_default_scope('mmclsa')
    cfg = dict(found.cfg, out_indices=found.stages, **found.scene)
    with torch.no_grad():
        maps = MODELS.build(cfg)(torch.zeros(1, 3, 64, 96))
    assert [level.shape[1] for level in maps] == list(found.channels)
    assert [64 // level.shape[2] for level in maps] == list(found.strides)
    assert [96 // level.shape[3] for level in maps] == list(found.strides)


@pytest.mark.parametrize('name', ['resnet18', 'swin-t', 'osnet-x0.5', 'solider-swin-s'])
def test_one_variable_switches_all_places(name):
    found = BACKBONES[name]
    scenes = load_config(CUHK, dict(backbone=name))
    channels = list(found.channels)
    assert scenes.model.detector.backbone.type == found.cfg['type']
    assert scenes.model.detector.neck.in_channels == channels
    assert scenes.model.reid.neck.in_channels == channels[-3:]
    assert scenes.model.reid.strides == found.strides[-3:]
    assert len(scenes.model.reid.in_indices) == 3
    assert scenes.model.reid.head == load_config(CUHK).model.reid.head
    crops = load_config(MOT2PETS, dict(backbone=name))
    assert crops.model.reid.backbone.type == found.cfg['type']
    assert crops.model.reid.neck.in_channels == channels[-3:]
    assert crops.model.reid.backbone.out_indices == found.stages[-3:]
    assert crops.model.reid.get('mean') == found.normalize.get('mean')
    assert crops.model.reid.backbone.frozen_stages == 1


@pytest.mark.parametrize('name', ['resnet18', 'swin-t', 'pvt-v2-b0', 'osnet-ain-x0.25', 'sbs-r50'])
def test_a_whole_config_builds_on_another(name):
    """The leaf's own settings of the backbone are those that it has."""
    init_default_scope('mmclsa')
    cfg = load_config(MOT2PETS, dict(backbone=name)).model.reid.to_dict()
    cfg['backbone']['init_cfg'] = None
    MODELS.build(ConfigDict(cfg))


def test_an_unknown_name_is_answered_with_those_that_are():
    with pytest.raises(ConfigError, match=r"one of resnet18, .*, but is 'resnet19'"):
        load_config(CUHK, dict(backbone='resnet19'))
