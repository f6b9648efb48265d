"""Narrow searchers, not trained: behind the inferencer, and exported once."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmclsa.inference import PersonSearchInferencer
from mmclsa.inference.export import export_searcher
from mmclsa.inference.onnx import OnnxSearcher
from mmclsa.registry import MODELS
from tests.helpers import REPO
from tests.test_configs import without_weights
from tests.test_models.builders import crop_reid_cfg

CONFIG = REPO / 'configs' / 'clsa' / 'clsa_tiny_synthetic.py'


def crop_config() -> Config:
    """The tiny detector with a re-ID branch on crops of the original picture."""
    cfg = Config.fromfile(CONFIG)
    reid = crop_reid_cfg()
    cfg.model.reid = {**reid, 'backbone': {**reid['backbone'], 'init_cfg': None}}
    cfg.test_dataloader.dataset.pipeline = [
        dict(type='LoadSceneImage'),
        dict(type='KeepOriginalImage'),
        dict(type='mmdet.Resize', scale=(128, 128), keep_ratio=True),
        dict(type='mmdet.Pad', size=(128, 128)),
        dict(type='LoadPersonAnnotations'),
        dict(type='PackPersonSearchInputs'),
    ]
    return cfg


def wake(detector: torch.nn.Module) -> None:
    """Let a detector that was never trained find boxes: it is sure that nobody is anywhere."""
    detector.train()
    for module in detector.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.5
    for _ in range(6):
        detector._forward(torch.rand(4, 3, 96, 128) * 255)
    for convolution in (
        *detector.bbox_head.multi_level_conv_obj,
        *detector.bbox_head.multi_level_conv_cls,
    ):
        torch.nn.init.normal_(convolution.weight, std=0.02)
        torch.nn.init.zeros_(convolution.bias)
    # Boxes of about four strides: those of random weights are as large as numbers go.
    for convolution in detector.bbox_head.multi_level_conv_reg:
        torch.nn.init.normal_(convolution.weight, std=0.002)
        convolution.bias.data = torch.tensor([0.0, 0.0, 1.0, 2.0])


@pytest.fixture(scope='session')
def checkpoints(tmp_path_factory) -> dict[str, str]:
    """Config and weights of both kinds of searcher, on disk."""
    folder = tmp_path_factory.mktemp('model')
    files = {}
    for name, cfg in (('scene', Config.fromfile(CONFIG)), ('crop', crop_config())):
        init_default_scope('mmclsa')
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        model.init_weights()
        wake(model.detector)
        files[name] = str(folder / f'{name}.py')
        cfg.dump(files[name])
        files[f'{name}_weights'] = str(folder / f'{name}.pth')
        meta = dict(cfg=cfg.pretty_text)
        torch.save(dict(state_dict=model.state_dict(), meta=meta), files[f'{name}_weights'])
    return files


@pytest.fixture(params=['scene', 'crop'])
def inferencer(request, checkpoints) -> PersonSearchInferencer:
    return PersonSearchInferencer(
        checkpoints[request.param], checkpoints[f'{request.param}_weights'], 'cpu', det_thresh=0.25
    )


@pytest.fixture
def crop_inferencer(checkpoints) -> PersonSearchInferencer:
    return PersonSearchInferencer(
        checkpoints['crop'], checkpoints['crop_weights'], 'cpu', det_thresh=0.25
    )


def narrow_config(name: str) -> Config:
    """A config of configs/clsa, with fewer channels and no pretrained weights."""
    cfg = Config.fromfile(REPO / 'configs' / 'clsa' / f'{name}.py')
    model = without_weights(cfg.model.to_dict())
    if name.startswith('clsa_r50'):
        model['detector']['backbone'].update(base_channels=8)
        model['detector']['neck'].update(in_channels=[32, 64, 128, 256])
        model['reid']['neck'].update(in_channels=[64, 128, 256])
    if name == 'clsa_mbv2_mot2pets':
        model['reid']['backbone'].update(widen_factor=0.25)
        model['reid']['neck'].update(in_channels=[8, 24, 1280])
    cfg.model = model
    # Large pictures take their time, and show nothing more.
    for step in cfg.test_dataloader.dataset.pipeline:
        if step['type'] == 'mmdet.Resize' and max(step['scale']) > 416:
            step['scale'] = tuple(side // 6 for side in step['scale'])
    return cfg


@pytest.fixture(scope='session')
def exported(checkpoints, tmp_path_factory):
    """Give inferencer and exported searcher of a kind of model; each is made once."""
    made = {}

    def get(name: str) -> tuple[PersonSearchInferencer, OnnxSearcher]:
        if name not in made:
            torch.manual_seed(0)
            source = checkpoints.get(name) or narrow_config(name)
            weights = checkpoints.get(f'{name}_weights')
            inferencer = PersonSearchInferencer(source, weights, 'cpu', det_thresh=0.25)
            folder = tmp_path_factory.mktemp('onnx') / 'onnx ü'
            export_searcher(inferencer, folder)
            made[name] = (inferencer, OnnxSearcher(folder, threads=1), folder)
        return made[name]

    return get
