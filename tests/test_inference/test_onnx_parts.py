"""Letterbox, suppression and sidecar: equal to MMDetection's, and refusing what is broken."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from mmcv.ops import nms
from mmdet.models import DetDataPreprocessor

from mmclsa.errors import ConfigError, DataError
from mmclsa.inference.export import letterbox_of
from mmclsa.inference.onnx import Detection, Graph, Letterbox, Sidecar
from mmclsa.inference.onnx.detections import at_least_a_pixel, select_people
from mmclsa.inference.onnx.sidecar import SIDECAR
from mmclsa.models.reid import boxes as boxes_in_torch
from mmclsa.registry import TRANSFORMS

RESIZE = dict(type='mmdet.Resize', scale=(96, 64), keep_ratio=True)
PAD = dict(type='mmdet.Pad', size=(112, 80), pad_val=dict(img=(1.0, 114.0, 7.0)))
NORMALIZE = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)


@pytest.mark.parametrize('size', [(40, 50), (200, 31), (31, 200), (64, 96), (7, 9)])
@pytest.mark.parametrize(
    ('steps', 'options'),
    [
        ([RESIZE], dict(pad_size_divisor=32)),
        ([RESIZE, PAD], dict(pad_size_divisor=32)),
        ([RESIZE], dict(pad_size_divisor=32, pad_value=2, **NORMALIZE)),
        ([dict(RESIZE, keep_ratio=False), PAD], dict(NORMALIZE, bgr_to_rgb=False)),
    ],
)
def test_letterbox_is_what_the_framework_does(size, steps, options):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    results = dict(img=picture, img_shape=size, ori_shape=size)
    for step in steps:
        results = TRANSFORMS.build(dict(step)).transform(results)
    preprocessor = DetDataPreprocessor(**options)
    inputs = torch.from_numpy(results['img'].transpose(2, 0, 1).copy())
    expected = preprocessor.forward(dict(inputs=[inputs], data_samples=None))['inputs'][0]

    ready, factors = letterbox_of(steps, preprocessor).apply(picture)
    found = torch.from_numpy(ready)
    if 'mean' in options:
        found = found.flip(0) if options['bgr_to_rgb'] else found
        found = (found - preprocessor.mean) / preprocessor.std
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=1e-6)
    assert np.allclose(factors, np.tile(results['scale_factor'], 2))


@pytest.mark.parametrize(
    ('steps', 'word'),
    [
        ([dict(type='mmdet.RandomFlip', prob=0.5), RESIZE], 'RandomFlip'),
        ([dict(RESIZE, backend='pillow')], 'backend'),
        ([RESIZE, dict(type='mmdet.Pad', pad_to_square=True)], 'pad_to_square'),
        ([RESIZE, RESIZE], 'Resize'),
        ([], 'Resize'),
    ],
)
def test_pipelines_that_cannot_be_exported(steps, word):
    with pytest.raises(ConfigError, match=word):
        letterbox_of(steps, DetDataPreprocessor())


@pytest.mark.parametrize('count', [0, 1, 300])
@pytest.mark.parametrize('iou_thr', [0.3, 0.65])
def test_suppression_is_that_of_mmcv(count, iou_thr):
    random = np.random.default_rng(count)
    corners = random.uniform(0, 60, (count, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + random.uniform(5, 40, (count, 2))], 1)
    boxes = boxes.astype(np.float32)
    scores = random.permutation(np.linspace(0.05, 0.95, count)).astype(np.float32)
    certain = np.flatnonzero(scores >= 0.4)
    expected = certain[:0]
    if len(certain):
        _, kept = nms(boxes[certain], scores[certain], iou_thr)
        expected = certain[kept]
    found = select_people(boxes, scores, 0.4, iou_thr)
    assert found.tolist() == expected.tolist()
    assert select_people(boxes, scores, 0.4, iou_thr, 3).tolist() == expected[:3].tolist()


def sidecar() -> Sidecar:
    return Sidecar(
        model={'config': 'a' * 64, 'weights': 'b' * 64, 'dims': 4},
        reid='scenes',
        letterbox=Letterbox((96, 64), pad_size=(96, 64)),
        det_thresh=0.5,
        graphs={'reid': Graph('reid.onnx', 'c' * 64)},
        detection=Detection(0.5, 100),
        about={'torch': '2.13.0'},
    )


class TestSidecar:
    def test_round_trip(self, tmp_path):
        sidecar().write(tmp_path)
        assert Sidecar.read(tmp_path) == sidecar()

    def change(self, tmp_path, **changes):
        path = sidecar().write(tmp_path)
        data = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({k: v for k, v in data.items() if v != 'gone'}))

    @pytest.mark.parametrize(
        ('changes', 'words'),
        [
            (dict(format='other'), 'no field "format"'),
            (dict(version=2), 'version 2, but this mmclsa reads 1'),
            (dict(model={'config': 'a' * 64}), "'weights'"),
            (dict(model='gone'), "'model'"),
            (dict(letterbox={'size': 3}), 'size'),
            (dict(reid='both'), '"crops" or "scenes"'),
            (dict(reid='crops'), r'graphs\.cut'),
            (dict(graphs={}), r'graphs\.reid'),
            (dict(surprise=1), 'surprise'),
        ],
    )
    def test_wrong_fields(self, tmp_path, changes, words):
        self.change(tmp_path, **changes)
        with pytest.raises(DataError, match=words):
            Sidecar.read(tmp_path)

    def test_absent_and_cut_short(self, tmp_path):
        with pytest.raises(DataError, match='is no exported model'):
            Sidecar.read(tmp_path)
        path = sidecar().write(tmp_path)
        path.write_text(path.read_text()[:50])
        with pytest.raises(DataError, match='is no JSON file'):
            Sidecar.read(tmp_path)

    def test_graph_is_looked_for_in_the_folder_alone(self, tmp_path):
        """A sidecar from elsewhere must not open files from elsewhere."""
        (tmp_path / 'secret').write_text('x')
        self.change(tmp_path, graphs={'reid': {'file': '../secret', 'sha256': 'c' * 64}})
        (tmp_path / 'in').mkdir()
        (tmp_path / 'in' / SIDECAR).write_text((tmp_path / SIDECAR).read_text())
        with pytest.raises(DataError, match='cannot be read'):
            Sidecar.read(tmp_path / 'in').graph(tmp_path / 'in', 'reid')

    def test_changed_graph(self, tmp_path):
        sidecar().write(tmp_path)
        (tmp_path / 'reid.onnx').write_bytes(b'another')
        with pytest.raises(DataError, match='not the one that'):
            Sidecar.read(tmp_path).graph(tmp_path, 'reid')


@pytest.mark.parametrize('size', [None, (30, 40)])
def test_boxes_get_the_size_that_the_model_gives_them(size):
    boxes = np.random.default_rng(0).uniform(-20, 60, (500, 4)).astype(np.float32)
    boxes[::3, 2:] = boxes[::3, :2] + 0.3
    expected = boxes_in_torch.at_least_a_pixel(torch.from_numpy(boxes), size)
    np.testing.assert_array_equal(at_least_a_pixel(boxes, size), expected.numpy())
