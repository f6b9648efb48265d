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
}
WHOLE = [path for path in LEAVES if path.stem not in SHORT]
NAME = re.compile(
    r'(?P<method>[a-z0-9-]+)_(?P<detector>[a-z0-9-]+)(_(?P<backbone>[a-z0-9]+))?'
    r'_(?P<ranks>\d+)xb(?P<batch>\d+)(-accum(?P<accum>\d+))?-(?P<epochs>\d+)e_(?P<data>[a-z0-9-]+)'
)


def metafile(method):
    """The metafile of a folder of configs."""
    return yaml.safe_load((REPO / 'configs' / method / 'metafile.yml').read_text())


@pytest.mark.parametrize('path', WHOLE, ids=lambda path: path.stem)
def test_a_name_tells_the_truth(path):
    named = NAME.fullmatch(path.stem)
    assert named, 'method_detector_backbone_ranks x batch-epochs_data'
    cfg = Config.fromfile(path)
    assert named['method'].split('-')[0] == path.parent.name
    detector = cfg.model.detector.type.split('.')[-1].lower()
    assert named['detector'].split('-')[0] in (detector, 'faster')
    assert named['detector'].startswith('faster') == (detector == 'fasterrcnn')
    assert ('twostep' in named['method']) == (cfg.model.reid.type == 'CropReID')
    assert int(named['batch']) == cfg.train_dataloader.batch_size
    assert int(named['accum'] or 1) == cfg.optim_wrapper.get('accumulative_counts', 1)
    assert int(named['epochs']) == cfg.train_cfg.max_epochs
    if 'auto_scale_lr' in cfg:  # what the learning rate was chosen for
        step = int(named['ranks']) * int(named['batch']) * int(named['accum'] or 1)
        assert step <= cfg.auto_scale_lr.base_batch_size


@pytest.mark.parametrize(('short', 'whole'), SHORT.items())
def test_a_short_name_is_the_same_config(short, whole):
    folder = REPO / 'configs' / short.partition('_')[0].partition('-')[0]
    one, other = (Config.fromfile(folder / f'{name}.py') for name in (short, whole))
    assert one.to_dict() == other.to_dict()


@pytest.mark.parametrize('method', METHODS)
def test_readme_and_metafile_have_every_config(method):
    names = {path.stem for path in WHOLE if path.parent.name == method}
    assert {model['Name'] for model in metafile(method)['Models']} == names
    readme = (REPO / 'configs' / method / 'README.md').read_text()
    assert set(re.findall(r'\]\(([\w-]+)\.py\)', readme)) == names


@pytest.mark.parametrize('method', METHODS)
def test_a_metafile_tells_the_truth(method):
    found = metafile(method)
    (collection,) = found['Collections']
    assert (REPO / collection['README']).is_file()
    for model in found['Models']:
        assert model['In Collection'] == collection['Name']
        assert model['Config'] == f'configs/{method}/{model["Name"]}.py'
        cfg = Config.fromfile(REPO / model['Config'])
        assert model['Metadata']['Epochs'] == cfg.train_cfg.max_epochs


def test_the_index_has_every_method():
    index = yaml.safe_load((REPO / 'model-index.yml').read_text())
    assert index['Import'] == [f'configs/{method}/metafile.yml' for method in METHODS]
