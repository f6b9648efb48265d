"""tools/test.py --tta, as MMDetection's, for searchers and plain detectors."""

from __future__ import annotations

import json

import numpy as np
import pytest
from mmengine.config import Config

from mmclsa.engine.test_time_augmentation import set_tta
from mmclsa.errors import ConfigError
from mmclsa.structures import Predictions
from tests.helpers import REPO

TINY = 'configs/clsa/clsa_tiny_synthetic.py'
SMALL = {
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
    'test_dataloader.dataset.num_scenes': 4,
    'test_dataloader.dataset.num_identities': 3,
    'randomness.seed': 0,
}
PIPELINE = """
_base_ = [{base!r}]
tta_pipeline = [
    dict(type='LoadSceneImage'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='mmdet.Resize', scale=(256, s), keep_ratio=True) for s in ({scales})],
            [dict(type='LoadPersonAnnotations')],
            [dict(type='PackPersonSearchInputs')],
        ],
    ),
]
"""


@pytest.fixture
def tested(run_tool_here, tmp_path, monkeypatch):
    """Test a config; give its figures and its predictions."""
    monkeypatch.setenv('LOCAL_RANK', '0')

    def run(config, *args, **changes):
        options = [f'{key}={value}' for key, value in {**SMALL, **changes}.items()]
        where = tmp_path / 'p.npz', tmp_path / 'f.json'
        run_tool_here(
            'tools/test.py', config, '--work-dir', tmp_path, '--json', where[1], *args,
            *(['--out', where[0]] if 'clsa' in str(config) or 'own' in str(config) else []),
            '--cfg-options', *options,
        )  # fmt: skip
        found = Predictions.load(where[0]) if where[0].exists() else None
        return json.loads(where[1].read_text()), found

    return run


def test_searcher_by_its_own_pipeline_and_by_the_default(tested, tmp_path):
    """Two equal views give what one gives; a mirror image something else."""
    own = tmp_path / 'own.py'
    own.write_text(PIPELINE.format(base=str(REPO / TINY), scales='192, 192'))
    plain = tested(TINY, '--gt-boxes')
    alike, flipped = (tested(config, '--gt-boxes', '--tta') for config in (own, TINY))
    assert len(plain[1].scores)
    assert alike[0] == pytest.approx(plain[0], abs=1e-6)
    assert np.allclose(alike[1].embeddings, plain[1].embeddings, atol=1e-5)
    assert np.allclose(alike[1].query_embeddings, plain[1].query_embeddings, atol=1e-5)
    assert not np.allclose(flipped[1].query_embeddings, plain[1].query_embeddings, atol=1e-3)
    assert flipped[0].keys() == plain[0].keys()


def test_detector_alone(tested):
    config = 'configs/detectors/faster-rcnn-narrow_1xb4-4e_synthetic-hard.py'
    figures, _ = tested(config, '--tta')
    assert 0 <= figures['detection/ap'] <= 1


@pytest.mark.parametrize(
    ('changes', 'told'),
    [
        (dict(tta_model=dict(type='mmdet.DetTTAModel')), 'drops the embeddings of a PersonSearch'),
        (dict(test_dataloader=None), 'needs a pipeline in test_dataloader.dataset'),
        (
            dict(test_dataloader=dict(dataset=dict(pipeline=[dict(type='mmdet.Resize')]))),
            'but it begins with Resize: set tta_pipeline',
        ),
    ],
)
def test_mistakes(changes, told):
    cfg = Config(dict(model=dict(type='PersonSearcher', reid={})))
    cfg.update(changes)
    with pytest.raises(ConfigError, match=told):
        set_tta(cfg)


def test_every_data_set_of_several_is_augmented():
    steps = [dict(type='LoadSceneImage'), dict(type='PackPersonSearchInputs')]
    parts = [dict(type='A', pipeline=steps), dict(type='B', dataset=dict(pipeline=steps))]
    dataset = dict(type='ConcatPersonSearchDataset', datasets=parts)
    cfg = Config(dict(model=dict(type='mmdet.YOLOX'), test_dataloader=dict(dataset=dataset)))
    set_tta(cfg)
    both = cfg.test_dataloader.dataset.datasets
    for part in (both[0], both[1].dataset):
        assert [step['type'] for step in part.pipeline] == ['LoadSceneImage', 'TestTimeAug']
    assert (cfg.model.type, cfg.model.module.type) == ('mmdet.DetTTAModel', 'mmdet.YOLOX')


def test_samples_say_that_they_are_flipped_whatever_a_config_lists():
    """*Seen*: mirrored boxes were never turned back, without a word."""
    pack = dict(type='PackPersonSearchInputs', meta_keys=('img_id',))
    dataset = dict(type='A', pipeline=[dict(type='LoadSceneImage'), pack])
    ways = [dict(type='LoadSceneImage'), dict(type='TestTimeAug', transforms=[[pack]])]
    for own in (None, ways):
        cfg = Config(dict(model=dict(type='mmdet.YOLOX'), test_dataloader=dict(dataset=dataset)))
        cfg.tta_pipeline = own
        set_tta(cfg)
        packed = cfg.test_dataloader.dataset.pipeline[-1].transforms[-1][0]
        assert packed.meta_keys == ('img_id', 'flip', 'flip_direction', 'ori_shape')
