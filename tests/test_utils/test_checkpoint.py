from __future__ import annotations

import argparse
import gzip
import json
import sys
import zipfile
from collections import OrderedDict
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from mmengine.runner.checkpoint import get_torch_safe_globals

from mmclsa.engine.launch import set_resume
from mmclsa.errors import ConfigError, UserError
from mmclsa.utils.checkpoint import check_whole, latest_checkpoint, read_checkpoint
from mmclsa.utils.mmengine_loader import guard_checkpoint_loader
from mmclsa.utils.trust import trusting_checkpoints
from tests.test_engine.toy import ToyModel, toy_config


def test_reads_more_than_tensors(tmp_path):
    """MMEngine keeps NumPy values of the log in its checkpoints."""
    path = tmp_path / 'a.pth'
    torch.save({'state_dict': {'w': torch.ones(1)}, 'log': np.float64(1.5)}, path)
    assert read_checkpoint(path)['log'] == 1.5


def test_reads_a_log_within_mmengines_list_of_names(tmp_path):
    """MMEngine allows the true classes, under the names that our stand-ins have."""
    mmengines = get_torch_safe_globals()
    path = tmp_path / 'a.pth'
    torch.save({'state_dict': {}, 'log': HistoryBuffer([1.0, 2.0], [1, 1])}, path)
    with torch.serialization.safe_globals(mmengines):
        before = set(torch.serialization.get_safe_globals())
        for _ in range(5):
            assert read_checkpoint(path)['log'].data[0].tolist() == [1.0, 2.0]
        assert set(torch.serialization.get_safe_globals()) == before


def truncated(path):
    torch.save({'state_dict': {'w': torch.ones(1000)}}, path)
    path.write_bytes(path.read_bytes()[:1500])


def other_zip(path):
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('word/document.xml', '<a/>')


LFS = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n'
FAULTS = {
    'absent': (lambda path: None, 'does not exist'),
    'folder': (lambda path: path.mkdir(), 'does not exist'),
    'text': (lambda path: path.write_text('hello'), 'not a checkpoint'),
    'empty': (lambda path: path.write_bytes(b''), 'not a checkpoint'),
    'truncated': (truncated, 'not a checkpoint'),
    'tensor': (lambda path: torch.save(torch.ones(1), path), 'no field "state_dict"'),
    'numbers': (lambda path: torch.save({'epoch': 3}, path), "no weights .*: it has 'epoch'"),
    'nothing': (lambda path: torch.save({}, path), 'it has nothing in it'),
    'page': (lambda path: path.write_text('\n<!DOCTYPE html><html>Sign in'), 'but a web page'),
    'page of old': (lambda path: path.write_text('<HTML><body>404'), 'but a web page'),
    'LFS': (lambda path: path.write_text(LFS), 'but a pointer of Git LFS'),
    'gzip': (lambda path: path.write_bytes(gzip.compress(b'a')), 'but packed by gzip'),
    'JSON': (lambda path: path.write_text('{"weight_map": {}}'), 'but a JSON file'),
    'other zip': (other_zip, 'not a checkpoint'),
}


WEIGHTS = {'fc.weight': torch.ones(2, 3), 'fc.bias': torch.zeros(2)}


def prefixed(prefix):
    return {prefix + name: tensor for name, tensor in WEIGHTS.items()}


LAYOUTS = {
    'alone': WEIGHTS,
    'ordered': OrderedDict(WEIGHTS),
    'of several processes': prefixed('module.'),
    'of a compiled model': prefixed('_orig_mod.'),
    'of both': prefixed('module._orig_mod.'),
    'state_dict': {'state_dict': WEIGHTS, 'meta': {}},
    'state_dict of several processes': {'state_dict': prefixed('module.')},
    'model': {'model': WEIGHTS, 'epoch': 3, 'optimizer': {'state': {}}},
    'model of several processes': {'model': prefixed('module.')},
    'model and an average': {'model': WEIGHTS, 'ema': {'fc.weight': torch.zeros(1)}},
    'net': {'net': WEIGHTS, 'acc': 91.2},
    'model_state_dict': {'model_state_dict': WEIGHTS, 'loss': torch.ones(1)},
    'average alone': {'ema': {'module': WEIGHTS, 'updates': 7}},
    'two deep': {'model': {'state_dict': WEIGHTS}},
}


