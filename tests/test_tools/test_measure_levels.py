"""Levels of trained models: the tool's figures are those of testing each level by itself."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest
import torch

from mmclsa.evaluation.functional import js_divergences
from mmclsa.structures import Predictions
from tests.test_tools.narrow import few_crops, few_scenes, leave_model

TOOL, TEST = 'tools/analysis_tools/measure_levels.py', 'tools/test.py'


def grid_run(out, row, seed, cfg):
    """Leave what run_ablation.py leaves of a run."""
    folder = out / row / f'seed_{seed}'
    leave_model(cfg, folder / 'work', seed)
    cfg.dump(folder / 'config.py')
    (folder / 'result.json').write_text(json.dumps(dict(row=row, seed=seed)))
    return folder


def read(path):
    with open(path, newline='') as stream:
        return list(csv.DictReader(stream))


def by_descriptor(path):
    return {line['descriptor']: line for line in read(path)}


def one_level(run_tool_here, folder, feature, tmp_path):
    """Test with one level as descriptor; return its mAP, top-1 and predictions."""
    base = tmp_path / feature
    run_tool_here(
        TEST, folder / 'config.py', folder / 'work' / 'epoch_1.pth', '--work-dir', base,
        '--json', base / 'f.json', '--out', base / 'p.npz',
        '--cfg-options', f'model.reid.head.feature={feature}',
    )  # fmt: skip
    figures = json.loads((base / 'f.json').read_text())
    ends = {name.rsplit('/', 1)[1]: value for name, value in figures.items()}
    return ends['mAP'], ends['top1'], Predictions.load(base / 'p.npz')


def level_logits(weights, scale, level, found):
    """Let the classifier of a level look at everybody's unit vectors."""
    prefix = f'reid.head.id_losses.{level}.'
    rows = weights.get(f'{prefix}classifier.weight')
    rows = weights[f'{prefix}memory.table'] if rows is None else rows
    rows = rows.numpy() / np.linalg.norm(rows.numpy(), axis=1, keepdims=True)
    return scale * np.concatenate([found.embeddings, found.query_embeddings]) @ rows.T


@pytest.mark.parametrize('make', [few_crops, few_scenes])
def test_each_level_is_as_if_it_were_tested_alone(tmp_path, run_tool_here, make):
    cfg = make()
    folder = grid_run(tmp_path / 'grid', 'clsa', 0, cfg)
    out = tmp_path / 'out'
    told = run_tool_here(TOOL, folder, '--out', out)
    assert 'clsa/seed_0 (1 of 1)' in told
    assert '| clsa' in told
    found = by_descriptor(out / 'levels.csv')
    alone = {}
    for feature in ('level_0', 'source', 'concat'):
        name = {'source': 'level_2', 'concat': 'concatenation'}.get(feature, feature)
        precision, top1, alone[name] = one_level(run_tool_here, folder, feature, tmp_path)
        assert float(found[name]['mAP']) == pytest.approx(precision, abs=2e-6)
        assert float(found[name]['top1']) == pytest.approx(top1, abs=2e-6)
    pairs = {line['levels']: line for line in read(out / 'pairs.csv')}
    assert list(pairs) == ['0-1', '0-2', '1-2']
    assert cv2.imread(str(out / 'levels.png')).shape[0] > 300
    # A classifier of cosines tells the same from unit vectors as from the embeddings.
    weights = torch.load(folder / 'work' / 'epoch_1.pth', weights_only=True)['state_dict']
    scale = cfg.model.reid.head.loss_id.get('cosine_scale') or cfg.model.reid.head.loss_id.scale
    logits = [
        level_logits(weights, scale, level, alone[name])
        for level, name in ((0, 'level_0'), (2, 'level_2'))
    ]
    divergence = js_divergences(*logits).mean()
    assert divergence > 1e-3
    assert float(pairs['0-2']['js']) == pytest.approx(divergence, abs=1e-5)


def test_what_is_measured_is_not_measured_again(tmp_path, run_tool_here):
    grid, out = tmp_path / 'grid', tmp_path / 'out'
    first = grid_run(grid, 'clsa', 0, few_crops())
    running = grid / 'clsa' / 'seed_1'
    running.mkdir()
    few_crops().dump(running / 'config.py')
    told = run_tool_here(TOOL, first, running, '--out', out)
    assert f'{running} is left out, as it has no weights of a finished training' in told
    kept = out / 'clsa' / 'seed_0.npz'
    before = kept.stat().st_mtime_ns
    second = tmp_path / 'three'  # a work dir of train.py
    cfg = few_crops()
    leave_model(cfg, second, 7)
    cfg.dump(second / 'clsa-twostep_yolox-narrow_1xb32-8e_synthetic-hard-crops.py')
    run_tool_here(TOOL, first, second, '--out', out)
    assert kept.stat().st_mtime_ns == before
    rows = {(line['row'], line['seed']) for line in read(out / 'levels.csv')}
    assert rows == {('clsa', '0'), ('three', '0')}
    leave = first / 'work' / 'epoch_1.pth'
    state = torch.load(leave, weights_only=True)
    state['state_dict']['reid.head.levels.0.projection.weight'].normal_()
    torch.save(state, leave)
    run_tool_here(TOOL, first, '--out', out)
    assert kept.stat().st_mtime_ns > before, 'the weights are others'


def test_wrong_command_lines(tmp_path, run_tool_to_its_error):
    out = tmp_path / 'out'
    assert f'{tmp_path / "no"} must be a folder' in run_tool_to_its_error(
        TOOL, tmp_path / 'no', '--out', out
    )
    running = tmp_path / 'running'
    running.mkdir()
    few_crops().dump(running / 'config.py')
    message = run_tool_to_its_error(TOOL, running, '--out', out)
    assert f'none of {running} is a finished run' in message
    runs = [grid_run(tmp_path / grid, 'clsa', 0, few_crops()) for grid in ('a', 'b')]
    message = run_tool_to_its_error(TOOL, *runs, '--out', out)
    assert 'two of the runs are called clsa/seed_0' in message


def test_averaged_views_are_refused(tmp_path, run_tool_to_its_error):
    run = grid_run(tmp_path / 'a', 'clsa', 0, few_crops())
    options = ('--cfg-options', 'model.reid.flip_test=True')
    message = run_tool_to_its_error(TOOL, run, '--out', tmp_path / 'out', *options)
    assert 'set model.reid.flip_test=False' in message
