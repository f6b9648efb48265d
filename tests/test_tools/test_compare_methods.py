"""Methods side by side: the figures are those of testing each, the tests those of literal loops."""

from __future__ import annotations

import itertools
import json
import runpy
import shutil
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import pytest

from mmclsa.evaluation.methods_tables import methods_tables
from mmclsa.evaluation.query_figures import load_query_figures
from tests.helpers import REPO
from tests.test_tools.narrow import few_crops, few_scenes, leave_model

TOOL, TEST = 'tools/analysis_tools/compare_methods.py', 'tools/test.py'
NO_COST = ('--no-cost', '--cfg-options', 'test_dataloader.batch_size=4')


class Trainings:
    """Two methods with two trainings each, on the same drawn scenes."""

    def __init__(self, folder):
        self.folder, self.files = folder, {}
        for place, name in enumerate('ab'):
            cfg = few_scenes()
            if name == 'b':
                cfg.model.reid.head.feature = 'source'
            self.files[name] = [folder / f'{name}.py']
            cfg.dump(folder / f'{name}.py')
            for seed in (0, 1):
                self.files[name].append(
                    leave_model(cfg, folder / name / str(seed), 7 * place + seed)
                )

    def words(self, *names):
        return [word for n in names for word in ('--method', n, *map(str, self.files[n]))]


@pytest.fixture(scope='module')
def trainings(tmp_path_factory):
    return Trainings(tmp_path_factory.mktemp('trainings'))


def compare(run_main, out, *words):
    """Run the tool and read its report."""
    run_main(TOOL, *words, '--out', out, *NO_COST)
    return json.loads((out / 'methods.json').read_text())


@pytest.fixture(scope='module')
def compared(trainings, tmp_path_factory):
    """The report of both, of the first once more, and of what was predicted for it."""
    out = tmp_path_factory.mktemp('compared')

    def run_main(script, *words):
        with patch('sys.argv', [str(script), *map(str, words)]):
            assert runpy.run_path(str(REPO / script), run_name='tool')['main']() == 0

    compare(run_main, out, *trainings.words('a', 'b'))
    predicted = [out / 'methods' / 'a' / f'run_{seed}' / 'predictions.npz' for seed in (0, 1)]
    trainings.files['again'] = [trainings.files['a'][0], *predicted]
    return out, compare(run_main, out, *trainings.words('a', 'b', 'again'))


def queries(out, name, seed):
    return load_query_figures(out / 'methods' / name / f'run_{seed}' / 'queries_all.npz')


def test_figures_of_each_query_are_those_of_test_py(trainings, compared, tmp_path, run_tool_here):
    out, report = compared
    config, *weights = trainings.files['b']
    for seed, file in enumerate(weights):
        run_tool_here(
            TEST, config, file, '--work-dir', tmp_path, '--json', tmp_path / 'f.json',
            '--cfg-options', f'test_evaluator.query_outfile={tmp_path / "q.npz"}',
        )  # fmt: skip
        ours, theirs = queries(out, 'b', seed), load_query_figures(tmp_path / 'q.npz')
        for name in vars(theirs):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), name)
        told = json.loads((tmp_path / 'f.json').read_text())
        assert {
            f'search/{k}': v for k, v in report['methods']['b']['runs'][seed]['figures'].items()
        } == (pytest.approx(told, abs=1e-12))
    assert 0.01 < report['methods']['b']['figures']['all/mAP']['mean'] < 0.99


def literal_p(differences, people):
    """Try every choice of who keeps the sign of the sum of his queries' differences."""
    sums = {}
    for queries_of_seed in differences:
        for value, person in zip(queries_of_seed, people):
            sums[person] = sums.get(person, 0.0) + value
    observed = abs(sum(sums.values()))
    far = total = 0
    for signs in itertools.product((1, -1), repeat=len(sums)):
        total += 1
        far += abs(sum(s * v for s, v in zip(signs, sums.values()))) >= observed - 1e-12
    return far / total


def test_p_is_that_of_all_permutations(compared):
    out, report = compared
    pair = next(p for p in report['pairs'] if (p['one'], p['other']) == ('a', 'b'))
    values = {n: [queries(out, n, s).average_precisions for s in (0, 1)] for n in 'ab'}
    differences = [[x - y for x, y in zip(*both)] for both in zip(values['a'], values['b'])]
    people = queries(out, 'a', 0).person_ids.tolist()
    assert pair['p_queries'] == pytest.approx(literal_p(differences, people), abs=1e-12)
    assert 0 < pair['p_queries'] <= 1
    assert pair['mean'] == pytest.approx(np.mean(differences), abs=1e-12)
    assert pair['per_seed'] == pytest.approx([np.mean(one) for one in differences], abs=1e-12)
    three = sorted(p['p_queries'] for p in report['pairs'])
    assert pair['p_queries_holm'] >= pair['p_queries'] == three[0] or pair['p_queries'] == 1


def test_the_same_weights_under_two_names_differ_by_nothing(compared):
    """The second time its predictions are given: there is no network to run."""
    _, report = compared
    pair = next(p for p in report['pairs'] if (p['one'], p['other']) == ('a', 'again'))
    assert pair['mean'] == 0
    assert pair['per_seed'] == [0, 0]
    assert (pair['p_queries'], pair['p_both'], pair['p_queries_holm']) == (1, 1, 1)
    figures = [report['methods'][name]['figures'] for name in ('a', 'again')]
    assert figures[0] == figures[1]


