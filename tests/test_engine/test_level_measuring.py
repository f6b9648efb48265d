"""Recording the levels of a model, and finding the runs that have one."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmclsa.engine.hooks import RecordLevelsHook
from mmclsa.engine.level_measuring import level_logits, measure_model, stamp_of
from mmclsa.engine.trained_run import find_run
from mmclsa.errors import ConfigError, DataError
from mmclsa.registry import MODELS
from tests.helpers import REPO
from tests.test_models.builders import NUM_IDENTITIES, head_cfg
from tests.test_models.rivals import build_rival


@pytest.mark.parametrize(
    'loss_id',
    [dict(type='LinearIdentityLoss'), dict(type='OIMLoss', queue_size=4)],
    ids=['linear', 'OIM'],
)
def test_every_level_predicts_the_identities_alone(loss_id):
    """The queue's columns are strangers; a plain linear layer sees the length, too."""
    init_default_scope('mmclsa')
    head = MODELS.build(head_cfg(loss_id=loss_id)).eval()
    for buffer in head.buffers():
        if buffer.ndim == 2:
            buffer.normal_()
    feats = list(torch.randn(3, 5, 16, 4, 2))
    with torch.no_grad():
        embeddings = [after for _, after in head.embed_levels(feats)]
        expected = [
            loss.logits(e)[:, :NUM_IDENTITIES] for loss, e in zip(head.id_losses, embeddings)
        ]
    found = level_logits(head, torch.cat(embeddings, dim=1).numpy())
    assert len(found) == 3
    for logits, right in zip(found, expected):
        assert logits.shape == (5, NUM_IDENTITIES)
        np.testing.assert_allclose(logits, right.numpy(), rtol=1e-6)


def test_a_model_without_levels():
    runner = SimpleNamespace(model=torch.nn.Linear(1, 1))
    with pytest.raises(ConfigError, match='the model is a Linear without one'):
        RecordLevelsHook().before_test(runner)


@pytest.mark.parametrize('name', ['seqnet', 'coat'])
def test_a_rival_has_no_levels_that_identify(name):
    runner = SimpleNamespace(model=build_rival(name))
    head = {'seqnet': 'RoIEmbeddingHead', 'coat': 'CascadeEmbeddingHead'}[name]
    with pytest.raises(ConfigError, match=rf'has a {head}, .* by tools\S+/compare_methods\.py'):
        RecordLevelsHook().before_test(runner)


def test_a_test_that_finds_nobody(tmp_path):
    """No gallery, so nothing is ranked; the predictions of the queries remain."""
    cfg = Config.fromfile(
        REPO / 'configs' / 'clsa' / 'clsa_faster-rcnn-narrow_1xb4-4e_synthetic-hard.py'
    )
    cfg.test_dataloader.dataset.update(num_scenes=8, num_identities=4)
    cfg.test_evaluator.det_thresh = 1.1
    cfg.work_dir = str(tmp_path)
    init_default_scope('mmclsa')
    weights = tmp_path / 'weights.pth'
    torch.save({'state_dict': MODELS.build(cfg.model).state_dict()}, weights)
    figures = measure_model(cfg, str(weights))
    queries = figures.precisions.shape[1]
    assert queries > 0
    assert figures.js.shape == (3, queries)
    assert np.isnan(figures.spearman).all()
    assert figures.gain.oracle_top1 == figures.gain.gain == 0


def test_the_stamp_changes_with_config_and_weights(tmp_path):
    weights = tmp_path / 'a.pth'
    weights.write_bytes(b'1')
    cfg = Config(dict(a=1, work_dir='x'))
    stamp = stamp_of(cfg, str(weights))
    assert stamp_of(Config(dict(a=1, work_dir='y')), str(weights)) == stamp
    assert stamp_of(Config(dict(a=2)), str(weights)) != stamp
    weights.write_bytes(b'12')
    assert stamp_of(cfg, str(weights)) != stamp


class TestFindRun:
    def leave(self, folder, weights='epoch_1.pth'):
        folder.mkdir(parents=True)
        (folder / 'last_checkpoint').write_text(str(folder / weights))
        (folder / weights).write_bytes(b'')
        return folder

    def test_of_a_grid(self, tmp_path):
        folder = tmp_path / 'row' / 'seed_3'
        self.leave(folder / 'work')
        (folder / 'config.py').write_text('a = 1')
        assert find_run(folder) is None, 'weights may be there before the end'
        (folder / 'result.json').write_text(json.dumps(dict(row='clsa', seed=3)))
        run = find_run(folder)
        assert (run.name, run.config) == ('clsa/seed_3', str(folder / 'config.py'))
        assert run.checkpoint == str(folder / 'work' / 'epoch_1.pth')
        (folder / 'work' / 'last_checkpoint').rename(tmp_path / 'away')
        assert find_run(folder) is None, 'it tests the weights of another row'
        (tmp_path / 'away').rename(folder / 'work' / 'last_checkpoint')
        for text in ('{"row": ', '{"row": "clsa"}', '[]'):
            (folder / 'result.json').write_text(text)
            with pytest.raises(DataError, match=r'result\.json'):
                find_run(folder)

    def test_of_train_py(self, tmp_path):
        folder = self.leave(tmp_path / 'mot2pets')
        (folder / 'clsa.py').write_text('randomness = dict(seed=5)')
        assert find_run(folder).name == 'mot2pets/seed_5'
        (folder / 'clsa.py').write_text('a = 1')
        assert find_run(folder).seed == 0

    def test_other_folders(self, tmp_path):
        for folder in (tmp_path / 'none', tmp_path):
            with pytest.raises(ConfigError, match='must be a folder with one config'):
                find_run(folder)
