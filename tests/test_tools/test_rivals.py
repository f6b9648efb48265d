"""OIM, NAE, SeqNet, CLSA in it, and COAT through the commands: train, test, export, gallery."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from mmclsa.gallery import GalleryIndex
from mmclsa.inference import PersonSearchInferencer
from mmclsa.inference.onnx import OnnxSearcher
from tests.test_models.rivals import rival_config

SMALL = {
    'model.reid.head.num_identities': 5,
    'model.reid.head.loss_id.queue_size': 7,
    'model.detector.test_cfg.rcnn.score_thr': 0.0,
    'train_dataloader.dataset.num_scenes': 8,
    'train_dataloader.dataset.num_identities': 5,
    'test_dataloader.dataset.num_scenes': 6,
    'test_dataloader.dataset.num_identities': 4,
    'test_dataloader.dataset.queries_per_identity': 1,
    'test_evaluator.det_thresh': 0.0,
    'train_cfg.max_epochs': 1,
    'val_cfg': None,
    'val_dataloader': None,
    'val_evaluator': None,
    'param_scheduler.1.T_max': 1,
    'default_hooks.checkpoint.interval': 1,
}


@pytest.fixture(scope='module', params=['oim', 'nae', 'seqnet', 'clsa-seqnet', 'coat'])
def config(request, tmp_path_factory):
    """A config of a method with few and small scenes, on disk."""
    cfg = rival_config(request.param)
    cfg.merge_from_dict(SMALL)
    path = tmp_path_factory.mktemp(request.param) / 'config.py'
    cfg.dump(path)
    return path


@pytest.mark.filterwarnings('ignore')
def test_train_test_export_and_gallery(config, run_tool_here, tmp_path):
    """One after the other, as a user does."""
    run_tool_here('tools/train.py', config, '--work-dir', tmp_path)
    weights = tmp_path / 'epoch_1.pth'
    figures = {}
    for name, options in (('found', ()), ('truth', ('--gt-boxes',))):
        out = (tmp_path / f'{name}.npz', tmp_path / f'{name}.json')
        run_tool_here(
            'tools/test.py', config, weights, '--work-dir', tmp_path, *options,
            *('--out', out[0], '--json', out[1]),
            *('--cfg-options', 'test_evaluator.cbgm=True', 'test_dataloader.batch_size=3'),
        )  # fmt: skip
        figures[name] = json.loads(out[1].read_text())
        saved = np.load(out[0])
        lengths = np.linalg.norm(saved['embedding'], axis=1)
        np.testing.assert_allclose(lengths, 1, atol=1e-5)
    assert (saved['score'] == 1).all()

    inferencer = PersonSearchInferencer(str(config), str(weights), 'cpu')
    run_tool_here('tools/deployment/export_onnx.py', config, weights, '--out', tmp_path / 'onnx')
    picture = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    boxes = [[10, 10, 40, 90], [70, 5, 100, 110]]
    np.testing.assert_allclose(
        OnnxSearcher(tmp_path / 'onnx', threads=1).embed_boxes(picture, np.array(boxes)),
        inferencer.embed_boxes(picture, boxes),
        atol=1e-4,
    )

    cv2.imwrite(str(tmp_path / 'street.png'), picture)
    index = tmp_path / 'index'
    run_tool_here(
        'tools/build_gallery.py', config, weights, tmp_path / 'street.png', '--out', index
    )
    people = len(inferencer(picture)['predictions'][0]['scores'])
    assert len(GalleryIndex.open(index)) == people > 0
