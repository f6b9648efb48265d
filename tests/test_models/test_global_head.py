"""The head of a published network: pooling, projection, normalisation, and training."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope

from mmclsa.errors import ConfigError
from mmclsa.models import GlobalReIDHead
from mmclsa.registry import MODELS


def head(**options):
    init_default_scope('mmclsa')
    torch.manual_seed(0)
    made = GlobalReIDHead(num_identities=4, in_channels=6, **options)
    norm = made.levels[0].bn_neck
    for values in (norm.running_mean, norm.bias.data):
        torch.nn.init.normal_(values)
    torch.nn.init.uniform_(norm.running_var, 0.5, 2)
    return made


@pytest.fixture
def maps():
    torch.manual_seed(1)
    return torch.randn(5, 6, 8, 4).relu()


def normal(rows, norm):
    rows = (rows - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
    return rows * norm.weight + norm.bias


class TestEmbedding:
    def test_of_osnet(self, maps):
        made = head(embed_dims=3, bias=True, relu=True).eval()
        level = made.levels[0]
        rows = maps.mean((2, 3)) @ level.projection.weight.T + level.projection.bias
        expected = F.normalize(normal(rows, level.bn_neck).relu())
        torch.testing.assert_close(made([maps]), expected)

    @pytest.mark.parametrize('feature', ['after', 'before'])
    def test_without_projection(self, maps, feature):
        made = head(test_feature=feature).eval()
        rows = maps.mean((2, 3))
        if feature == 'after':
            rows = normal(rows, made.levels[0].bn_neck)
        torch.testing.assert_close(made([maps]), F.normalize(rows))

    def test_of_gem(self, maps):
        made = head(pool='gem').eval()
        rows = maps.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3)
        torch.testing.assert_close(made([maps]), F.normalize(normal(rows, made.levels[0].bn_neck)))

    def test_the_last_map_counts(self, maps):
        made = head().eval()
        assert torch.equal(made([torch.rand(5, 6, 16, 8), maps]), made([maps]))


@pytest.mark.parametrize('bias', [True, False])
def test_trains(maps, bias):
    made = head(embed_dims=3, bias=bias, loss_triplet=dict(type='BatchHardTripletLoss')).train()
    losses = made.loss([maps], torch.tensor([0, 0, 1, 3, -1]))
    assert set(losses) == {'loss_id_l0', 'loss_triplet_l0'}
    sum(losses.values()).backward()
    level = made.levels[0]
    assert level.projection.weight.grad.abs().sum() > 0
    # BoT's neck has no shift; OSNet's layer does.
    assert level.bn_neck.bias.requires_grad == bias


def test_without_training_nothing_is_random_but_what_a_file_gives():
    """An index knows its model by its tensors: a classifier of nobody made each another one."""
    made = GlobalReIDHead(in_channels=6, embed_dims=3)
    assert set(made.state_dict()) == {f'levels.0.{name}' for name in made.levels[0].state_dict()}


def test_a_feature_that_is_unknown():
    with pytest.raises(ConfigError, match='test_feature'):
        head(test_feature='both')


def test_crops_through_a_branch_without_neck():
    init_default_scope('mmclsa')
    cfg = dict(
        type='CropReID',
        backbone=dict(type='OSNet', width=0.25, out_indices=(2,)),
        neck=None,
        head=dict(type='GlobalReIDHead', in_channels=128, embed_dims=512, bias=True, relu=True),
    )
    reid = MODELS.build(cfg).eval()
    crops = torch.rand(3, 3, 64, 32)
    with torch.no_grad():
        found = reid.describe_crops(crops)
        assert torch.equal(found, reid.head(reid.backbone(crops)))
    assert found.shape == (3, 512)
