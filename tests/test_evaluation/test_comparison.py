"""Tables of trained models, and the files of single queries that they are made of."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from mmclsa.errors import DataError
from mmclsa.evaluation.comparison import Trained, compare_rows, heights_table, rows_table, to_csv
from mmclsa.evaluation.functional import SearchFlags, by_height, evaluate_search
from mmclsa.evaluation.query_figures import (
    QueryFigures,
    load_query_figures,
    query_figures,
    save_query_figures,
)
from tests.test_evaluation.cases import make_case

PEOPLE = np.arange(20) // 2


def trained(row, seed, precisions, low=None):
    precisions = np.asarray(precisions, float)
    low = precisions if low is None else np.asarray(low, float)
    figures = {
        'search/all/mAP': float(precisions.mean()),
        'search/all/top1': 0.25,
        'search/detection/ap': 0.5,
        'search/detection/recall': 0.75,
    }
    queries = QueryFigures(
        query_ids=np.arange(20),
        person_ids=PEOPLE,
        average_precisions=precisions,
        ranks=np.ones(20, int),
        by_height=np.stack([low, precisions]),
        edges=np.array([40.0]),
    )
    return Trained(row, seed, figures, queries, {'commit': 'abc'})


def runs():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.2, 0.6, (3, 20))
    found = [trained('base', seed, base[seed]) for seed in range(3)]
    found += [trained('better', s, base[s] + 0.2, low=base[s] - 0.1) for s in range(3)]
    return [*found, trained('same', 1, base[1])]


def cells(table):
    return [[cell.strip() for cell in line.split('|')[1:-1]] for line in table.splitlines()]


def test_rows():
    lines = cells(rows_table(runs(), 'base', ['base', 'better', 'same', 'not trained']))
    assert [line[0] for line in lines[2:]] == ['base', 'better', 'same']
    by_name = {line[0]: dict(zip(lines[0], line)) for line in lines[2:]}
    means = [100 * run.queries.average_precisions.mean() for run in runs()[:3]]
    shown = f'{np.mean(means):.1f} ({min(means):.1f} to {max(means):.1f})'
    assert by_name['base']['mAP'] == shown
    assert by_name['base']['p (people)'] == ''
    assert by_name['better']['difference of mAP'] == '+20.0'
    assert by_name['better']['each seed'] == '+20.0 +20.0 +20.0'
    # Ten people, all better: 2 / 2^10, twice for two comparisons.
    assert float(by_name['better']['p (people)']) == pytest.approx(2 * 2 / 2**10, abs=5e-4)
    assert by_name['same']['p (people)'] == '1.000'
    assert by_name['same']['seeds'] == '1'


def test_heights():
    lines = cells(heights_table(runs(), 'base', ['base', 'better', 'same']))
    assert lines[0] == ['row', 'below 40 px', '40 px and more']
    assert lines[3] == ['better', '-10.0 *', '+20.0 *']
    assert lines[4] == ['same', '+0.0', '+0.0']


def test_only_seeds_that_both_have_are_compared():
    found = compare_rows(runs(), 'base')
    assert len(found['same'].per_seed) == 1
    assert found['same'].mean == 0
    assert 'base' not in found


def test_csv_has_all_runs():
    lines = list(csv.DictReader(io.StringIO(to_csv(runs()))))
    assert [(line['row'], line['seed']) for line in lines[-2:]] == [('better', '2'), ('same', '1')]
    low = runs()[5].queries.by_height[0].mean()
    assert float(lines[5]['mAP_from_0px']) == pytest.approx(low, abs=1e-6)
    assert lines[0]['commit'] == 'abc'


def test_mistakes():
    with pytest.raises(DataError, match='baseline'):
        heights_table(runs(), 'nobody', ['base'])
    other = trained('other', 0, np.zeros(20))
    other.queries.query_ids[3] = 99
    with pytest.raises(DataError, match='different queries'):
        compare_rows([*runs(), other], 'base')
    with pytest.raises(DataError, match='nothing'):
        runs()[0].figure('nothing')


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
