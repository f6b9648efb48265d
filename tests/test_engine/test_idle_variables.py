"""A variable that a config of one's own sets in vain is not passed over in silence."""

from __future__ import annotations

import pytest

from mmclsa.engine import load_config
from mmclsa.engine.idle_variables import idle_variables
from tests.helpers import REPO

BASE = """epochs = 9
lr = 0.1
train_cfg = dict(max_epochs=epochs)
optim_wrapper = dict(lr=lr)
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Read a config on top of BASE; give it with what was warned of."""
    (tmp_path / 'base.py').write_text(BASE)
    said = []
    monkeypatch.setattr(
        'mmclsa.engine.idle_variables.print_log', lambda text, *_: said.append(text)
    )

    def read(text, **options):
        (tmp_path / 'own.py').write_text(text)
        return load_config(str(tmp_path / 'own.py'), options), '; '.join(said)

    return read


@pytest.mark.parametrize('base', ["'base.py'", "['./base.py']"])
def test_a_variable_that_the_base_has_used_is_named(told, base):
    cfg, warning = told(f'_base_ = {base}\nepochs = 5\n')
    assert cfg.train_cfg.max_epochs == 9
    assert 'own.py sets epochs, which changes nothing' in warning
    assert '--cfg-options epochs=' in warning


@pytest.mark.parametrize(
    'text',
    [
        "_base_ = 'base.py'\nepochs = 5\ntrain_cfg = dict(max_epochs=epochs)\n",
        "_base_ = 'base.py'\ntrain_cfg = dict(max_epochs=5)\nnew = 3\n",
        "_base_ = 'base.py'\nepochs = 9\n",
        "_base_ = ['base.py']\nload_from = 'a.pth'\nlr = {{_base_.lr}}\nother = 2 * lr\n",
        'epochs = 5\n',
    ],
)
def test_nothing_else_is_named(told, text):
    assert told(text)[1] == ''


def test_an_override_of_the_command_line_takes_effect_without_a_warning(told):
    cfg, warning = told("_base_ = 'base.py'\n", epochs=5)
    assert (cfg.train_cfg.max_epochs, warning) == (5, '')


def test_no_config_of_ours_sets_a_variable_in_vain():
    for path in REPO.glob('configs/*/*.py'):
        assert idle_variables(path.read_text()) == [], path
