"""The script behind the table of docs/methods.md: what it trains, once, and what it compares."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys

import pytest

from mmclsa.engine import load_config
from tests.helpers import REPO

SCRIPT = REPO / 'tools' / 'misc' / 'methods_table.sh'
PARTS = ('oim', 'nae', 'seqnet', 'clsa-seqnet', 'clsa', 'detector', 'reid')
# In place of Python: notes the command, and leaves what the tool would.
STUB = """#!{python}
import pathlib, sys
words = sys.argv[1:]
with open({log!r}, 'a') as log:
    print(*words, file=log)
if words[0].endswith('train.py'):
    folder = pathlib.Path(words[words.index('--work-dir') + 1])
    if (folder / 'fail').exists():
        sys.exit(1)
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_4.pth'))
if words[0].endswith('join.py'):
    pathlib.Path(words[words.index('--out') + 1]).touch()
"""


@pytest.fixture
def table(tmp_path):
    stub, log, out = tmp_path / 'python', tmp_path / 'log.txt', tmp_path / 'out'
    stub.write_text(STUB.format(python=sys.executable, log=str(log)))
    stub.chmod(stub.stat().st_mode | stat.S_IEXEC)

    def run(*options, code=0, **env):
        log.write_text('')
        done = subprocess.run(
            ['bash', SCRIPT, stub, out, *options],
            cwd=REPO, env={**os.environ, **env}, timeout=60, check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        lines = [line.split() for line in log.read_text().splitlines()]
        return {
            tool: [words[1:] for words in lines if words[0].endswith(f'/{tool}.py')]
            for tool in ('train', 'join', 'compare_methods')
        }, done.stderr

    run.out = out
    return run


def test_every_part_is_trained_once_with_every_seed(table):
    ran, _ = table('--no-cost')
    folders = [words[words.index('--work-dir') + 1] for words in ran['train']]
    assert sorted(folders) == sorted(f'{table.out}/{p}/seed_{s}' for p in PARTS for s in range(3))
    for words in ran['train']:
        folder = words[words.index('--work-dir') + 1]
        assert f'randomness.seed={folder[-1]}' in words
        assert 'max_epochs=8' in words
        assert words[words.index('--resume') + 1] == 'auto'
    (compared,) = ran['compare_methods']
    rows = ' '.join(compared).split('--method ')[1:]
    assert [row.split()[0] for row in rows] == [
        *('oim', 'nae', 'seqnet', 'clsa-seqnet', 'clsa', 'seqnet-cbgm', 'clsa-twostep')
    ]
    assert rows[4].split()[1:] == [f'{table.out}/clsa/seed_{s}' for s in range(3)]
    assert [words[:2] for words in ran['join']] == [
        [f'{table.out}/{part}/seed_{seed}/epoch_4.pth' for part in ('detector', 'reid')]
        for seed in range(3)
    ]
    assert compared[-1] == '--no-cost'
    again, _ = table()
    assert (len(again['train']), len(again['join'])) == (0, 0)
    assert len(again['compare_methods']) == 1


def test_what_failed_is_named_and_done_the_next_time(table):
    broken = table.out / 'nae' / 'seed_0'
    broken.mkdir(parents=True)
    (broken / 'fail').touch()
    ran, error = table(code=1, SEEDS='0')
    assert error.strip() == f'error: the training failed, see {broken}/log.txt'
    assert ran['compare_methods'] == []
    (broken / 'fail').unlink()
    ran, _ = table(SEEDS='0')
    assert [words[words.index('--work-dir') + 1] for words in ran['train']] == [
        f'{table.out}/{part}/seed_0' for part in PARTS[1:]
    ]


def test_every_config_has_the_same_budget_and_the_same_scenes():
    """What the script overrides takes effect in each config, to the end of its schedule."""
    text = SCRIPT.read_text().replace('$BED', 'synthetic-hard')
    configs = re.findall(r'^\w+=(configs/\S+\.py)$', text, re.MULTILINE)
    assert len(configs) == len(PARTS) + 1, 'and that of the joined model'
    budgets, scenes = set(), set()
    for config in configs:
        cfg = load_config(str(REPO / config), {'max_epochs': 8})
        cosine = cfg.param_scheduler[-1]
        budgets.add((cfg.train_cfg.max_epochs, cosine.T_max, cfg.default_hooks.checkpoint.interval))
        tested = cfg.test_dataloader.dataset.to_dict()
        del tested['pipeline']
        scenes.add(json.dumps(tested, sort_keys=True))
    assert budgets == {(8, 8, 8)}
    assert len(scenes) == 1


def test_usage():
    done = subprocess.run(
        ['bash', SCRIPT, 'python'], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert 'PYTHON OUT' in done.stderr
