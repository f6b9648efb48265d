"""Figures of levels: measured on made-up levels, kept, and put into tables."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from mmclsa.errors import DataError, UserError
from mmclsa.evaluation.functional import SearchFlags, evaluate_search
from mmclsa.evaluation.level_figures import (
    gains_csv,
    levels_tables,
    load_level_figures,
    measure_levels,
    pairs_csv,
    save_level_figures,
)
from tests.test_evaluation.cases import continuous, make_case


def case(seed=1, levels=3, same=False, images=12):
    """A task, predictions of several levels side by side, and their logits."""
    _, task, found = make_case(seed, images=images, queries=8)
    parts = [continuous(0 if same else level, found) for level in range(levels)]
    both = replace(
        parts[0],
        context=None,
        embeddings=np.hstack([part.embeddings for part in parts]),
        query_embeddings=np.hstack([part.query_embeddings for part in parts]),
    )
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(20, 5))
    return task, both, [first if same else rng.normal(size=(20, 5)) for _ in range(levels)]


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_levels_that_are_the_same_add_nothing():
    figures = measure_levels(*case(same=True))
    assert figures.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    for place in range(3):
        means = figures.of_pair(place)
        assert means['js'] == pytest.approx(0, abs=1e-12)
        assert means['kl'] == pytest.approx(0, abs=1e-12)
        assert means['spearman'] == means['overlap'] == means['same_nearest'] == 1
    gain = figures.gain
    assert gain.gain == pytest.approx(0)
    assert gain.oracle == pytest.approx(gain.concatenation)
    assert gain.oracle_top1 == gain.top1[0]


def test_levels_that_differ():
    task, both, logits = case()
    figures = measure_levels(task, both, logits)
    assert figures.js.shape == figures.kl.shape == (3, 20)
    assert figures.spearman.shape == figures.overlap.shape == (3, 8)
    assert figures.precisions.shape == figures.ranks.shape == (4, 8)
    dims = both.embeddings.shape[1] // 3
    for level in range(3):
        own = slice(level * dims, (level + 1) * dims)
        alone = replace(
            both,
            context=None,
            embeddings=both.embeddings[:, own],
            query_embeddings=both.query_embeddings[:, own],
        )
        expected = evaluate_search(task, alone, SearchFlags(similarity='cosine'))
        assert figures.precisions[level] == pytest.approx(expected.average_precisions)
    # The higher level is the source: a flat low one is missed by what the high one says.
    flat = measure_levels(
        task, both, [np.zeros((20, 5)), np.zeros((20, 5)), 99 * np.eye(5)[[0] * 20]]
    )
    assert flat.of_pair(1)['kl'] == pytest.approx(np.log2(5))


def test_queries_that_do_not_count_are_left_out():
    task, both, logits = case(images=4)
    flags = SearchFlags(missing_query='skip')
    result = evaluate_search(task, both, flags)
    assert 0 < result.num_counted < len(task)
    figures = measure_levels(task, both, logits, flags)
    assert figures.precisions.shape[1] == figures.spearman.shape[1] == result.num_counted


def test_one_level_has_no_pair():
    figures = measure_levels(*case(levels=1))
    assert len(figures.pairs) == len(figures.js) == len(figures.spearman) == 0
    assert figures.gain.gain == pytest.approx(0)
    assert read(pairs_csv({('one', 0): figures})) == []
    assert '| one ' in levels_tables({('one', 0): figures})


def test_they_are_kept_for_the_same_model_alone(tmp_path):
    figures = measure_levels(*case())
    path = tmp_path / 'figures.npz'
    assert load_level_figures(path, 'a') is None
    save_level_figures(path, figures, 'a')
    again = load_level_figures(path, 'a')
    for name, array in vars(figures).items():
        assert np.array_equal(getattr(again, name), array, equal_nan=True)
    assert load_level_figures(path, 'b') is None
    path.write_bytes(b'PK\x03\x04')
    with pytest.raises(DataError, match=r'figures\.npz has no figures of levels'):
        load_level_figures(path, 'a')


def test_tables():
    runs = {('clsa', seed): measure_levels(*case(seed)) for seed in (1, 3)}
    runs['three', 1] = measure_levels(*case(5))
    pairs, gains = read(pairs_csv(runs)), read(gains_csv(runs))
    assert [(line['row'], line['seed'], line['levels']) for line in pairs[:4]] == [
        ('clsa', '1', '0-1'), ('clsa', '1', '0-2'), ('clsa', '1', '1-2'), ('clsa', '3', '0-1'),
    ]  # fmt: skip
    assert float(pairs[1]['js']) == pytest.approx(runs['clsa', 1].js[1].mean(), abs=1e-6)
    of_run = {line['descriptor']: line for line in gains if line['row'] == 'three'}
    assert list(of_run) == ['level_0', 'level_1', 'level_2', 'concatenation', 'oracle']
    best = max(float(of_run[f'level_{level}']['mAP']) for level in range(3))
    gain = float(of_run['concatenation']['mAP_over_best_level'])
    assert gain == pytest.approx(float(of_run['concatenation']['mAP']) - best, abs=2e-6)
    assert float(of_run['oracle']['mAP_over_best_level']) >= 0
    text = levels_tables(runs)
    mean = np.mean([runs['clsa', seed].js[0].mean() for seed in (1, 3)])
    line = next(line for line in text.splitlines() if line.startswith('| clsa'))
    assert [cell.strip() for cell in line.split('|')[1:5]] == ['clsa', '2', '0, 1', f'{mean:.3f}']
    runs['three', 2] = measure_levels(*case(levels=2))
    with pytest.raises(UserError, match='the runs of three have different numbers of levels'):
        levels_tables(runs)
