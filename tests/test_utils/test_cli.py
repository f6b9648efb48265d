from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import ConfigDict
from mmengine.config import DictAction as MMEngineDictAction
from mmengine.registry import Registry
from torch.utils.data import DataLoader, Dataset

from mmclsa.errors import ConfigError, DataError
from mmclsa.registry import MODELS
from mmclsa.utils import run_tool
from mmclsa.utils.cli import DictAction
from tests.helpers import run_python


class Broken(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise DataError('The image a.jpg\ncannot be read.')


def fail(error):
    raise error


def test_user_error_is_one_line_and_code_2(capsys):
    with pytest.raises(SystemExit) as ended:
        run_tool(lambda: fail(ConfigError('the config a.py does not exist')))
    assert ended.value.code == 2
    assert capsys.readouterr().err == 'error: the config a.py does not exist\n'


def test_user_error_of_a_worker_process(capsys):
    """PyTorch puts the worker's whole traceback into the message."""
    with pytest.raises(SystemExit) as ended:
        run_tool(lambda: list(DataLoader(Broken(), num_workers=1)))
    assert ended.value.code == 2
    assert capsys.readouterr().err == 'error: The image a.jpg cannot be read.\n'


@pytest.mark.parametrize('code', [None, 0, 1])
def test_exit_code_of_main(code):
    with pytest.raises(SystemExit) as ended:
        run_tool(lambda: code)
    assert ended.value.code == (code or 0)


def test_who_was_told_to_stop_keeps_its_code():
    """A launcher that has seen another process leave sends SIGTERM."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            run_tool(lambda: sys.exit(75))
        assert ended.value.code == 75
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_fault_of_the_program_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_tool(lambda: fail(ZeroDivisionError()))


class Base:
    def __init__(self, width):
        self.width = width


@MODELS.register_module()
class HandsOn(Base):
    def __init__(self, inner=False, **kwargs):
        if inner:
            Faulty()
        super().__init__(**kwargs)


class Faulty:
    def __init__(self):
        Base(depth=1)


@pytest.mark.parametrize(
    ('config', 'told'),
    [
        (
            dict(width=1, depth=2),
            'gives Base the argument depth, which it does not have; did you mean width?',
        ),
        ({}, 'does not give Base its argument width'),
    ],
)
def test_an_argument_in_a_config_is_the_users(config, told, capsys, monkeypatch):
    """It was a traceback of MMEngine's registry."""
    monkeypatch.setattr('mmclsa.utils.config_mistakes._KNOWN', {'tests'})
    with pytest.raises(SystemExit) as ended:
        run_tool(lambda: MODELS.build(ConfigDict(type='HandsOn', **config)))
    assert ended.value.code == 2
    assert capsys.readouterr().err == f'error: the config {told}\n'


def test_a_wrong_argument_in_the_program_keeps_its_traceback():
    with pytest.raises(TypeError, match='depth'):
        run_tool(lambda: MODELS.build(ConfigDict(type='HandsOn', inner=True, width=1)))
    with pytest.raises(TypeError, match='depth'):
        run_tool(Faulty)


def test_ctrl_c_is_one_line_and_ends_by_the_signal():
    """Seen: dozens of lines of traceback after a build that was stopped on purpose."""
    code = 'import os, signal; from mmclsa.utils.cli import run_tool; '
    code += 'run_tool(lambda: os.kill(os.getpid(), signal.SIGINT) or open(0).read())'
    ended = subprocess.run(
        [sys.executable, '-c', code],
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert ended.returncode == -signal.SIGINT
    assert ended.stderr.splitlines()[-1:] == ['stopped by Ctrl-C']
    assert 'Traceback' not in ended.stderr


def test_only_a_registrys_key_error_is_the_users(capsys):
    with pytest.raises(SystemExit) as ended:
        run_tool(lambda: MODELS.build({'type': 'Nothing'}))
    assert ended.value.code == 2
    expected = 'error: the config asks for Nothing, which the registry mmclsa::model lacks\n'
    assert capsys.readouterr().err == expected
    with pytest.raises(KeyError):
        run_tool(lambda: {}['absent'])


class Outer:
    def __init__(self, size=1, **rest):
        self.inner = Inner(**rest)


class Inner:
    def __init__(self, colour=None):
        if colour == 'fault':
            Inner(color=1)


class Part(Outer):
    def __init__(self, options=None, colour=None, **rest):
        super().__init__(colour=colour, **rest)
        self.options = Inner(**(options or {}))


@pytest.mark.parametrize(
    ('settings', 'sentence'),
    [
        (
            dict(sizes=2),
            'gives Inner the argument sizes, which it does not have; did you mean size?',
        ),
        (dict(shape=2), 'gives Inner the argument shape, which it does not have'),
        (dict(options=dict(color=2)), 'gives Inner the argument color, which it does not'),
    ],
)
def test_a_setting_that_a_class_does_not_have_is_the_users(capsys, settings, sentence, monkeypatch):
    """The classes here stand for those of mmclsa."""
    monkeypatch.setattr('mmclsa.utils.config_mistakes._KNOWN', {'mmclsa', 'mmengine', 'tests'})
    with pytest.raises(SystemExit) as ended:
        run_tool(lambda: build_part(settings))
    assert ended.value.code == 2
    assert re.fullmatch(rf'error: the config {sentence}.*\n', capsys.readouterr().err)


def test_a_keyword_that_the_program_gives_too_many_is_its_own_fault():
    with pytest.raises(TypeError, match='color'):
        run_tool(lambda: build_part(dict(colour='fault')))


class Forgetful(Part):
    """A user's class, with faults of its own."""

    def __init__(self, rate: int = 1, fault=''):
        if fault == 'argument':
            Outer.__init__(self, colouur=rate)
        if fault == 'forgotten':
            Inner.__init__()
        if fault == 'built':
            MODELS.build(dict(type='HandsOn', width_x=1))
        if fault == 'file':
            Path('/not/there').read_text()
        raise ValueError('x is not in the gallery registry')


@pytest.mark.parametrize('fault', ['argument', 'forgotten', 'built', 'file', 'other'])
def test_faults_of_a_users_own_class_keep_their_traceback(fault):
    """Seen: they were told as a mistake in the config."""
    registry = Registry('part')
    registry.register_module(module=Forgetful)
    with pytest.raises((TypeError, OSError, ValueError)):
        run_tool(lambda: registry.build(ConfigDict(type='Forgetful', rate=1.5, fault=fault)))


def build_part(settings):
    registry = Registry('part')
    registry.register_module(module=Part)
    return registry.build(ConfigDict(type='Part', **settings))


def options(action, *words):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=action)
    return parser.parse_args(words).cfg_options


@pytest.mark.parametrize(
    'words',
    [
        [],
        ['--cfg-options', 'a.b=1', 'c=x', 'a.b=[(1, 2), None]', 'd=k=v'],
        ['--cfg-options', 'a=1,2.5,true', '--cfg-options', 'b="text"', 'a=7'],
    ],
)
def test_dict_action_is_that_of_mmengine(words):
    assert options(DictAction, *words) == options(MMEngineDictAction, *words)


@pytest.mark.parametrize(
    ('word', 'told'),
    [('lr', "--cfg-options must be KEY=VALUE, but is 'lr'"), ('a=[1,2', 'Imbalanced brackets')],
)
def test_dict_action_tells_of_mistakes(word, told, capsys):
    with pytest.raises(SystemExit) as ended:
        options(DictAction, '--cfg-options', 'b=1', word)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize('end', ['sys.exit(75)', 'pass', "raise ConfigError('no')"])
def test_one_of_several_keeps_its_code_whatever_its_threads_do(end):
    """What aborts after Python has ended, as threads of gloo do now and then, is not reached."""
    code = f"""
import atexit, ctypes, sys
import torch.distributed as dist
from mmclsa.errors import ConfigError
from mmclsa.utils import run_tool

libc = ctypes.CDLL(None)
libc.__cxa_atexit(ctypes.cast(libc.abort, ctypes.c_void_p), None, None)
atexit.register(print, 'left in order')
dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)

def main():
    {end}

run_tool(main)
"""
    result = run_python('-c', code)
    assert result.returncode == {'sys.exit(75)': 75, 'pass': 0}.get(end, 2), result.stderr
    assert 'left in order' in result.stdout


def test_mmdetections_warning_of_its_grids_is_not_shown():
    """MMDetection calls torch.meshgrid as PyTorch no longer likes it; other warnings stay."""
    done = run_python(
        '-c',
        """
import torch
import warnings
from mmclsa.utils import run_tool

def main():
    torch.meshgrid(torch.arange(2), torch.arange(2))
    warnings.warn('something else')

run_tool(main)
""",
    )
    assert 'something else' in done.stderr
    assert 'meshgrid' not in done.stderr
