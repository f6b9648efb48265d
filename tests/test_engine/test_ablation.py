"""Grids of runs: reading, claiming, resuming; and a tiny one from end to end."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmclsa.engine.ablation import (
    all_runs,
    claims,
    collect_runs,
    read_grid,
    results,
    row_config,
    schedule,
    take_claim,
    write_results,
)
from mmclsa.engine.ablation import run as run_module
from mmclsa.engine.ablation.grid import at_default_places, fingerprint
from mmclsa.engine.ablation.run import train_and_test, write_run
from mmclsa.errors import ConfigError, DataError
from mmclsa.evaluation.comparison import Trained
from mmclsa.evaluation.query_figures import QueryFigures, load_query_figures, save_query_figures
from tests.helpers import REPO, assert_user_error
from tests.ranks import run_tool_forked

TOOL = 'tools/analysis_tools/run_ablation.py'
TINY = REPO / 'tests' / 'data' / 'ablation_grid.py'
FOLDS = REPO / 'tests' / 'data' / 'folds_grid.py'
CONFIG = 'configs/clsa/clsa_faster-rcnn-narrow_1xb4-4e_synthetic-hard.py'
RECIPE = REPO / 'tools' / 'analysis_tools' / 'grids' / 'recipe.py'


def write_grid(path, text):
    path.write_text(f'config = {CONFIG!r}\n{text}\n')
    return path


class TestGrid:
    def test_rows_in_the_order_that_they_are_written(self, tmp_path):
        grid = read_grid(
            write_grid(
                tmp_path / 'grid.py',
                "seeds = [4, 5]\nbaseline = 'b'\nstart = 'a'\noptions = {'x.y': 1}\n"
                "rows = {'b': {}, 'a': {'seeds': [7]}, 'c': {'options': {'x.y': 2, 'z': (1, 2)}}}",
            )
        )
        assert [(row.name, seed) for row, seed in all_runs(grid)] == [
            ('b', 4), ('a', 7), ('c', 4), ('b', 5), ('c', 5),
        ]  # fmt: skip
        assert dict(grid['c'].options) == {'x.y': 2, 'z': (1, 2)}
        assert dict(grid['b'].options) == {'x.y': 1}
        assert (grid['a'].start, grid['b'].start) == ('', 'a')

    @pytest.mark.parametrize(
        ('text', 'word'),
        [
            ('', 'rows'),
            ("rows = {'a': 3}", 'a'),
            ("rows = {'a': {'option': {}}}", 'option'),
            ("rows = {'../a': {}}", r'\.\./a'),
            ("rows = {'a': {}}\nbaseline = 'b'", 'baseline'),
            ("rows = {'a': {'start': 'b'}}", 'start'),
            ("rows = {'a': {'weights_of': 'b'}}", 'weights_of'),
            ("rows = {'a': {'against': 'b'}}", 'against'),
            ("rows = {'a': {'against': 'a'}}", 'itself'),
            ("baseline = 'a'\nrows = {'a': {'against': 'b'}, 'b': {}}", 'the baseline'),
            ("pictured = ['b']\nrows = {'a': {}}", 'pictured'),
            ("seeds = [0, 1]\neach_seed = {'x.y': [1]}\nrows = {'a': {}}", 'x.y .*2 seeds'),
            (
                "rows = {'a': {}, 'b': {'weights_of': 'a'}, 'c': {'weights_of': 'b'}}",
                'must be a row that is trained',
            ),
            (
                "rows = {'a': {'seeds': [1]}, 'b': {'weights_of': 'a', 'seeds': [1, 2]}}",
                'seeds of a',
            ),
            ("config = ''\nrows = {'a': {}}", 'config'),
            ("config = 3\nrows = {'a': {}}", 'config = 3; it must name a config file'),
            ('rows = {1: {}}', 'called 1, which is no name for a folder'),
            ("rows = {'a': {}, 'b': {}, 'a': {'options': {'x': 1}}}", "have 'a' twice"),
            ("rows = {'a': {'options': {'x.y': 1, 'x.y': 2}}}", "have 'x.y' twice"),
            (
                "rows = {'a': {'options': [1]}}",
                r'options of the row a .* must be a dict, but is \[',
            ),
            ("options = 3\nrows = {'a': {}}", 'options of the grid .* must be a dict, but is 3'),
            ("each_seed = [1]\nrows = {'a': {}}", 'each_seed .* must be a dict'),
            ("each_seed = {'x.y': 1}\nrows = {'a': {}}", 'x.y a value for each .* gives 1'),
            ("pictured = 'a'\nrows = {'a': {}}", "must list rows, but is 'a'"),
            ("rows = {'a': {'start': ['a']}}", 'start of the row a .* must name a row'),
            ("rows = {'a': {'start': 'b'}, 'b': {'start': 'a'}}", 'a, b .* start from each other'),
            (
                "rows = {'a': {}, 'b': {'weights_of': 'a'}, 'c': {'start': 'b'}}",
                "start = 'b', which trains nothing",
            ),
            *[
                (f"seeds = {seeds}\nrows = {{'a': {{}}}}", 'seeds of the row a .* must be a list')
                for seeds in ('3', "'01'", '[]', '[0.5]', "['x']", '[-1]', '[1, 1]', '[2**32]')
            ],
        ],
    )
    def test_mistakes(self, tmp_path, text, word):
        with pytest.raises(ConfigError, match=word):
            read_grid(write_grid(tmp_path / 'grid.py', text))

    def test_none_is_no_row_and_a_path_names_a_config(self, tmp_path):
        rows = """from pathlib import Path