def test_the_order_of_methods_changes_no_figure(trainings, compared, tmp_path, run_tool_here):
    done, report = compared
    out = Path(shutil.copytree(done, tmp_path / 'out'))
    kept = out / 'methods' / 'a' / 'run_0' / 'predictions.npz'
    before = kept.stat().st_mtime_ns
    turned = compare(run_tool_here, out, *trainings.words('again', 'b', 'a'))
    assert kept.stat().st_mtime_ns == before, 'what was predicted is not predicted again'
    assert list(turned['methods']) == ['again', 'b', 'a']
    assert turned['methods'] == report['methods']
    pairs = {(p['one'], p['other']): p for p in turned['pairs']}
    for pair in report['pairs']:
        other = pairs.get((pair['other'], pair['one']))
        sign = 1 if other is None else -1
        other = other or pairs[pair['one'], pair['other']]
        assert pair['mean'] == sign * other['mean']
        assert pair['per_seed'] == [sign * value for value in other['per_seed']]
        for name in ('p_queries', 'p_both', 'p_queries_holm', 'p_both_holm', 'error'):
            assert pair[name] == pytest.approx(other[name], abs=1e-15)


def test_tables_are_made_of_what_json_says(compared):
    out, report = compared
    text = (out / 'methods.md').read_text()
    assert methods_tables(report, markdown=True) + '\n' == text
    line = next(line for line in text.splitlines() if line.startswith('| b'))
    spread = report['methods']['b']['figures']['all/mAP']
    assert (
        '{:.1f} ({:.1f} to {:.1f})'.format(*(100 * spread[k] for k in ('mean', 'low', 'high')))
        in line
    )
    assert 'p: paired tests' in text
    assert 'ground-truth boxes in place of detections: a, b\n' in text
    assert not (out / 'methods.png').exists(), 'there is no cost to draw'


def test_other_weights_are_tested_again(trainings, compared, tmp_path, run_tool_here):
    out, _ = compared
    words = ['--method', 'one', trainings.files['a'][0]]
    first = compare(run_tool_here, tmp_path / 'o', *words, trainings.files['a'][1])
    other = compare(run_tool_here, tmp_path / 'o', *words, trainings.files['a'][2])
    shown = [r['methods']['one']['runs'][0]['figures']['all/mAP'] for r in (first, other)]
    expected = [queries(out, 'a', seed).average_precisions.mean() for seed in (0, 1)]
    assert shown == pytest.approx(expected, abs=1e-12)
    assert shown[0] != shown[1]
    assert first['pairs'] == []


def test_a_method_that_fails_leaves_the_results_of_others(trainings, tmp_path, monkeypatch, capsys):
    broken = leave_model(few_crops(), tmp_path / 'crops', 0)
    words = ['--method', 'broken', trainings.files['a'][0], broken, *trainings.words('a')]
    monkeypatch.setattr(
        'sys.argv', [TOOL, *map(str, words), '--out', str(tmp_path / 'o'), *NO_COST]
    )
    assert runpy.run_path(str(REPO / TOOL), run_name='tool')['main']() == 1
    error = capsys.readouterr().err
    assert f'error: the method broken failed: the checkpoint {broken}' in error
    report = json.loads((tmp_path / 'o' / 'methods.json').read_text())
    assert list(report['methods']) == ['a']


def test_costs_are_measured_side_by_side(trainings, tmp_path, run_tool_here):
    words = ['--method', 'a', *trainings.files['a'][:2], '--out', tmp_path]
    options = ('--pictures', 2, '--repeats', 2, '--cfg-options', 'model.use_gt_boxes=False')
    told = run_tool_here(TOOL, *words, *options)
    cost = json.loads((tmp_path / 'methods.json').read_text())['methods']['a']['cost']
    assert cost['size'] == [160, 224]
    assert cost['people'] > 1
    assert 0 < cost['flops']['detector'] < cost['flops']['total'] < 1e9
    assert 0 < cost['parameters']['detector'] < cost['parameters']['total'] < 1e6
    assert 0 < cost['ms']['low'] <= cost['ms']['median'] <= cost['ms']['high'] < 5000
    assert 5 < cost['mib'] < 90, 'Python and its libraries do not count'
    assert 'RoIAlignFunction' in told
    assert cv2.imread(str(tmp_path / 'methods.png')).ndim == 3
    kept = tmp_path / 'costs.json'
    before = kept.stat().st_mtime_ns
    run_tool_here(TOOL, *words, *options)
    assert kept.stat().st_mtime_ns == before, 'nothing has changed'


@pytest.mark.parametrize(
    'case', ['scenes', 'rules', 'protocol', 'twice', 'name', 'nothing', 'no weights', 'options']
)
def test_wrong_command_lines(case, trainings, tmp_path, run_tool_to_its_error):
    both, config = trainings.words('a', 'b'), trainings.files['a'][0]
    words, sentence = {
        'scenes': (
            [*both, '--method-options', 'b', 'test_dataloader.dataset.num_scenes=9'],
            'a and b must be tested on the same task, but their configs have 8 images against 9',
        ),
        'rules': (
            [*both, '--method-options', 'b', 'test_evaluator.iou_rule=fixed'],
            'their configs have iou_rule wh10 against fixed',
        ),
        'protocol': ([*both, '--protocol', 'gallery_50'], "must be of all, but is 'gallery_50'"),
        'twice': ([*both, '--method', 'a', config], '--method a is there twice'),
        'name': (['--method', 'a/b', config], "'a/b', which is no name for a folder"),
        'nothing': (['--method', 'a'], '--method a needs a config and checkpoints'),
        'no weights': (['--method', 'a', config, 'no.pth'], 'the weights no.pth of the method a'),
        'options': ([*both, '--method-options', 'c', 'x=1'], "--method-options names 'c'"),
    }[case]
    assert sentence in run_tool_to_its_error(TOOL, *words, '--out', tmp_path, '--no-cost')
