"""The grids of docs/alignment.md: every row is a model of its own, and can be repeated alone."""

from __future__ import annotations

import pytest
from mmengine.registry import init_default_scope

from mmclsa.engine.ablation import all_runs, chosen_runs, read_grid, row_config
from mmclsa.engine.ablation.grid import fingerprint
from mmclsa.engine.config_variables import files_read_once
from mmclsa.registry import MODELS
from tests.helpers import REPO

GRIDS = REPO / 'tools' / 'analysis_tools' / 'grids'


def parameters(reid):
    return sum(p.numel() for part in (reid.neck, reid.head) for p in part.parameters())


@pytest.mark.parametrize('name', ['crops_real', 'crops_drawn', 'scenes_drawn', 'mot2pets'])
def test_every_row_is_a_config_of_its_own(name):
    prints = {}
    with files_read_once():
        for row in read_grid(GRIDS / f'{name}.py').rows:
            key = fingerprint(row_config(row, row.seeds[0])), row.weights_of
            prints.setdefault(key, []).append(row.name)
    assert all(len(names) == 1 for names in prints.values()), 'two rows are one'


@pytest.mark.parametrize('name', ['crops_real', 'crops_drawn'])
def test_the_wide_row_has_the_parameters_of_three_levels(name, monkeypatch):
    init_default_scope('mmclsa')
    grid = read_grid(GRIDS / f'{name}.py')
    found = {}
    for row in ('three', 'one', 'one-wide'):
        reid = row_config(grid[row], 0).model.reid
        reid.backbone.init_cfg = None
        found[row] = parameters(MODELS.build(reid))
    assert found['one-wide'] == pytest.approx(found['three'], rel=0.02)
    assert found['one'] < 0.6 * found['three']


def test_each_seed_of_the_real_bed_searches_other_sequences():
    row = read_grid(GRIDS / 'crops_real.py')['clsa']
    searched, trained = [], []
    for seed in row.seeds:
        cfg = row_config(row, seed)
        searched.append(cfg.test_dataloader.dataset.dataset.sequences)
        trained.append(cfg.train_dataloader.dataset.dataset.sequences)
    everything = sorted(sequence for fold in searched for sequence in fold)
    assert len(everything) == len(set(everything)) == 8
    for fold, others in zip(searched, trained):
        assert sorted([*fold, *others]) == everything


def test_a_row_alone_brings_what_it_needs():
    grid = read_grid(GRIDS / 'scenes_drawn.py')
    chosen = [(row.name, seed) for row, seed in chosen_runs(grid, ['clsa'])]
    assert chosen == [('start', 0), *(('clsa', seed) for seed in range(5))]
    grid = read_grid(GRIDS / 'mot2pets.py')
    chosen = {(row.name, seed) for row, seed in chosen_runs(grid, ['plain-clsa-gt'])}
    assert chosen == {(n, s) for n in ('plain-clsa', 'plain-clsa-gt') for s in range(3)}
    everything = [row.name for row in grid.rows]
    assert chosen_runs(grid, everything) == all_runs(grid)
