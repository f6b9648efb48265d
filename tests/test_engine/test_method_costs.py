"""What a prediction costs: counted by hand for nets so small that it can be."""

from __future__ import annotations

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import nn

from mmclsa.engine.cost import count_flops
from mmclsa.engine.methods.operations import count_operations
from mmclsa.engine.methods.prediction import Pictures, Predictor, count_parameters
from tests.test_models.builders import build_searcher, scene_sample

HEIGHT, WIDTH, CHANNELS, DIMS = 6, 8, 5, 4


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, CHANNELS, 3, padding=1, bias=False)

    def forward(self, inputs):
        return self.conv(inputs)


class TinySearcher(nn.Module):
    """A convolution finds everybody, a linear layer describes each."""

    def __init__(self, people):
        super().__init__()
        self.detector = Detector()
        self.reid = nn.Linear(CHANNELS, DIMS, bias=False)
        self.people = people

    def data_preprocessor(self, data, training):
        return dict(inputs=torch.stack(data['inputs']).float(), data_samples=data['data_samples'])

    def forward(self, inputs, data_samples, mode):
        return self.predict(inputs, data_samples)

    def predict(self, inputs, data_samples):
        features = self.detector(inputs)[0, :, 0, : self.people].T
        data_samples[0].pred_instances = InstanceData(
            bboxes=torch.zeros(self.people, 4), embeddings=self.reid(features)
        )
        return data_samples


def predictor(people):
    batch = dict(inputs=[torch.ones(3, HEIGHT, WIDTH)], data_samples=[DetDataSample()])
    return Predictor(TinySearcher(people).eval(), Pictures((batch,), (HEIGHT, WIDTH)))


@pytest.mark.parametrize('people', [1, 3])
def test_operations_of_a_tiny_net_by_hand(people):
    found = count_operations(predictor(people), 0)
    convolution = HEIGHT * WIDTH * CHANNELS * 3 * 3 * 3
    assert found.detector == convolution
    assert found.total == convolution + people * CHANNELS * DIMS
    assert found.not_counted == {}


def test_parameters_by_hand():
    model = TinySearcher(2)
    model.reid.requires_grad_(False)
    model.head = nn.ModuleDict({'id_losses': nn.ModuleList([nn.Linear(2, 3)])})
    detector, reid, classifier = 27 * CHANNELS, CHANNELS * DIMS, 2 * 3 + 3
    assert count_parameters(model) == dict(
        total=detector + reid + classifier,
        trained=detector + classifier,
        training_only=classifier,
        detector=detector,
    )


def searcher_on(name, reid, size=(64, 96)):
    model = build_searcher(name, reid).eval()
    picture, sample = scene_sample(size)
    batch = dict(inputs=[picture], data_samples=[sample])
    return Predictor(model, Pictures((batch,), size))


@pytest.mark.parametrize('reid', ['scene', 'crop'])
def test_a_searcher_counts_what_pytorch_counts(reid):
    """A dispatcher sees the same products and convolutions as a trace, a multiply-add as two.

    MMEngine counts normalisation, pooling and interpolation as well: a few in a hundred.
    """
    ready = searcher_on('faster_rcnn', reid)
    dispatched = count_flops(lambda: ready.predict(0))
    traced = count_operations(ready, 0)
    assert dispatched / 2 <= traced.total <= 1.1 * dispatched / 2
    assert {'NMSop', 'RoIAlignFunction'} >= set(traced.not_counted) >= {'NMSop'}


def test_crops_cost_as_many_times_as_there_are_people():
    ready = searcher_on('faster_rcnn', 'crop')
    found = {}
    for people in (2, 5, 8):
        ready.model.detector.test_cfg.rcnn.max_per_img = people
        ready.model.detector.roi_head.test_cfg.max_per_img = people
        assert ready.predict_all() == [people]
        counted = count_operations(ready, 0)
        found[people] = counted.total - counted.detector
    assert found[8] - found[5] == pytest.approx(found[5] - found[2], rel=1e-6)
    assert found[8] == pytest.approx(4 * found[2], rel=1e-6)
