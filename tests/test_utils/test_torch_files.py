"""What a checkpoint may have in it, and that nothing else is run."""

from __future__ import annotations

import functools
import http.server
import io
import pickle
import random
import tarfile
import threading
from contextlib import suppress

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, Runner

import mmclsa.engine
import mmclsa.utils.weights  # noqa: F401 (registers mmclsa://)
from mmclsa import compat
from mmclsa.errors import ConfigError
from mmclsa.utils.checkpoint import read_checkpoint
from mmclsa.utils.torch_files import read_torch_file
from mmclsa.utils.trust import trusting_checkpoints
from tests.evil import Evil, write_evil
from tests.test_engine.toy import toy_config


class OldTorch:
    """As Version('2.5') compares with Version('2.6')."""

    def __init__(self, _: str) -> None:
        pass

    def __lt__(self, _: object) -> bool:
        return True


@pytest.fixture(params=['weights_only', 'before 2.6'], autouse=True)
def reader(request, monkeypatch):
    """Both ways to load; the second needs nothing that this PyTorch lacks."""
    if request.param == 'before 2.6':
        monkeypatch.setattr(compat, 'Version', OldTorch)


def same(one, other) -> bool:
    """Compare whatever a checkpoint has in it, types included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, HistoryBuffer):
        return same(one.__dict__, other.__dict__)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return one == other


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A checkpoint with all that MMEngine saves: optimizer, schedulers, log, EMA."""
    folder = tmp_path_factory.mktemp('trained')
    hooks = [{'type': 'EMAHook'}]
    schedulers = [
        {'type': 'LinearLR', 'start_factor': 0.1, 'by_epoch': False, 'end': 5},
        {'type': 'MultiStepLR', 'milestones': [1, 2], 'end': 3},
        {'type': 'CosineAnnealingLR', 'T_max': 3, 'end': 3},
    ]
    optimizer = {'optimizer': {'type': 'AdamW', 'lr': 0.001}}
    config = toy_config(
        folder, custom_hooks=hooks, param_scheduler=schedulers, optim_wrapper=optimizer
    )
    Runner.from_cfg(Config(config)).train()
    return folder / 'epoch_3.pth'


class TestWhatIsLoaded:
    def test_all_of_a_training_to_the_bit(self, trained):
        whole = torch.load(trained, weights_only=False)
        assert {'optimizer', 'param_schedulers', 'message_hub', 'ema_state_dict'} <= whole.keys()
        assert same(read_checkpoint(trained), whole)
        assert same(CheckpointLoader.load_checkpoint(str(trained), 'cpu'), whole)

    def test_numbers_of_numpy(self, tmp_path):
        """A state of random generators too, as some hooks save it."""
        content = {
            'state': np.random.RandomState(3).get_state(),
            'scalars': [np.float32(0.1), np.int64(-3), np.bool_(True)],
            'table': np.arange(6, dtype='>i4').reshape(2, 3),
            'columns': np.asfortranarray(np.arange(6.0).reshape(2, 3)),
            'none': np.zeros((0, 4), np.uint8),
            'turned': torch.get_rng_state(),
        }
        torch.save(content, tmp_path / 'a.pth')
        loaded = read_torch_file(tmp_path / 'a.pth')
        assert same(loaded, content)
        loaded['columns'] += 1  # it owns its memory
        assert loaded['columns'].flags.f_contiguous

    def test_what_mmengine_declares_safe_meanwhile_is_not(self, trained):
        """MMEngine lets PyTorch find getattr and NumPy while it loads."""
        before = set(torch.serialization.get_safe_globals())
        CheckpointLoader.load_checkpoint(str(trained), 'cpu')
        assert set(torch.serialization.get_safe_globals()) == before

    def test_statistics_of_the_log_stay_what_they_are(self, trained):
        methods = dict(HistoryBuffer._statistics_methods)
        log = read_checkpoint(trained)['message_hub']['log_scalars']['train/loss']
        assert HistoryBuffer._statistics_methods == methods
        assert log.statistics('mean') == pytest.approx(log.data[0].mean())


class Reach:
    """Gets hold of something by getattr, as MMEngine's own list would allow."""

    def __reduce__(self):
        return getattr, (HistoryBuffer.mean, '__globals__')


class Forged:
    """A number type of NumPy whose state makes an object of eight bytes of the file."""

    def __reduce__(self):
        state = (3, '<', None, ('a',), {'a': (np.dtype('O'), 0)}, 8, 8, 0)
        return np.dtype, ('f8', False, True), state


def as_tar(path, mark) -> None:
    with tarfile.open(path, 'w') as archive:
        data = pickle.dumps(Evil(mark))
        for name in ('sys_info', 'pickle', 'storages', 'tensors'):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def as_script(path, mark) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), str(path))


def pickled(value, **options):
    def write(path, mark) -> None:
        torch.save({'state_dict': {}, 'x': value(mark)}, path, **options)

    return write


EVIL = {
    'zip': pickled(Evil),
    'zip, protocol 4': pickled(Evil, pickle_protocol=4),
    'not zipped': pickled(Evil, _use_new_zipfile_serialization=False),
    'bare pickle': lambda path, mark: path.write_bytes(pickle.dumps(Evil(mark))),
    'bare pickle, protocol 0': lambda path, mark: path.write_bytes(pickle.dumps(Evil(mark), 0)),
    'tar': as_tar,
    'TorchScript': as_script,
    'getattr': pickled(lambda mark: Reach()),
    'forged dtype': pickled(lambda mark: Forged()),
    'array of objects': pickled(lambda mark: np.array([Evil(mark)], object)),
    'module': pickled(lambda mark: torch.nn.Linear(1, 1)),
}


