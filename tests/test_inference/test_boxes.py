"""Boxes in whatever form a program has them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData

from mmclsa.errors import UserError
from mmclsa.inference.boxes import as_boxes

ONE, TWO = [1.0, 2.0, 3.0, 4.0], [[1.0, 2.0, 3.0, 4.0], [5.0, 6.5, 7.0, 8.0]]
FOUND = InstanceData(bboxes=torch.tensor(TWO))


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (ONE, [ONE]),
        (tuple(ONE), [ONE]),
        (np.array(ONE, np.float32), [ONE]),
        ([np.float32(value) for value in ONE], [ONE]),
        (list(torch.tensor(ONE)), [ONE]),
        (torch.tensor(ONE, dtype=torch.bfloat16), [ONE]),
        (torch.tensor([1, 2, 3, 4]), [ONE]),
        (torch.tensor(TWO, requires_grad=True), TWO),
        ([torch.tensor(ONE), np.array(TWO[1])], TWO),
        ({'bboxes': TWO, 'scores': [0.5, 0.4]}, TWO),
        ([{'bboxes': [ONE]}, {'box': TWO[1]}], TWO),
        (FOUND, TWO),
        (DetDataSample(pred_instances=FOUND), TWO),
        (HorizontalBoxes(TWO), TWO),
        ([], np.zeros((0, 4))),
        (np.zeros((0, 4)), np.zeros((0, 4))),
        (torch.zeros(0, 4), np.zeros((0, 4))),
        ({'bboxes': []}, np.zeros((0, 4))),
    ],
)
def test_forms(given, expected):
    boxes = as_boxes(given)
    assert boxes.dtype == np.float64
    assert np.array_equal(boxes, np.array(expected).reshape(-1, 4))


@pytest.mark.parametrize(
    'given',
    [
        *('abcd', None, 3, [1, 2, 3], [ONE, [1, 2]], [*ONE, *ONE], {'boxes': [ONE]}, ['a'] * 4),
        np.zeros((2, 6)),  # would be three boxes if it were only reshaped
        np.zeros((1, 1, 4)),
        torch.zeros(2, 5),
    ],
)
def test_what_is_no_box(given):
    with pytest.raises(UserError, match='four numbers x1 y1 x2 y2'):
        as_boxes(given)
