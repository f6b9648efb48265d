"""The visualizer in MMDetection's place."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData

from mmclsa.registry import VISUALIZERS
from mmclsa.visualization import RankedPerson
from mmclsa.visualization.canvas import GREEN, GREY, QUERY, RED

PICTURE = np.full((100, 140, 3), 60, np.uint8)


def sample(**parts):
    data = DetDataSample()
    for name, fields in parts.items():
        setattr(data, name, InstanceData(**fields))
    return data


TRUTH = dict(
    bboxes=HorizontalBoxes(torch.tensor([[10.0, 30, 40, 90], [60, 30, 90, 90]])),
    labels=torch.zeros(2, dtype=torch.long),
    person_ids=torch.tensor([3, -1]),
)
FOUND = dict(
    bboxes=torch.tensor([[10.0, 30, 40, 90], [100, 30, 130, 90]]),
    scores=torch.tensor([0.9, 0.1]),
    labels=torch.zeros(2, dtype=torch.long),
)


def has(picture, colour):
    return bool((picture == colour).all(-1).any())


def build(tmp_path):
    return VISUALIZERS.build(
        dict(
            type='PersonSearchVisualizer',
            name=str(tmp_path),
            vis_backends=[dict(type='LocalVisBackend')],
            save_dir=str(tmp_path),
        )
    )


def test_truth_at_the_left_and_detections_at_the_right(tmp_path):
    visualizer = build(tmp_path)
    data = sample(gt_instances=TRUTH, pred_instances=FOUND)
    visualizer.add_datasample('a', PICTURE, data, out_file=str(tmp_path / 'a.png'))
    drawn = cv2.imread(str(tmp_path / 'a.png'))[..., ::-1]
    assert drawn.shape == (100, 280, 3)
    left, right = drawn[:, :140], drawn[:, 140:]
    assert tuple(left[60, 10]) == GREEN, 'a person with an id'
    assert tuple(left[60, 60]) == GREY, 'one without'
    assert tuple(right[60, 10]) == RED
    assert tuple(right[60, 100]) == (60, 60, 60), 'below the threshold'
    assert (visualizer.get_image() == drawn).all()


def test_queries_are_blue(tmp_path):
    queries = dict(bboxes=torch.tensor([[10.0, 30, 40, 90]]), query_ids=torch.tensor([7]))
    data = sample(gt_instances=TRUTH, query_instances=queries)
    visualizer = build(tmp_path)
    visualizer.add_datasample('a', PICTURE, data)
    assert has(visualizer.get_image(), QUERY)
    visualizer.add_datasample('a', PICTURE, data, draw_gt=False)
    assert (visualizer.get_image() == PICTURE).all()
    visualizer.add_datasample('a', PICTURE)
    assert (visualizer.get_image() == PICTURE).all()


def test_backends_get_what_has_no_file(tmp_path):
    visualizer = build(tmp_path)
    visualizer.add_datasample('scene', PICTURE, sample(pred_instances=FOUND), step=2)
    person = RankedPerson(PICTURE, np.array([10.0, 30, 40, 90]), 0.5, right=True)
    visualizer.add_rank_list('ranks', person, [person], step=2)
    names = sorted(p.name for p in tmp_path.rglob('*.png'))
    assert names == ['ranks_2.png', 'scene_2.png']
    visualizer.add_rank_list('ranks', person, [person], out_file=tmp_path / 'own' / 'b.png')
    assert has(cv2.imread(str(tmp_path / 'own' / 'b.png'))[..., ::-1], GREEN)


def test_an_empty_scene(tmp_path):
    nobody = dict(bboxes=torch.zeros(0, 4), person_ids=torch.zeros(0, dtype=torch.long))
    visualizer = build(tmp_path)
    visualizer.add_datasample('a', PICTURE, sample(gt_instances=nobody))
    assert (visualizer.get_image() == PICTURE).all()
