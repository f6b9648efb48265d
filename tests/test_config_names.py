"""Configs are named as OpenMMLab names them, and each is in its method's README and metafile."""

from __future__ import annotations

import re

import pytest
import yaml
from mmengine.config import Config

from tests.helpers import REPO

METHODS = sorted(
    path.name for path in (REPO / 'configs').iterdir() if path.is_dir() and path.name != '_base_'
)
LEAVES = sorted(path for method in METHODS for path in (REPO / 'configs' / method).glob('*.py'))
# Names that users know, each of a config with a whole name.
SHORT = {
    'clsa-reid_r50_cuhk-sysu-crops': 'clsa-reid_r50_1xb64-60e_cuhk-sysu-crops',
    'clsa-reid_r50_prw-crops': 'clsa-reid_r50_1xb64-60e_prw-crops',
    'clsa-twostep_r50_cuhk-sysu': 'clsa-twostep_faster-rcnn_r50_1xb64-60e_cuhk-sysu',
    'clsa-twostep_r50_prw': 'clsa-twostep_faster-rcnn_r50_1xb64-60e_prw',
    'faster-rcnn_r50_cuhk-sysu': 'faster-rcnn_r50_1xb4-20e_cuhk-sysu',
    'faster-rcnn_r50_prw': 'faster-rcnn_r50_1xb4-20e_prw',
    'clsa_r50_cuhk': 'clsa_faster-rcnn_r50_1xb4-20e_cuhk-sysu',
    'clsa_r50_prw': 'clsa_faster-rcnn_r50_1xb4-20e_prw',
    'clsa_mbv2_mot2pets': 'clsa-twostep_yolox-nano_mobilenetv2_1xb64-22e_mot2pets',
    'clsa_tiny_synthetic': 'clsa_yolox-narrow_1xb8-9e_synthetic',
    'clsa-seqnet_r50_cuhk-sysu': 'clsa-seqnet_faster-rcnn_r50_1xb5-20e_cuhk-sysu',
    'clsa-seqnet_r50_prw': 'clsa-seqnet_faster-rcnn_r50_1xb5-18e_prw',
    **{
        f'{method}_r50_{short}': f'{method}_faster-rcnn_r50_1xb5-{whole}'
        for method in ('nae', 'oim', 'seqnet')
        for short, whole in (
            ('cuhk', '20e_cuhk-sysu'),
            ('cuhk-sysu', '20e_cuhk-sysu'),
            ('prw', '18e_prw'),
        )
    },
    'coat_r50_cuhk': 'coat_faster-rcnn_r50_1xb3-14e_cuhk-sysu',
    'coat_r50_cuhk-sysu': 'coat_faster-rcnn_r50_1xb3-14e_cuhk-sysu',
    'coat_r50_prw': 'coat_faster-rcnn_r50_1xb3-13e_prw',
}
WHOLE = [path for path in LEAVES if path.stem not in SHORT]
# Of what others trained there is nothing to say but network and detector.
UNTRAINED = re.compile(r'(?P<network>[a-z0-9.-]+)_(?P<detector>[a-z0-9-]+)')
RUN = (
    r'_(?P<ranks>\d+)xb(?P<batch>\d+)(-accum(?P<accum>\d+))?-(?P<epochs>\d+)e_(?P<data>[a-z0-9-]+)'
)
NAME = re.compile(
    r'(?P<method>[a-z0-9-]+)_(?P<detector>[a-z0-9-]+)(_(?P<backbone>[a-z0-9]+))?' + RUN
)
DETECTOR_NAME = re.compile(r'(?P<method>[a-z0-9-]+)(_(?P<backbone>[a-z0-9]+))?' + RUN)


def metafile(method):
    """The metafile of a folder of configs."""
    return yaml.safe_load((REPO / 'configs' / method / 'metafile.yml').read_text())


def check_parts(named, model):
    """The method, the detector and the form of re-ID that a name tells."""
    if 'detector' not in model:  # a detector alone is its own method
        assert named['method'].startswith('faster-rcnn') == (model.type == 'FasterRCNN')
    elif model.detector is None:  # and so is a re-ID network
        assert named['method'].endswith('-reid')
        assert model.reid.type == 'CropReID'
        assert model.reid.backbone.type.endswith('ResNet')
        assert named['detector'].split('-')[0] == f'r{model.reid.backbone.depth}'
    else:
        detector = model.detector.type.split('.')[-1].lower()
        assert named['detector'].split('-')[0] in (detector, 'faster')
        assert named['detector'].startswith('faster') == (detector == 'fasterrcnn')
        assert ('twostep' in named['method']) == (model.reid.type == 'CropReID')


@pytest.mark.parametrize('path', WHOLE, ids=lambda path: path.stem)
def test_a_name_tells_the_truth(path):
    cfg = Config.fromfile(path)
    if cfg.get('train_cfg') is None:
        named = UNTRAINED.fullmatch(path.stem)
        assert named
        assert named['detector'].split('-')[0] == cfg.model.detector.type.lower()
        assert named['network'] == cfg.get('network', named['network'])
        return
    named = (DETECTOR_NAME if path.parent.name == 'detectors' else NAME).fullmatch(path.stem)
    assert named, 'method_detector_backbone_ranks x batch-epochs_data'
    assert path.parent.name in (named['method'].split('-')[0], 'detectors')
    check_parts(named, cfg.model)
    assert int(named['batch']) == cfg.train_dataloader.batch_size
    assert int(named['accum'] or 1) == cfg.optim_wrapper.get('accumulative_counts', 1)
    assert int(named['epochs']) == cfg.train_cfg.max_epochs
    if 'auto_scale_lr' in cfg:  # what the learning rate was chosen for
        step = int(named['ranks']) * int(named['batch']) * int(named['accum'] or 1)
        assert step <= cfg.auto_scale_lr.base_batch_size


@pytest.mark.parametrize(('short', 'whole'), SHORT.items())
def test_a_short_name_is_the_same_config(short, whole):
    (folder,) = {path.parent for path in LEAVES if path.stem in (short, whole)}
    one, other = (Config.fromfile(folder / f'{name}.py') for name in (short, whole))
    assert one.to_dict() == other.to_dict()


@pytest.mark.parametrize('method', METHODS)
def test_readme_and_metafile_have_every_config(method):
    names = {path.stem for path in WHOLE if path.parent.name == method}
    assert {model['Name'] for model in metafile(method)['Models']} == names
    readme = (REPO / 'configs' / method / 'README.md').read_text()
    assert set(re.findall(r'\]\(([\w.-]+)\.py\)', readme)) == names


@pytest.mark.parametrize('method', METHODS)
def test_a_metafile_tells_the_truth(method):
    found = metafile(method)
    (collection,) = found['Collections']
    assert (REPO / collection['README']).is_file()
    for model in found['Models']:
        assert model['In Collection'] == collection['Name']
        assert model['Config'] == f'configs/{method}/{model["Name"]}.py'
        cfg = Config.fromfile(REPO / model['Config'])
        epochs = None if cfg.get('train_cfg') is None else cfg.train_cfg.max_epochs
        assert model['Metadata'].get('Epochs') == epochs


def test_the_index_has_every_method():
    index = yaml.safe_load((REPO / 'model-index.yml').read_text())
    assert index['Import'] == [f'configs/{method}/metafile.yml' for method in METHODS]
