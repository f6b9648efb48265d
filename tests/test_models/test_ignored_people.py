"""People whom the data set ignores are no background: from the annotation to both assigners."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from mmdet.models.task_modules.assigners import MaxIoUAssigner
from mmdet.structures.bbox import bbox_overlaps
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmclsa.engine import load_config
from mmclsa.registry import DATASETS, MODELS
from tests.helpers import REPO

PERSON, IGNORED = [100, 20, 40, 80], [2, 2, 70, 116]  # x y w h
NARROW = {
    'num_identities': 1,
    'queue_size': 2,
    'image_scale': (160, 120),
    'model.detector.backbone.init_cfg': None,
    'model.detector.backbone.depth': 18,
    'model.detector.neck.in_channels': [64, 128, 256, 512],
    'model.reid.neck.in_channels': [128, 256, 512],
}


@pytest.fixture
def assigned(tmp_path, monkeypatch):
    """Train a step on one scene; list what each assigner was given and gave."""
    image = dict(id=1, file_name='a.jpg', width=160, height=120)
    people = [
        dict(id=i, image_id=1, category_id=1, bbox=box, person_id=0, ignore=i)
        for i, box in enumerate([PERSON, IGNORED])
    ]
    content = dict(images=[image], annotations=people, categories=[dict(id=1, name='person')])
    (tmp_path / 'a.json').write_text(json.dumps(content))
    cv2.imwrite(str(tmp_path / 'a.jpg'), np.full((120, 160, 3), 90, np.uint8))
    cfg = load_config(str(REPO / 'configs' / 'clsa' / 'clsa_r50_cuhk.py'), NARROW)
    init_default_scope('mmclsa')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).train()
    model.init_weights()
    dataset = DATASETS.build(
        dict(
            type='CocoPersonSearchDataset',
            data_root=str(tmp_path),
            ann_file='a.json',
            pipeline=[step for step in cfg.train_pipeline if step['type'] != 'mmdet.RandomFlip'],
        )
    )
    calls = []
    assign = MaxIoUAssigner.assign

    def record(self, boxes, people, ignored=None, **kwargs):
        result = assign(self, boxes, people, ignored, **kwargs)
        calls.append((boxes.priors.clone(), people.bboxes, ignored.bboxes, result.gt_inds.clone()))
        return result

    monkeypatch.setattr(MaxIoUAssigner, 'assign', record)
    data = model.data_preprocessor(pseudo_collate([dataset[0]]), True)
    model.loss(data['inputs'], data['data_samples'])
    return calls


def test_neither_assigner_takes_them_for_background(assigned):
    """Before, all of these were background (0)."""
    assert len(assigned) == 2, 'the RPN and the head'
    for boxes, people, ignored, given in assigned:
        assert (len(people), len(ignored)) == (1, 1)
        on_ignored = bbox_overlaps(boxes, ignored, mode='iof')[:, 0] > 0.5
        on_person = bbox_overlaps(boxes, people)[:, 0]
        assert (on_ignored & (on_person < 0.3)).sum() > 3
        assert (given[on_ignored & (on_person < 0.3)] == -1).all()
        elsewhere = ~on_ignored & (on_person < 0.3)
        assert (given[elsewhere] == 0).any(), 'what is on nobody is background'