class TestWhatIsRefused:
    @pytest.mark.parametrize('kind', EVIL)
    def test_nothing_is_run(self, tmp_path, kind):
        path, mark = tmp_path / 'evil.pth', tmp_path / 'mark'
        EVIL[kind](path, mark)
        for read in (read_checkpoint, CheckpointLoader.load_checkpoint):
            with pytest.raises(ConfigError, match=r'evil\.pth ') as error:
                read(str(path))
            assert not mark.exists()
        if 'protocol 0' not in kind:  # which begins like a text
            assert '--trust-checkpoint' in str(error.value)

    def test_name_of_what_is_in_it(self, tmp_path):
        path, _ = write_evil(tmp_path)
        with pytest.raises(ConfigError, match=r'posix\.system in it, code of its author'):
            read_torch_file(path)

    def test_trust(self, tmp_path):
        path, mark = write_evil(tmp_path)
        with trusting_checkpoints(True):
            assert read_checkpoint(path)['evil'] == 0
        assert mark.exists()
        with pytest.raises(ConfigError):
            read_checkpoint(path)

    def test_trust_does_not_reach_other_threads(self, tmp_path):
        path, mark = write_evil(tmp_path)
        errors = []

        def read() -> None:
            try:
                CheckpointLoader.load_checkpoint(str(path))
            except ConfigError as error:
                errors.append(error)

        with trusting_checkpoints(True):
            thread = threading.Thread(target=read)
            thread.start()
            thread.join()
        assert len(errors) == 1
        assert not mark.exists()

    def test_config_of_old_checkpoints_is_not_run_on_resuming(self, tmp_path):
        """MMEngine runs the text in meta["config"], where MMCV had it."""
        folder, mark = tmp_path / 'work', tmp_path / 'mark'
        one = {'by_epoch': True, 'max_epochs': 1}
        Runner.from_cfg(Config(toy_config(folder, train_cfg=one))).train()
        content = torch.load(folder / 'epoch_1.pth', weights_only=False)
        content['meta']['config'] = f'import os\nos.system("touch {mark}")\n'
        torch.save(content, folder / 'epoch_1.pth')
        Runner.from_cfg(Config(toy_config(folder, resume=True))).train()
        assert (folder / 'epoch_3.pth').exists()
        assert not mark.exists()

    @pytest.mark.parametrize('content', [b'', b'text', b'\x80', b'\x80\x02', b'PK\x03\x04', b'(d.'])
    def test_no_checkpoint_at_all(self, tmp_path, content):
        (tmp_path / 'a.pth').write_bytes(content)
        with pytest.raises(ConfigError, match=r'a\.pth'):
            read_checkpoint(tmp_path / 'a.pth')

    def test_any_damage_is_a_sentence(self, trained, tmp_path):
        """Bytes are changed in the pickle, where they steer the reader."""
        whole = trained.read_bytes()
        start, end = whole.index(b'data.pkl'), whole.index(b'optimizer')
        rng, path = random.Random(0), tmp_path / 'a.pth'
        for _ in range(60):
            content = bytearray(whole)
            for _ in range(3):
                content[rng.randrange(start, end)] = rng.randrange(256)
            path.write_bytes(content)
            with suppress(ConfigError):
                read_checkpoint(path)

    def test_streams(self, trained):
        assert same(read_torch_file(io.BytesIO(trained.read_bytes())), read_torch_file(trained))
        with pytest.raises(ConfigError, match='the checkpoint has '):
            read_torch_file(io.BytesIO(pickle.dumps(Evil(trained))))


@pytest.fixture
def address(tmp_path, monkeypatch):
    """Serve a folder on this machine, as a model zoo."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    folder = tmp_path / 'served'
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, 'log_message', lambda *_: None)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield folder, f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


ZOOS = {
    'https': lambda url: {},
    'torchvision': lambda url: {'get_torchvision_models': lambda: {'evil': url}},
    'open-mmlab': lambda url: {'get_external_models': lambda: {'evil': url}},
    'mmcls': lambda url: {'get_mmcls_models': lambda: {'evil': url}},
}


@pytest.mark.parametrize('scheme', ZOOS)
def test_addresses(address, monkeypatch, scheme):
    folder, url = address
    path, mark = write_evil(folder)
    for name, table in ZOOS[scheme](f'{url}/evil.pth').items():
        monkeypatch.setattr(f'mmengine.runner.checkpoint.{name}', table)
    named = f'{url}/evil.pth' if scheme == 'https' else f'{scheme}://evil'
    with pytest.raises(ConfigError, match='--trust-checkpoint'):
        CheckpointLoader.load_checkpoint(named, 'cpu')
    assert not mark.exists()
    torch.save({'state_dict': {'backbone.w': torch.ones(2)}}, path)
    (folder.parent / 'cache/hub/checkpoints/evil.pth').unlink()
    (weight,) = CheckpointLoader.load_checkpoint(named, 'cpu')['state_dict'].values()
    assert torch.equal(weight, torch.ones(2))


def test_weights_by_name(tmp_path, monkeypatch):
    path, mark = write_evil(tmp_path)
    path.rename(tmp_path / 'resnet50_imagenet.pth')
    monkeypatch.setenv('MMCLSA_WEIGHTS', str(tmp_path))
    with pytest.raises(ConfigError, match='--trust-checkpoint'):
        CheckpointLoader.load_checkpoint('mmclsa://resnet50_imagenet.pth', 'cpu')
    assert not mark.exists()