start = 'first'
config = Path('configs/clsa/clsa_tiny_synthetic.py')
rows = {'first': {}, 'scratch': {'start': None, 'against': None, 'weights_of': None}}
"""
        (tmp_path / 'grid.py').write_text(rows)
        row = read_grid(tmp_path / 'grid.py')['scratch']
        assert (row.start, row.against, row.weights_of) == ('', '', '')
        assert row.config == 'configs/clsa/clsa_tiny_synthetic.py'

    def test_config_of_a_run(self, tmp_path):
        grid = read_grid(
            write_grid(
                tmp_path / 'grid.py', "rows = {'a': {'options': {'model.reid.roi_size': (6, 3)}}}"
            )
        )
        one, two = (row_config(grid['a'], seed, start) for seed, start in ((1, None), (2, 'x.pth')))
        assert one.model.reid.roi_size == (6, 3)
        assert (one.randomness.seed, two.randomness.seed, two.load_from) == (1, 2, 'x.pth')
        assert fingerprint(one) != fingerprint(two)
        again = row_config(grid['a'], 1)
        again.work_dir = 'elsewhere'
        assert fingerprint(again) == fingerprint(one)

    def test_options_of_a_seed(self, tmp_path):
        grid = read_grid(
            write_grid(
                tmp_path / 'grid.py',
                "seeds = [5, 3]\noptions = {'x.y': 1, 'fold': 9}\n"
                "each_seed = {'fold': [0, 1], 'x.z': ['p', 'q']}\n"
                "rows = {'a': {}, 'b': {'each_seed': {'x.y': [7, 8]}}, 'c': {'seeds': [3]}}",
            )
        )
        assert grid['a'].options_of(5) == {'x.y': 1, 'fold': 0, 'x.z': 'p'}
        assert grid['a'].options_of(3) == {'x.y': 1, 'fold': 1, 'x.z': 'q'}
        assert grid['b'].options_of(3) == {'x.y': 8, 'fold': 9}, 'its own in place of all'
        assert grid['c'].options_of(3) == {'x.y': 1, 'fold': 0, 'x.z': 'p'}, 'by place, not by seed'

    def test_a_row_that_tests_the_models_of_another(self, tmp_path):
        grid = read_grid(
            write_grid(
                tmp_path / 'grid.py',
                "seeds = [0, 1]\nstart = 's'\noptions = {'x.y': 1}\nrows = {'s': {'seeds': [9]}, "
                "'a': {'config': 'other.py', 'seeds': [4], 'options': {'x.y': 2, 'x.z': 3}}, "
                "'b': {'weights_of': 'a', 'options': {'x.z': 4}}}",
            )
        )
        row = grid['b']
        assert (row.config, row.seeds, row.start, row.weights_of) == ('other.py', (4,), '', 'a')
        assert row.options_of(4) == {'x.y': 2, 'x.z': 4}

    def test_a_borrowed_model_is_tested_on_its_own_fold(self, tmp_path):
        """*Seen*: a row of seed 1 alone had the first fold, of people its model was trained on."""
        rows = (
            "seeds = [0, 1, 2]\neach_seed = {'fold': [10, 11, 12]}\n"
            "rows = {'a': {}, 'b': {'weights_of': 'a', 'seeds': [2, 1]}, "
            "'c': {'weights_of': 'a'}}"
        )
        grid = read_grid(write_grid(tmp_path / 'grid.py', rows))
        assert [grid['b'].options_of(seed)['fold'] for seed in (1, 2)] == [11, 12]
        assert [grid['c'].options_of(seed)['fold'] for seed in (0, 1, 2)] == [10, 11, 12]

    def test_a_start_that_is_compared_with_has_its_row(self, tmp_path):
        rows = "start = 's'\nbaseline = 'a'\nrows = {'s': {}, 'a': {}, 'b': {'against': 's'}}"
        grid = read_grid(write_grid(tmp_path / 'grid.py', rows))
        assert [row.name for row in grid.compared] == ['s', 'a', 'b']

    def test_counterparts_and_pictures(self, tmp_path):
        rows = (
            "start = 's'\nbaseline = 'a'\nrows = {'s': {}, 'b': {}, 'a': {}, "
            "'c': {'against': 'b'}, 'd': {}, 'e': {'weights_of': 'c'}, 'f': {}}"
        )
        grid = read_grid(write_grid(tmp_path / 'grid.py', rows))
        assert [row.name for row in grid.compared] == ['b', 'a', 'c', 'd', 'e', 'f']
        assert grid.against == {'b': 'a', 'c': 'b', 'd': 'a', 'e': 'a', 'f': 'a'}
        assert grid.drawn == ('a', 'b', 'c', 'd', 'e')
        grid = read_grid(write_grid(tmp_path / 'grid.py', f"pictured = ['f', 'b']\n{rows}"))
        assert grid.drawn == ('f', 'b')

    def test_a_counterpart_is_no_part_of_the_config(self, tmp_path):
        text = "rows = {'a': {}, 'b': {'options': {'model.reid.roi_size': (6, 3)}%s}}"
        one, two = (
            read_grid(write_grid(tmp_path / 'grid.py', text % more))['b']
            for more in ('', ", 'against': 'a'")
        )
        assert (one.against, two.against) == ('', 'a')
        assert fingerprint(row_config(one, 0)) == fingerprint(row_config(two, 0))

    def test_an_aligned_row_is_compared_with_its_twin(self):
        for bed, more in (('real', {'scratch-clsa', 'linear-clsa'}), ('drawn', {'cosine-clsa'})):
            grid = read_grid(RECIPE.parent / f'crops_{bed}.py')
            twins = {'C4-C5-clsa': 'C4-C5', 'C2-C5-clsa': 'C2-C5', 'two-views-clsa': 'two-views'}
            twins.update({'two-views-self': 'two-views', 'double-batch-clsa': 'double-batch'})
            stems = {'no-downscale-clsa', 'oim-clsa', 'contrastive-clsa', *more}
            twins.update({name: name.replace('clsa', 'three') for name in stems})
            for name in ('one', 'three', 'clsa'):
                twins[f'{name}-pyramid'] = name
            for name in ('top', 'level-0', 'level-1'):
                twins.update({f'clsa-{name}': 'clsa', f'three-{name}': 'three'})
            assert {name: grid.against[name] for name in twins} == twins
            others = grid.against.keys() - twins.keys()
            assert {grid.against[name] for name in others} == {'three'}

    def test_every_row_of_the_recipe_is_a_config(self):
        grid = read_grid(RECIPE)
        prints = {}
        for row in grid.rows:
            cfg = row_config(row, row.seeds[0])
            prints.setdefault(fingerprint(cfg), []).append(row.name)
        assert all(len(names) == 1 for names in prints.values()), 'two rows are one'


class TestClaims:
    def test_one_of_many_has_it(self, tmp_path):
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda _: take_claim(tmp_path, 'run'), range(40)))
        (claim,) = [one for one in taken if one is not None]
        with take_claim(tmp_path, 'another'):
            assert claims.is_claimed(tmp_path, 'another')
        assert not claims.is_claimed(tmp_path, 'another')
        assert take_claim(tmp_path, 'run') is None
        claim.release()
        with take_claim(tmp_path, 'run') as claim:
            assert claim is not None

    def test_of_a_process_that_is_dead(self, tmp_path):
        dead = subprocess.run(
            [sys.executable, '-c', 'import os; print(os.getpid())'], capture_output=True, check=True
        )
        owner = dict(host=socket.gethostname(), process=int(dead.stdout), run='run')
        (tmp_path / 'run.json').write_text(json.dumps(owner))
        assert not claims.is_claimed(tmp_path, 'run')
        with take_claim(tmp_path, 'run') as claim:
            assert claim is not None

    def test_of_another_machine_that_went_silent(self, tmp_path):
        path = tmp_path / 'run.json'
        path.write_text(json.dumps(dict(host='elsewhere', process=1, run='run')))
        assert take_claim(tmp_path, 'run') is None
        silent = time.time() - claims.STALE_AFTER - 5
        os.utime(path, (silent, silent))
        with take_claim(tmp_path, 'run') as claim:
            assert claim is not None

    def test_it_gives_signs_of_life(self, tmp_path, monkeypatch):
        monkeypatch.setattr(claims, 'BEAT', 0.05)
        with take_claim(tmp_path, 'run'):
            path = tmp_path / 'run.json'
            os.utime(path, (0, 0))
            deadline = time.time() + 60
            while path.stat().st_mtime == 0 and time.time() < deadline:
                time.sleep(0.02)
            assert path.stat().st_mtime > 0

    def test_a_claim_that_cannot_be_read_is_one_until_it_is_old(self, tmp_path):
        path = tmp_path / 'run.json'
        path.write_text('{"host": "els')
        assert take_claim(tmp_path, 'run') is None
        os.utime(path, (0, 0))
        with take_claim(tmp_path, 'run') as claim:
            assert claim is not None


def fake_run(monkeypatch, fails=()):
    """Replace training by writing a result; returns the list of runs that were done."""
    done = []

    def run(path, out, row, seed):
        done.append((row, seed))
        if row in fails:
            return 1
        grid = read_grid(path)
        folder = schedule.run_folder(out, row, seed)
        (folder / 'work').mkdir(parents=True, exist_ok=True)
        (folder / 'work' / 'epoch_1.pth').write_bytes(b'')
        (folder / 'work' / 'last_checkpoint').write_text(str(folder / 'work' / 'epoch_1.pth'))
        result = dict(
            fingerprint=fingerprint(row_config(grid[row], seed)),
            figures={'search/all/mAP': 0.5},
            train_seconds=1,
        )
        (folder / 'result.json').write_text(json.dumps(result))
        return 0

    monkeypatch.setattr(schedule, 'run_in_process', run)
    return done


class TestSchedule:
    def work(self, path, out, **options):
        grid = read_grid(path)
        return schedule.work_through(path, grid, out, all_runs(grid), lambda line: None, **options)

    def test_start_comes_first_and_nothing_is_done_twice(self, tmp_path, monkeypatch):
        path = write_grid(
            tmp_path / 'grid.py',
            "start = 's'\nseeds = [0, 1]\nrows = {'a': {}, 's': {'seeds': [3]}}",
        )
        done = fake_run(monkeypatch)
        assert self.work(path, tmp_path / 'out', wait=0.01) == []
        assert done[0] == ('s', 3)
        assert sorted(done[1:]) == [('a', 0), ('a', 1)]
        cfg = Config.fromfile(tmp_path / 'out' / 'a' / 'seed_1' / 'config.py')
        assert cfg.load_from == str(tmp_path / 'out' / 's' / 'seed_3' / 'work' / 'epoch_1.pth')
        assert cfg.randomness.seed == 1
        assert self.work(path, tmp_path / 'out') == []
        assert len(done) == 3

    def test_a_row_that_is_no_config_is_told_before_the_first_run(self, tmp_path, monkeypatch):
        path = write_grid(tmp_path / 'grid.py', "rows = {'a': {}, 'b': {'options': {'no.one': 1}}}")
        done = fake_run(monkeypatch)
        with pytest.raises(ConfigError, match=r'no\.one is neither a setting'):
            self.work(path, tmp_path / 'out')
        assert done == []

    def test_a_failed_run_stops_no_other(self, tmp_path, monkeypatch):
        path = write_grid(tmp_path / 'grid.py', "rows = {'a': {}, 'b': {'start': 'a'}, 'c': {}}")
        done = fake_run(monkeypatch, fails=['a'])
        assert self.work(path, tmp_path / 'out', wait=0.01) == ['a/seed_0', 'b/seed_0']
        assert done == [('a', 0), ('c', 0)]

    def test_models_of_another_row_are_waited_for(self, tmp_path, monkeypatch):
        """Each seed for its own, and its config names the weights."""
        path = write_grid(
            tmp_path / 'grid.py',
            "seeds = [0, 1]\neach_seed = {'model.reid.roi_size': [(6, 3), (4, 2)]}\n"
            "rows = {'b': {'weights_of': 'a', 'options': {'model.reid.head.feature': 'source'}}, "
            "'a': {}}",
        )
        done = fake_run(monkeypatch)
        assert self.work(path, tmp_path / 'out', wait=0.01) == []
        assert done == [('a', 0), ('a', 1), ('b', 0), ('b', 1)]
        for seed, size in ((0, (6, 3)), (1, (4, 2))):
            cfg = Config.fromfile(tmp_path / 'out' / 'b' / f'seed_{seed}' / 'config.py')
            weights = tmp_path / 'out' / 'a' / f'seed_{seed}' / 'work' / 'epoch_1.pth'
            assert cfg.load_from == str(weights)
            assert (cfg.model.reid.roi_size, cfg.model.reid.head.feature) == (size, 'source')

    def test_models_of_a_failed_row_are_not_tested(self, tmp_path, monkeypatch):
        path = write_grid(tmp_path / 'grid.py', "rows = {'b': {'weights_of': 'a'}, 'a': {}}")
        done = fake_run(monkeypatch, fails=['a'])
        assert self.work(path, tmp_path / 'out', wait=0.01) == ['a/seed_0', 'b/seed_0']
        assert done == [('a', 0)]

    def test_a_run_of_somebody_else_is_waited_for(self, tmp_path, monkeypatch):
        path = write_grid(tmp_path / 'grid.py', "rows = {'a': {}, 'b': {}}")
        done = fake_run(monkeypatch)
        claim = take_claim(tmp_path / 'out' / 'claims', 'a.seed_0')
        monkeypatch.setattr(schedule.time, 'sleep', lambda seconds: claim.release())
        assert self.work(path, tmp_path / 'out') == []
        assert done == [('b', 0), ('a', 0)], 'its owner gave it up'

    def test_a_row_that_was_changed_since(self, tmp_path, monkeypatch):
        path = write_grid(tmp_path / 'grid.py', "rows = {'a': {}}")
        fake_run(monkeypatch)
        self.work(path, tmp_path / 'out')
        write_grid(path, "rows = {'a': {'options': {'model.reid.roi_size': (2, 2)}}}")
        with pytest.raises(ConfigError, match='another config'):
            self.work(path, tmp_path / 'out')


def test_the_same_run_of_another_machine_is_recognised(tmp_path, monkeypatch):
    """Its data and weights lie elsewhere."""
    path = tmp_path / 'grid.py'
    path.write_text("config = 'configs/clsa/clsa_mbv2_mot2pets.py'\nrows = {'a': {}}")
    row = read_grid(path)['a']
    folder = run_module.run_folder(tmp_path, 'a', 0)
    folder.mkdir(parents=True)

    def planned(**places):
        for name in ('DATA', 'WEIGHTS'):
            monkeypatch.delenv(f'MMCLSA_{name}', raising=False)
        for name, place in places.items():
            monkeypatch.setenv(f'MMCLSA_{name}', place)
        return row_config(row, 0)

    plain = fingerprint(planned())
    elsewhere = [dict(DATA='/a/data', WEIGHTS='/a/w/'), dict(DATA='b'), dict(WEIGHTS='c')]
    one_folder = [dict(DATA='/a', WEIGHTS='/a/'), dict(DATA='/a', WEIGHTS='/a/w')]
    for places in ({}, *elsewhere, *one_folder):
        cfg = planned(**places)
        assert fingerprint(at_default_places(cfg)) == plain
        assert (fingerprint(cfg) == plain) == (not places)
        for written in (plain, fingerprint(cfg)):  # the latter by an older mmclsa
            (folder / 'result.json').write_text(json.dumps(dict(fingerprint=written)))
            assert run_module.finished(tmp_path, row, 0) == dict(fingerprint=written)


def test_a_config_edited_during_a_run_is_not_the_one_it_was_made_with(tmp_path, monkeypatch):
    config = tmp_path / 'config.py'
    config.write_text(f'_base_ = {str(REPO / CONFIG)!r}\n')
    path = tmp_path / 'grid.py'
    path.write_text(f"config = {str(config)!r}\nrows = {{'a': {{}}}}\n")
    row = read_grid(path)['a']
    before = fingerprint(row_config(row, 0))

    class Runner:
        model = None

        def train(self):
            config.write_text(config.read_text() + 'max_epochs = 9\n')

        def test(self):
            return {'search/all/mAP': 0.5}

    monkeypatch.setattr(run_module, 'build_runner', lambda cfg: Runner())
    monkeypatch.setattr(run_module, 'check_load_from', lambda *args: None)
    result = train_and_test(write_run(tmp_path / 'out', row, 0, None), row, 0)
    assert fingerprint(row_config(row, 0)) != before, 'the edit counts'
    assert result['fingerprint'] == before


def test_a_tiny_grid_from_end_to_end(tmp_path):
    """A row that starts from the other; killed in the middle of a run, and gone on with."""
    out = tmp_path / 'out'
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(REPO)}
    command = [sys.executable, TOOL, str(TINY), '--out', str(out)]
    process = subprocess.Popen(
        command, cwd=REPO, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.time() + 240
    while not (out / 'clip-apart' / 'seed_3' / 'config.py').exists():
        assert process.poll() is None
        assert time.time() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait(60)
    assert (out / 'claims' / 'clip-apart.seed_3.json').exists(), 'left by the killed process'
    result = run_tool_forked(TOOL, TINY, '--out', out, PYTHONPATH=str(REPO))
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'today/seed_3 begins' not in result.stdout, 'it was finished'
    assert '| clip-apart |' in result.stdout

    with open(out / 'runs.csv', newline='') as stream:
        runs = {(run['row'], run['seed']): run for run in csv.DictReader(stream)}
    assert set(runs) == {('today', '3'), ('clip-apart', '3')}
    for (row, seed), run in runs.items():
        queries = load_query_figures(out / row / f'seed_{seed}' / 'queries.npz')
        mean = np.nanmean(queries.average_precisions)
        assert float(run['search/all/mAP']) == pytest.approx(mean, abs=1e-5)
        assert queries.by_height.shape == (2, len(queries.query_ids))
    assert json.loads(runs['clip-apart', '3']['options'])['optim_wrapper.constructor']
    assert not list((out / 'claims').glob('*.json')), 'given up'


def test_wrong_command_lines(tmp_path):
    assert_user_error(run_tool_forked(TOOL, tmp_path / 'no.py', '--out', tmp_path), 'no.py')
    assert_user_error(run_tool_forked(TOOL, TINY, '--out', tmp_path, '--rows', 'nobody'), 'nobody')


def test_folds_and_borrowed_models_from_end_to_end(tmp_path, monkeypatch):
    """Two folds; a row is trained, and the other tests its models."""
    done = []

    def run(path, out, row, seed):
        done.append((row, seed))
        train_and_test(schedule.run_folder(out, row, seed), read_grid(path)[row], seed)
        return 0

    monkeypatch.chdir(REPO)
    monkeypatch.setattr(schedule, 'run_in_process', run)
    grid = read_grid(FOLDS)
    assert schedule.work_through(FOLDS, grid, tmp_path, all_runs(grid), print, wait=0.01) == []
    assert done == [('three', 0), ('three', 1), ('low', 0), ('low', 1)]
    assert not (tmp_path / 'low' / 'seed_0' / 'work' / 'last_checkpoint').exists(), 'not trained'

    runs = {(run.row, run.seed): run for run in collect_runs(grid, tmp_path)}
    three, low = runs['three', 0].queries, runs['low', 0].queries
    assert np.array_equal(three.query_ids, low.query_ids)
    assert not np.array_equal(three.average_precisions, low.average_precisions)
    assert len(runs['three', 1].queries.query_ids) != len(three.query_ids)

    tables = write_results(grid, tmp_path)
    assert (tmp_path / 'tables.md').read_text() == tables + '\n'
    lines = [line.split('|')[1].strip() for line in tables.splitlines() if line]
    assert lines.count('low') == lines.count('three') == 3
    for name in ('differences.png', 'heights.png'):
        assert cv2.imread(str(tmp_path / name)).std() > 1
    mean = np.concatenate([runs['three', s].queries.average_precisions for s in (0, 1)]).mean()
    assert f'{100 * mean:.1f} (' in tables


def test_queries_of_another_protocol_than_the_task(tmp_path, monkeypatch):
    path = write_grid(tmp_path / 'grid.py', "baseline = 'a'\ntask = 'late'\nrows = {'a': {}}")
    grid, folder = read_grid(path), schedule.run_folder(tmp_path, 'a', 0)
    folder.mkdir(parents=True)
    values = np.array([0.5, np.nan, 1.0])
    save_query_figures(
        folder / 'queries.npz',
        QueryFigures(*[np.arange(3)] * 2, values, np.ones(3), *[values[None], np.zeros(0)] * 2),
    )
    result = dict.fromkeys(('config', 'commit', 'train_seconds', 'test_seconds'), '')
    result['fingerprint'], result['options'] = fingerprint(row_config(grid['a'], 0)), {}
    result['figures'] = {'search/early/mAP': 0.75, 'search/late/mAP': 0.25}
    (folder / 'result.json').write_text(json.dumps(result))
    with pytest.raises(DataError, match=r'a/seed_0 has an mAP of 0\.75.* is 0\.25'):
        collect_runs(grid, tmp_path)
    early = dataclasses.replace(grid, task='early')
    assert collect_runs(early, tmp_path)[0].figure('mAP') == 0.75


def test_curves_are_over_the_seeds_that_all_pictured_rows_have():
    runs = [
        Trained(row, seed, {}, None, {})
        for row, seed in (('a', 0), ('a', 1), ('b', 1), ('b', 2), ('c', 7))
    ]
    shared = results._shared_seeds(runs, ['a', 'b'])
    assert [(run.row, run.seed) for run in shared] == [('a', 1), ('b', 1)]
    assert results._shared_seeds(runs, ['a', 'c']) == []
    assert results._shared_seeds(runs, []) == []
