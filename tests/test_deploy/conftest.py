"""Narrow searchers of every kind, exported once."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config

from mmclsa.apis import PersonSearchInferencer
from mmclsa.deploy import OnnxSearcher
from mmclsa.deploy.export import export_searcher
from tests.helpers import REPO
from tests.test_apis.conftest import checkpoints
from tests.test_configs import without_weights

__all__ = ['checkpoints']


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
