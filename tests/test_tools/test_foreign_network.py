"""configs/reid in tools/test.py and tools/train.py, without a checkpoint of ours."""

from __future__ import annotations

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

from mmclsa.registry import MODELS
from tests.fakes.datasets import make_fake_coco
from tests.fakes.networks import make_network
from tests.helpers import REPO
from tests.test_configs import without_weights

CONFIG = 'configs/reid/onnx-reid_yolox-nano.py'
HERE = ('test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False')


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """A folder with YOLOX-nano's weights, which nobody trained."""
    folder = tmp_path_factory.mktemp('weights')
    init_default_scope('mmclsa')
    cfg = without_weights(Config.fromfile(REPO / CONFIG).model.detector.to_dict())
    torch.manual_seed(0)
    detector = MODELS.build({'_scope_': 'mmdet', **cfg})
    detector.init_weights()
    torch.save(detector.state_dict(), folder / 'yolox_nano_coco.pth')
    return folder


@pytest.fixture(autouse=True)
def _places(weights, tmp_path, monkeypatch):
    make_fake_coco(tmp_path / 'data' / 'pets_mini', num_images=4)
    monkeypatch.setenv('MMCLSA_WEIGHTS', str(weights))
    monkeypatch.setenv('MMCLSA_DATA', str(tmp_path / 'data'))
    monkeypatch.delenv('MMCLSA_REID_ONNX', raising=False)
    monkeypatch.chdir(REPO)


def test_with_ground_truth_and_detections(run_tool_here, tmp_path, monkeypatch):
    monkeypatch.setenv('MMCLSA_REID_ONNX', str(make_network(tmp_path / 'a.onnx', dims=32)))
    figures = []
    for number, arguments in enumerate(([], ['none', '--gt-boxes'])):
        file = tmp_path / f'{number}.json'
        options = ('--work-dir', tmp_path / 'work', '--json', file, '--cfg-options', *HERE)
        run_tool_here('tools/test.py', CONFIG, *arguments, *options)
        figures.append(json.loads(file.read_text()))
    detected, given = figures
    assert given['search/detection/recall'] == 1
    assert given['search/fake/mAP'] > 0.6  # people have clothes of their own
    assert detected['search/detection/recall'] < given['search/detection/recall']
    assert set(detected) == set(given)


FAULTS = {
    'size': (dict(sizes=('n', 3, 128, 64)), 'takes crops of 128 x 64'),
    'nan': (dict(faulty='nan'), 'NaN or infinity'),
    'maps': (dict(faulty='maps'), 'must have the shape (n, D)'),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_a_wrong_network_is_a_sentence(run_tool_to_its_error, tmp_path, fault):
    network, words = FAULTS[fault]
    file = make_network(tmp_path / 'a.onnx', **network)
    options = ('--gt-boxes', '--work-dir', tmp_path, '--cfg-options', f'model.reid.file={file}')
    message = run_tool_to_its_error('tools/test.py', CONFIG, *options, *HERE)
    assert words in message
    assert str(file) in message


def test_no_network_is_a_sentence(run_tool_to_its_error, tmp_path):
    message = run_tool_to_its_error('tools/test.py', CONFIG, '--work-dir', tmp_path)
    assert 'weights/reid.onnx' in message
    assert '--cfg-options model.reid.file=FILE' in message
    assert 'MMCLSA_REID_ONNX' in message
    (tmp_path / 'page.onnx').write_text('<html>')
    options = ('--work-dir', tmp_path, '--cfg-options', f'model.reid.file={tmp_path}/page.onnx')
    message = run_tool_to_its_error('tools/test.py', CONFIG, *options)
    assert 'cannot load the graph' in message


def test_nothing_is_trained(run_tool_to_its_error, tmp_path):
    message = run_tool_to_its_error('tools/train.py', CONFIG, '--work-dir', tmp_path)
    assert 'trains nothing' in message