@pytest.mark.parametrize('layout', LAYOUTS)
def test_weights_wherever_they_are(tmp_path, layout):
    """Our reader, MMEngine's loader and an init_cfg find the same."""
    path = tmp_path / 'a.pth'
    torch.save(LAYOUTS[layout], path)
    guard_checkpoint_loader()
    for content in (read_checkpoint(path), CheckpointLoader.load_checkpoint(str(path), 'cpu')):
        assert list(content['state_dict']) == list(WEIGHTS)
        for name, tensor in WEIGHTS.items():
            assert torch.equal(content['state_dict'][name], tensor)
        check_whole(WEIGHTS, content, path)
    model = torch.nn.ModuleDict({'fc': torch.nn.Linear(3, 2)})
    load_checkpoint(model, str(path), strict=True)
    assert torch.equal(model['fc'].weight, WEIGHTS['fc.weight'])


def test_other_fields_stay(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save({'model': WEIGHTS, 'epoch': 3}, path)
    assert read_checkpoint(path)['epoch'] == 3


def test_a_class_of_a_stranger_beside_weights(tmp_path):
    """DETR, fast-reid and many others save their command line so."""
    path = tmp_path / 'a.pth'
    torch.save({'model': WEIGHTS, 'args': argparse.Namespace(lr=1)}, path)
    with pytest.raises(ConfigError, match=r'has argparse\.Namespace in it, code of its author'):
        read_checkpoint(path)
    with trusting_checkpoints(True):
        assert list(read_checkpoint(path)['state_dict']) == list(WEIGHTS)


def test_home(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    torch.save(WEIGHTS, tmp_path / 'a.pth')
    assert list(read_checkpoint('~/a.pth')['state_dict']) == list(WEIGHTS)


def safetensors_bytes() -> bytes:
    """The format as its authors document it: a length, JSON, and the numbers."""
    header, data = {}, b''
    for name, tensor in WEIGHTS.items():
        numbers = tensor.numpy().astype('<f4').tobytes()
        place = [len(data), len(data) + len(numbers)]
        header[name] = dict(dtype='F32', shape=list(tensor.shape), data_offsets=place)
        data += numbers
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, 'little') + text + data


@pytest.mark.parametrize('name', ['a.safetensors', 'a.pth'])
def test_safetensors_without_the_package(tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes(safetensors_bytes())
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    monkeypatch.setitem(sys.modules, 'safetensors.torch', None)
    with pytest.raises(UserError, match=r'safetensors is needed.*mmclsa\[safetensors\]'):
        read_checkpoint(tmp_path / name)


@pytest.mark.skipif(find_spec('safetensors') is None, reason='safetensors is not installed')
def test_safetensors(tmp_path):
    path = tmp_path / 'a.safetensors'
    path.write_bytes(safetensors_bytes())
    guard_checkpoint_loader()
    for content in (read_checkpoint(path), CheckpointLoader.load_checkpoint(str(path), 'cpu')):
        for name, tensor in WEIGHTS.items():
            assert torch.equal(content['state_dict'][name], tensor)
    path.write_bytes(safetensors_bytes()[:-4])
    with pytest.raises(ConfigError, match='only a part of one'):
        read_checkpoint(path)


@pytest.mark.parametrize('missing', ['optimizer', 'meta', 'message_hub'])
def test_what_cannot_be_resumed(tmp_path, missing):
    content = dict(state_dict=WEIGHTS, optimizer={}, meta={}, message_hub={})
    del content[missing]
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(ConfigError, match=f'has no field "{missing}": give it as load_from'):
        set_resume(Config(dict(work_dir='')), str(tmp_path / 'a.pth'))


@pytest.mark.parametrize('fault', FAULTS)
def test_names_a_wrong_file(tmp_path, fault):
    path = tmp_path / 'a.pth'
    make, words = FAULTS[fault]
    make(path)
    with pytest.raises(ConfigError, match=words) as error:
        read_checkpoint(path)
    assert str(path) in str(error.value)


def test_latest_survives_a_move_of_the_folder(tmp_path):
    (tmp_path / 'epoch_2.pth').write_bytes(b'')
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/work/epoch_2.pth')
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'epoch_2.pth')


@pytest.mark.parametrize('content', [None, '', 'epoch_9.pth'])
def test_nothing_to_resume(tmp_path, content):
    if content is not None:
        (tmp_path / 'last_checkpoint').write_text(content)
    with pytest.raises(ConfigError):
        latest_checkpoint(tmp_path)


def test_an_average_starts_from_weights_alone(tmp_path):
    """MMEngine's EMAHook asks a checkpoint for its state_dict."""
    torch.save(ToyModel().state_dict(), tmp_path / 'a.pth')
    hooks = [dict(type='EMAHook')]
    cfg = toy_config(tmp_path / 'work', load_from=str(tmp_path / 'a.pth'), custom_hooks=hooks)
    Runner.from_cfg(Config(cfg)).train()
    assert (tmp_path / 'work' / 'last_checkpoint').exists()
