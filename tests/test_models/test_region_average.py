"""Averages over boxes in matrix products: the same as RoIAlign and average pooling."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmcv.cnn import ConvModule
from mmcv.ops import roi_align
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from torch import nn

from mmclsa.engine import load_config
from mmclsa.engine.cost import count_flops, record_saved_tensors
from mmclsa.models import SceneReID
from mmclsa.models.necks import CLSANeck
from mmclsa.models.reid.base import SceneBatch
from mmclsa.models.reid.region_average import (
    average_convolved_regions,
    average_regions,
    is_plain_convolution,
)
from mmclsa.registry import MODELS
from tests.test_models.builders import scene_reid_cfg

CONFIGS = Path(__file__).parents[2] / 'configs'
SIZES = ((24, 32), (12, 16), (6, 8))


def some_boxes(dtype=torch.float64):
    """Within the picture, across each border, beyond it, tiny, and none in one picture."""
    inside = torch.tensor([[10.0, 20, 60, 140], [100, 30, 131, 95], [3, 3, 4, 9]])
    across = torch.tensor([[-30.0, -20, 40, 80], [230, 150, 300, 260], [-9, 50, 270, 120]])
    beyond = torch.tensor([[400.0, 20, 430, 90], [20, -1e5, 30, 1e5]])
    return [torch.cat([inside, across]).to(dtype), torch.zeros(0, 4, dtype=dtype), beyond.to(dtype)]


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 5, 24, 32, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize('stripes', [1, 2, 7])
@pytest.mark.parametrize('ratio', [1, 2, 3])
class TestAgainstRoIAlign:
    def expected(self, feats, ratio, stripes):
        aligned = roi_align(feats, bbox2roi(some_boxes()), (14, 7), 1 / 8, ratio, 'avg', True)
        return nn.functional.adaptive_avg_pool2d(aligned, (stripes, 1))[..., 0]

    def test_averages(self, maps, ratio, stripes):
        found = average_regions(maps, some_boxes(), 1 / 8, (14 * ratio, 7 * ratio), stripes)
        torch.testing.assert_close(
            found[..., 0, 0], self.expected(maps, ratio, stripes), atol=1e-9, rtol=1e-9
        )

    def test_averages_of_a_convolution(self, maps, ratio, stripes):
        torch.manual_seed(1)
        conv = nn.Conv2d(5, 4, 3, padding=1).double()
        samples = (14 * ratio, 7 * ratio)
        found = average_convolved_regions(maps, some_boxes(), 1 / 8, samples, stripes, conv)
        expected = self.expected(conv(maps).detach(), ratio, stripes)
        torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)


def test_gradients_are_those_of_roi_align(maps):
    torch.manual_seed(1)
    conv = nn.Conv2d(5, 4, 3, padding=1).double()
    feats = maps.clone().requires_grad_()
    wanted = [feats, conv.weight, conv.bias]
    aligned = roi_align(conv(feats), bbox2roi(some_boxes()), (14, 7), 1 / 8, 2, 'avg', True)
    factors = torch.randn(len(aligned), 4, dtype=torch.float64)
    expected = torch.autograd.grad((aligned.mean(dim=(2, 3)) * factors).sum(), wanted)
    found = average_convolved_regions(feats, some_boxes(), 1 / 8, (28, 14), 1, conv)
    for one, other in zip(torch.autograd.grad((found[..., 0] * factors).sum(), wanted), expected):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-9)


def test_nobody_at_all(maps):
    boxes = [torch.zeros(0, 4, dtype=torch.float64)] * 3
    conv = nn.Conv2d(5, 4, 3, padding=1).double()
    found = average_convolved_regions(maps, boxes, 1 / 8, (28, 14), 2, conv)
    assert found.shape == (0, 4, 2)
    found.sum().backward()
    assert conv.weight.grad.abs().sum() == 0


@pytest.mark.parametrize(
    ('conv', 'plain'),
    [
        (ConvModule(4, 4, 3, padding=1, act_cfg=None), True),
        (ConvModule(4, 4, 3, padding=1), False),
        (ConvModule(4, 4, 3, padding=1, act_cfg=None, norm_cfg=dict(type='BN')), False),
        (ConvModule(4, 4, 3, padding=1, act_cfg=None, with_spectral_norm=True), False),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode='reflect'), False),
        (nn.Conv2d(4, 4, 3, padding=1, stride=2), False),
        (nn.Conv2d(4, 4, 3, padding=2, dilation=2), False),
        (nn.Conv2d(4, 4, 3, padding=1, groups=2), False),
        (nn.Conv2d(4, 4, 1), False),
    ],
)
def test_what_a_plain_convolution_is(conv, plain):
    assert is_plain_convolution(conv) is plain


def test_merge_and_convolve_is_the_neck():
    torch.manual_seed(0)
    neck = CLSANeck([8, 16, 32], out_channels=4)
    feats = [torch.rand(2, c, *size) for c, size in zip((8, 16, 32), SIZES)]
    merged = [conv(level) for conv, level in zip(neck.fpn_convs, neck.merge(feats))]
    for one, other in zip(merged, neck(feats)):
        assert torch.equal(one, other)


def branch(neck=None, **options):
    torch.manual_seed(0)
    cfg = scene_reid_cfg([8, 16, 32], None, **options)
    cfg.pop('type')
    cfg['neck'].update(neck or {})
    return SceneReID(**cfg).double()


def scene(dtype=torch.float64):
    generator = torch.Generator().manual_seed(2)
    feats = tuple(
        torch.randn(3, c, *size, generator=generator).to(dtype)
        for c, size in zip((8, 16, 32), SIZES)
    )
    return SceneBatch(feats, [DetDataSample()] * 3)


class TestBranch:
    @pytest.fixture(autouse=True)
    def _scope(self):
        from mmengine.registry import init_default_scope

        init_default_scope('mmclsa')

    @pytest.mark.parametrize(
        ('neck', 'stripes'),
        [
            ({}, 1),
            ({}, 2),
            (dict(norm_cfg=dict(type='BN')), 2),
            (dict(act_cfg=dict(type='ReLU')), 1),
            (dict(upsample_cfg=dict(mode='bilinear')), 1),
            (dict(upsample_cfg=dict(mode='nearest', scale_factor=2)), 1),
        ],
    )
    def test_descriptors_and_gradients_are_those_of_roi_align(self, neck, stripes, monkeypatch):
        """Whether the neck is linear up to its end or not."""
        one, other = branch(neck, num_stripes=stripes), branch(neck, num_stripes=stripes)
        monkeypatch.setattr(type(other.head), 'averaged_stripes', None)
        ids = [torch.tensor([0, 1, 2, 3, 4, -1]), torch.zeros(0, dtype=torch.int64)]
        ids.append(torch.tensor([1, 2]))
        expected = other.eval().loss(scene(), some_boxes(), ids)
        assert other.extract(scene(), some_boxes())[0].shape[2:] == (4, 2)
        monkeypatch.undo()
        found = one.eval().loss(scene(), some_boxes(), ids)
        assert one.extract(scene(), some_boxes())[0].shape[2:] == (stripes, 1)
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, atol=1e-9, rtol=1e-9)
        sum(found.values()).backward()
        sum(expected.values()).backward()
        for (name, p), q in zip(one.named_parameters(), other.parameters()):
            assert (p.grad is None) == (q.grad is None), name
            if p.grad is not None:
                torch.testing.assert_close(p.grad, q.grad, atol=1e-9, rtol=1e-9, msg=name)

    @pytest.mark.parametrize(
        'options',
        [dict(pool='gem'), dict(pool='max'), dict(num_stripes=3), dict(person_block=True)],
    )
    def test_what_cannot_be_averaged_is_aligned(self, options):
        """Of four rows three stripes would overlap."""
        maps = branch(**options).extract(scene(), some_boxes())
        assert maps[0].shape[2:] == (4, 2)

    def test_the_headline_is_averaged(self):
        """Its number of stripes has to divide its rows."""
        cfg = load_config(str(CONFIGS / 'clsa/clsa_r50_cuhk.py')).model.reid
        feats = [torch.rand(1, 256 * 2**k, 32 >> k, 16 >> k) for k in range(4)]
        scene = SceneBatch(tuple(feats), [DetDataSample()])
        maps = MODELS.build(cfg).extract(scene, [torch.tensor([[8.0, 8, 40, 100]])])
        assert [m.shape[2:] for m in maps] == [(cfg.head.num_stripes, 1)] * 3

    def test_it_is_cheaper(self, monkeypatch):
        """The neck's convolutions and what they save are most of the branch's cost."""
        figures = []
        for fast in (True, False):
            reid = branch().float()
            if not fast:
                monkeypatch.setattr(type(reid.head), 'averaged_stripes', None)
            boxes = [b.float() for b in some_boxes()]
            flops = count_flops(lambda: reid.extract(scene(torch.float32), boxes))  # noqa: B023
            with record_saved_tensors(reid) as saved:
                kept = reid.extract(scene(torch.float32), boxes)
            figures.append((flops, saved.nbytes))
            del kept
        assert figures[0][0] < 0.8 * figures[1][0]
        assert figures[0][1] < 0.8 * figures[1][1]
