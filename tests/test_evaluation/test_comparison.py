"""Tables of trained models, and the files of single queries that they are made of."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from mmclsa.errors import DataError
from mmclsa.evaluation.comparison import Trained, compare_rows, row_precisions, slices_of
from mmclsa.evaluation.comparison_tables import heights_table, ratios_table, rows_table, to_csv
from mmclsa.evaluation.functional import SearchFlags, by_height, compare_pairs, evaluate_search
from mmclsa.evaluation.query_figures import (
    QueryFigures,
    load_query_figures,
    query_figures,
    save_query_figures,
)
from tests.test_evaluation.cases import make_case

PEOPLE = np.arange(20) // 2
ORDER = ['base', 'better', 'same', 'not trained']
AGAINST = {'better': 'base', 'same': 'base', 'not trained': 'base'}


def trained(row, seed, precisions, low=None, people=PEOPLE, detection=0.5):
    """Bins: below 40 px has ``low``; ratios: the first half, nobody, the second half."""
    precisions = np.asarray(precisions, float)
    low = precisions if low is None else np.asarray(low, float)
    count, nobody = len(precisions), np.full(len(precisions), np.nan)
    first = np.arange(count) < count // 2
    figures = {
        'search/all/mAP': float(np.nanmean(precisions)),
        'search/all/top1': 0.25,
        'search/detection/ap': detection,
        'search/detection/recall': 0.75,
    }
    queries = QueryFigures(
        query_ids=np.arange(count),
        person_ids=np.asarray(people)[:count],
        average_precisions=precisions,
        ranks=np.ones(count, int),
        by_height=np.stack([low, precisions]),
        edges=np.array([40.0]),
        by_ratio=np.stack(
            [np.where(first, precisions, np.nan), nobody, np.where(first, np.nan, precisions)]
        ),
        ratio_edges=np.array([0.5, 2.0]),
    )
    return Trained(row, seed, figures, queries, {'commit': 'abc'})


def runs():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.2, 0.6, (3, 20))
    found = [trained('base', seed, base[seed]) for seed in range(3)]
    found += [trained('better', s, base[s] + 0.2, low=base[s] - 0.1) for s in range(3)]
    return [*found, trained('same', 1, base[1])]


def fold_runs():
    """Two seeds that are folds of 8 and 20 queries; people are numbered from 0 in each."""
    rng = np.random.default_rng(1)
    found = []
    for seed, (count, change) in enumerate(((8, 0.1), (20, 0.4))):
        base = rng.uniform(0.1, 0.5, count)
        noise = 0.01 * rng.normal(size=count)
        found.append(trained('base', seed, base, detection=1.0))
        found.append(trained('better', seed, base + change + noise, detection=1.0))
        found.append(trained('best', seed, base + change, detection=1.0))
    return found


def cells(table):
    return [[cell.strip() for cell in line.split('|')[1:-1]] for line in table.splitlines()]


def by_name(table):
    lines = cells(table)
    return {line[0]: dict(zip(lines[0], line)) for line in lines[2:]}


def test_rows():
    table = rows_table(runs(), AGAINST, ORDER)
    found = by_name(table)
    assert list(found) == ['base', 'better', 'same']
    means = [100 * run.queries.average_precisions.mean() for run in runs()[:3]]
    shown = f'{np.mean(means):.1f} ({min(means):.1f} to {max(means):.1f})'
    assert found['base']['mAP'] == shown
    assert found['base']['p (people)'] == ''
    assert found['better']['difference of mAP'] == '+20.0'
    assert found['better']['each seed'] == '+20.0 +20.0 +20.0'
    # Ten people, all better: 2 / 2^10, twice for two comparisons.
    assert float(found['better']['p (people)']) == pytest.approx(2 * 2 / 2**10, abs=5e-4)
    assert found['same']['p (people)'] == '1.000'
    assert found['same']['seeds'] == '1'
    assert 'against' not in found['base'], 'all have the same counterpart'
    assert found['base']['detection AP'] == '50.0 (50.0 to 50.0)'


def test_a_counterpart_of_its_own():
    other = [trained('other', s, runs()[s].queries.average_precisions + 0.3) for s in range(3)]
    against = {**AGAINST, 'other': 'better'}
    order = [*ORDER, 'other']
    found = by_name(rows_table([*runs(), *other], against, order))
    assert [found[name]['against'] for name in ('base', 'better', 'other')] == [
        '',
        'base',
        'better',
    ]
    assert found['other']['difference of mAP'] == '+10.0'
    # Three comparisons now.
    assert float(found['better']['p (people)']) == pytest.approx(3 * 2 / 2**10, abs=5e-4)
    heights = by_name(heights_table([*runs(), *other], against, order, 'base'))
    assert heights['other']['against'] == 'better'
    assert heights['other']['below 40 px'] == '+40.0 *'
    assert heights['base']['against'] == ''


def test_heights():
    lines = cells(heights_table(runs(), AGAINST, ORDER, 'base'))
    assert lines[0] == ['row', 'below 40 px', '40 px and more']
    assert lines[3] == ['better', '-10.0 *', '+20.0 *']
    assert lines[4] == ['same', '+0.0', '+0.0']


def test_ratios_without_a_bin_that_nobody_has(recwarn):
    """No warning of a mean over nothing, and no comparison is counted for it."""
    all_runs = runs()
    for run in all_runs:
        if run.row == 'same':
            run.queries.by_ratio[2] = np.nan
    lines = cells(ratios_table(all_runs, AGAINST, ORDER, 'base'))
    assert lines[0] == ['row', 'below 0.5', '2 and more']
    assert [line[0] for line in lines[2:]] == ['base', 'better', 'same']
    assert lines[4] == ['same', '+0.0', '-']
    # Five people: 2 / 2^5 is no star, whatever it is corrected by.
    assert lines[3] == ['better', '+20.0', '+20.0']
    halves = [run.queries.average_precisions[:10].mean() for run in all_runs[:3]]
    assert lines[2][1] == f'{100 * np.mean(halves):.1f}'
    to_csv(all_runs)
    assert not [warning for warning in recwarn if warning.category is RuntimeWarning]


def test_an_empty_cell_is_no_comparison():
    """Ten people give 2 / 2^10: a star with 25 comparisons, but not with 26."""
    base = np.full(20, 0.5)
    rows = [trained('base', 0, base)]
    rows += [trained(f'row{k}', 0, base + 0.1) for k in range(13)]
    order = [run.row for run in rows]
    against = dict.fromkeys(order[1:], 'base')
    assert '*' not in heights_table(rows, against, order, 'base')
    rows[1].queries.by_height[1] = np.nan
    found = by_name(heights_table(rows, against, order, 'base'))
    assert found['row0'] == {'row': 'row0', 'below 40 px': '+10.0 *', '40 px and more': '-'}
    assert found['row5']['40 px and more'] == '+10.0 *'


def test_only_seeds_that_both_have_are_compared():
    found = compare_rows(runs(), AGAINST)
    assert list(found) == ['better', 'same']
    assert len(found['same'].per_seed) == 1
    assert found['same'].mean == 0


def test_seeds_that_are_folds():
    """Means are over the queries of all folds, and people of two folds are not the same."""
    found = compare_rows(fold_runs(), {'better': 'base', 'best': 'base'})
    best = found['best']
    assert best.queries == 28
    assert best.mean == pytest.approx((8 * 0.1 + 20 * 0.4) / 28)
    assert best.per_seed == pytest.approx((0.1, 0.4))
    # 4 + 10 people; persons 0 to 3 of both folds as one would leave 10.
    assert best.p_queries == pytest.approx(compare_pairs(*flat('best')).p_queries)
    assert best.p_queries == pytest.approx(1e-4, abs=6e-4)
    table = by_name(rows_table(fold_runs(), {'best': 'base'}, ['base', 'best']))
    values = np.concatenate(row_precisions(fold_runs(), 'base'))
    assert table['base']['mAP'].split()[0] == f'{100 * values.mean():.1f}'
    assert 'detection AP' not in table['base'], 'all have ground-truth boxes'
    heights = by_name(heights_table(fold_runs(), {'best': 'base'}, ['base', 'best'], 'base'))
    assert heights['base']['below 40 px'] == f'{100 * values.mean():.1f}'
    assert heights['best']['below 40 px'] == f'{100 * best.mean:+.1f} *'


def flat(row):
    """Lay the queries of both folds into one seed, with people numbered through."""
    ours, base = (np.concatenate(row_precisions(fold_runs(), name)) for name in (row, 'base'))
    people = np.concatenate([PEOPLE[:8], 100 + PEOPLE])
    return ours[None], base[None], people


def test_folds_that_number_queries_and_people_alike():
    """Heights of the matches tell them apart; the same fold twice is crossed."""
    alike = [trained(row, seed, np.full(20, v)) for seed in (0, 1) for row, v in RISE.items()]
    assert compare_rows(alike, {'better': 'base'})['better'].queries == 20
    for run in alike:
        if run.seed == 1:
            for values in (run.queries.average_precisions, run.queries.by_height.T):
                values[4] = np.nan
    crossed = compare_rows(alike, {'better': 'base'})['better']
    assert crossed.queries == 19, 'a query that does not count for one model makes no fold'
    for run in alike:
        if run.seed == 1:
            run.queries.by_height[0, :4] = np.nan
    assert compare_rows(alike, {'better': 'base'})['better'].queries == 39


RISE = {'base': 0.5, 'better': 0.6}


def test_csv_has_all_runs():
    lines = list(csv.DictReader(io.StringIO(to_csv(runs()))))
    assert [(line['row'], line['seed']) for line in lines[-2:]] == [('better', '2'), ('same', '1')]
    low = runs()[5].queries.by_height[0].mean()
    assert float(lines[5]['mAP_from_0px']) == pytest.approx(low, abs=1e-6)
    ratio = runs()[5].queries.average_precisions[10:].mean()
    assert float(lines[5]['mAP_ratio_from_2']) == pytest.approx(ratio, abs=1e-6)
    assert lines[5]['mAP_ratio_from_0.5'] == ''
    assert lines[0]['commit'] == 'abc'


FIGURES = {
    'search/whole/mAP': 0.1,
    'search/small/mAP': 0.2,
    'search/not-so-small/mAP': 0.3,
    'search/detection/ap': 0.9,
}


class TestFigure:
    def figure(self, name, task='', figures=FIGURES):
        return Trained('a', 3, figures, runs()[0].queries, task=task).figure(name)

    def test_of_the_task(self):
        assert self.figure('mAP', 'small') == 0.2
        assert self.figure('mAP', 'whole') == 0.1
        assert self.figure('detection/ap', 'small') == 0.9
        assert self.figure('mAP', figures={'whole/mAP': 0.1, 'detection/ap': 0.9}) == 0.1
        assert self.figure('mAP', 'whole', {'whole/mAP': 0.1}) == 0.1

    @pytest.mark.parametrize('task', ['', 'large', 'so-small'])
    def test_not_one(self, task):
        with pytest.raises(DataError, match='run a/seed_3 must have one figure that ends in /'):
            self.figure('mAP', task)


def test_mistakes():
    with pytest.raises(DataError, match='baseline'):
        heights_table(runs(), AGAINST, ORDER, 'nobody')
    other = trained('other', 0, np.zeros(20))
    other.queries.query_ids[3] = 99
    with pytest.raises(DataError, match=r'other/seed_0 and base/seed_0 .* different queries'):
        compare_rows([*runs(), other], {'other': 'base'})
    other = trained('other', 0, np.zeros(20), people=PEOPLE + 1)
    with pytest.raises(DataError, match='different queries'):
        compare_rows([*runs(), other], {'other': 'base'})
    other = trained('other', 0, np.zeros(20))
    other.queries.edges[0] = 50
    with pytest.raises(DataError, match='same bins of by_height'):
        slices_of([*runs(), other], 'by_height')


def test_figures_of_queries_are_those_of_the_evaluation(tmp_path):
    """Means over the file's rows are the figures that the evaluation prints."""
    _, protocol, predictions = make_case(seed=3)
    result = evaluate_search(protocol, predictions, SearchFlags())
    edges = [30.0, 60.0]
    save_query_figures(tmp_path / 'q.npz', query_figures(result, protocol, edges))
    figures = load_query_figures(tmp_path / 'q.npz')
    assert np.nanmean(figures.average_precisions) == pytest.approx(result.mean_average_precision)
    for row, stratum in zip(figures.by_height, by_height(result, protocol, edges)):
        assert np.isfinite(row).sum() == stratum.queries
        if stratum.queries:
            assert np.nanmean(row) == pytest.approx(stratum.mAP)
    (tmp_path / 'q.npz').write_bytes(b'PK')
    with pytest.raises(DataError, match=r'q\.npz'):
        load_query_figures(tmp_path / 'q.npz')
