"""Published weights: one's own file, else the download, else a sentence that names both."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import socketserver
import threading
from pathlib import Path

import mmengine
import pytest
import torch
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader

from mmclsa.engine import check_pretrained, load_config
from mmclsa.errors import ConfigError
from mmclsa.utils import weights
from mmclsa.utils.weights import PUBLISHED, download, find_weights
from tests.fakes import make_resnet50_weights
from tests.helpers import REPO

NAME = 'resnet50_imagenet.pth'
ADDRESS = f'mmclsa://{NAME}'
INIT = dict(type='Pretrained', checkpoint=ADDRESS)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv('MMCLSA_WEIGHTS', str(tmp_path / 'weights'))
    (tmp_path / 'weights').mkdir()
    return tmp_path / 'weights'


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """No download from before, and none from the network."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    monkeypatch.setattr(torch.hub, '_hub_dir', None)
    for name in ('http_proxy', 'https_proxy', 'HTTPS_PROXY', 'HTTP_PROXY'):
        monkeypatch.setenv(name, 'http://127.0.0.1:9')
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    return tmp_path / 'hub' / 'hub' / 'checkpoints'


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Serve a folder as the network, and let the weights come from there."""
    root = tmp_path / 'site'
    root.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(root))
    monkeypatch.setattr(handler.func, 'log_message', lambda *_: None)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        torch.save({'layer1.0.conv1.weight': torch.ones(1)}, root / 'a.pth')
        digits = hashlib.sha256((root / 'a.pth').read_bytes()).hexdigest()[:8]
        (root / 'a.pth').rename(root / f'a-{digits}.pth')
        url = f'http://127.0.0.1:{server.server_port}/a-{digits}.pth'
        monkeypatch.setitem(weights.PUBLISHED, NAME, PUBLISHED[NAME]._replace(url=url))
        yield root / f'a-{digits}.pth'
        server.shutdown()


def test_the_address_is_the_one_that_mmengine_knows():
    zoo = Path(mmengine.__file__).parent / 'hub' / 'torchvision_0.12.json'
    assert json.loads(zoo.read_text())['resnet50'] == PUBLISHED[NAME].url


def test_neither_file_nor_network(folder):
    with pytest.raises(ConfigError) as raised:
        find_weights(ADDRESS)
    sentence = str(raised.value)
    assert f'{folder / NAME} do not exist' in sentence
    assert f'{PUBLISHED[NAME].url} cannot be downloaded' in sentence
    assert 'MMCLSA_WEIGHTS' in sentence
    assert '\n' not in sentence


def test_a_file_of_ones_own_comes_first(folder, site, hub):
    (folder / NAME).write_bytes(b'x')
    assert find_weights(ADDRESS) == folder / NAME
    assert not hub.exists()


def test_downloaded_once(folder, site, hub):
    assert find_weights(ADDRESS) == hub / site.name
    site.unlink()
    assert find_weights(ADDRESS) == hub / site.name
    loaded = CheckpointLoader.load_checkpoint(ADDRESS, 'cpu')
    assert loaded['state_dict']['layer1.0.conv1.weight'] == 1


def test_another_file_under_that_name_is_refused(folder, site, hub):
    site.write_bytes(b'something else')
    with pytest.raises(ConfigError, match=r'cannot be downloaded .*hash'):
        find_weights(ADDRESS)
    assert not list(hub.glob('*.pth'))


@pytest.mark.parametrize(
    ('content', 'words'),
    [(b'junk', 'is not a checkpoint'), ({'backbone.conv1.weight': torch.ones(1)}, 'other names')],
)
def test_wrong_content(folder, content, words):
    if isinstance(content, bytes):
        (folder / NAME).write_bytes(content)
    else:
        torch.save(content, folder / NAME)
    with pytest.raises(ConfigError, match=words):
        CheckpointLoader.load_checkpoint(ADDRESS, 'cpu')


def test_unknown_name():
    with pytest.raises(ConfigError, match=r'mmclsa://a\.pth is not known: there are .*resnet50'):
        find_weights('mmclsa://a.pth')


@pytest.mark.parametrize('wrapped', [False, True])
def test_torchvision_names_fill_the_whole_backbone(folder, wrapped):
    """All but the classifier comes from the file, whoever builds the model."""
    from mmdet.models import ResNet

    make_resnet50_weights(folder / NAME, seed=3)
    expected = torch.load(folder / NAME, weights_only=True)
    if wrapped:
        torch.save({'state_dict': expected}, folder / NAME)
    cfg = load_config(str(REPO / 'configs' / 'clsa' / 'clsa_r50_prw.py')).model.detector.backbone
    cfg.pop('type')
    backbone = ResNet(**cfg)
    backbone.init_weights()
    state = backbone.state_dict()
    counters = {name for name in state if name.endswith('num_batches_tracked')}
    assert set(expected) - set(state) == {'fc.weight', 'fc.bias'}
    assert set(state) - set(expected) == counters
    for name in set(state) - counters:
        assert torch.equal(state[name], expected[name]), name


class TestCheckPretrained:
    def test_published(self, folder):
        with pytest.raises(ConfigError, match='MMCLSA_WEIGHTS'):
            check_pretrained(dict(a=[dict(init_cfg=INIT)]))
        (folder / NAME).write_bytes(b'x')
        check_pretrained(dict(a=[dict(init_cfg=INIT)]))

    def test_one_process_of_a_machine(self, folder, monkeypatch):
        monkeypatch.setenv('LOCAL_RANK', '1')
        check_pretrained(dict(init_cfg=INIT))

    def test_any_address(self, site, hub):
        url = weights.PUBLISHED[NAME].url
        check_pretrained(dict(init_cfg=dict(type='Pretrained', checkpoint=url)))
        assert (hub / site.name).is_file()
        absent = url.replace('a-', 'b-')
        with pytest.raises(ConfigError, match=r'b-.* cannot be downloaded .*404'):
            check_pretrained(dict(init_cfg=dict(type='Pretrained', checkpoint=absent)))

    def test_torchvision(self, monkeypatch):
        monkeypatch.setattr('mmclsa.engine.launch.find_spec', lambda name: None)
        init = dict(type='Pretrained', checkpoint='torchvision://resnet50')
        with pytest.raises(ConfigError, match=r'model\.a names needs the package torchvision'):
            check_pretrained(dict(a=init))


def test_a_silent_connection_ends(monkeypatch):
    """Behind a wall that drops packets a download would else wait for minutes."""
    monkeypatch.setattr(weights, '_PATIENCE', 0.2)
    with (
        socketserver.TCPServer(('127.0.0.1', 0), None) as server,  # answers nothing
        pytest.raises(ConfigError, match='timed out'),
    ):
        download(f'http://127.0.0.1:{server.server_address[1]}/a.pth')


def test_initialising_says_it_too(folder):
    """In a Runner of one's own, which does not look beforehand."""
    with pytest.raises(ConfigError, match='MMCLSA_WEIGHTS'):
        BaseModule(init_cfg=INIT).init_weights()
