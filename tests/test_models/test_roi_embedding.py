"""The embedding of RoIs and its losses, against literal references."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.losses import CrossEntropyLoss

from mmclsa.models.roi_heads import NormAwareScore, RoIEmbeddingHead
from mmclsa.models.roi_heads.norms import NormedLinear, normalise_rows
from mmclsa.models.roi_heads.res_layer import RoIResLayer

IDS = torch.tensor([2, -1, 0, 2, -1, -1])


def head(**options):
    torch.manual_seed(0)
    made = RoIEmbeddingHead(4, in_channels=[3, 5], embed_dims=7, **options).double()
    for projection in made.projections:
        projection.norm.running_mean.normal_()
        projection.norm.running_var.uniform_(0.5, 2.0)
        projection.norm.weight.data.uniform_(0.5, 2.0)
    return made


def maps(people=6):
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(people, channels, *size, generator=generator, dtype=torch.float64)
        for channels, size in ((3, (4, 2)), (5, (2, 1)))
    ]


def project(made, feats):
    """The embedding, written out for one person and channel after the other."""
    rows = []
    for person in range(len(feats[0])):
        row = []
        for projection, feat in zip(made.projections, feats):
            pooled = [float(channel.max()) for channel in feat[person]]
            norm = projection.norm
            for k in range(len(projection.linear.weight)):
                value = float(projection.linear.bias[k]) + sum(
                    float(w) * p for w, p in zip(projection.linear.weight[k], pooled)
                )
                deviation = (float(norm.running_var[k]) + norm.eps) ** 0.5
                value = (value - float(norm.running_mean[k])) / deviation
                row.append(value * float(norm.weight[k]) + float(norm.bias[k]))
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


def test_descriptor_is_the_concatenation_without_normalisation_of_the_levels():
    made = head().eval()
    expected = project(made, maps())
    torch.testing.assert_close(torch.cat(made.embed(maps()), dim=1), expected)
    lengths = (expected**2).sum(dim=1, keepdim=True) ** 0.5
    torch.testing.assert_close(made(maps()), expected / lengths)


def test_levels_are_taken_from_the_top():
    made = RoIEmbeddingHead(4, in_channels=[5], embed_dims=7, batch_norm=False).double()
    assert torch.equal(made(maps()), made(maps()[1:]))


def test_identity_loss_and_memory_are_those_of_oim():
    made = head(loss_id=dict(type='OIMLoss', queue_size=3, scale=30.0)).eval()
    memory = made.id_losses[0].memory
    memory.table.copy_(F.normalize(torch.randn(4, 7, dtype=torch.float64)))
    memory.queue.copy_(F.normalize(torch.randn(3, 7, dtype=torch.float64)))
    table, queue = memory.table.clone(), memory.queue.clone()
    made.training = True  # batch norms stay at their statistics
    units = F.normalize(project(made, maps()))
    total = 0.0
    for unit, person in zip(units, IDS):
        if person >= 0:
            scores = 30.0 * torch.cat([table @ unit, queue @ unit])
            total += float(torch.logsumexp(scores, 0) - scores[person])
    loss = made.loss(maps(), IDS)['loss_id']
    assert loss.item() == pytest.approx(total / 3, rel=1e-9)
    place = 0
    for unit, person in zip(units, IDS):
        if person >= 0:
            table[person] = F.normalize(0.5 * table[person] + 0.5 * unit, dim=0)
        else:
            queue[place] = unit
            place = (place + 1) % 3
    torch.testing.assert_close(memory.table, table)
    torch.testing.assert_close(memory.queue, queue)
    assert memory.queue_pointer == place


def test_lower_level_follows_the_top_one():
    align = dict(type='SemanticAlignmentLoss', temperature=2.0, loss_weight=0.5)
    made = head(loss_align=align, loss_id=dict(type='OIMLoss', queue_size=3, scale=4.0)).eval()
    for loss in made.id_losses:
        loss.memory.table.normal_()
    levels = made.embed(maps())
    losses = made.identity_loss(levels, IDS)
    known = [
        4.0 * F.normalize(level) @ loss.memory.table.T
        for level, loss in zip(levels, made.id_losses[1:])
    ]
    total = 0.0
    for person in (IDS >= 0).nonzero()[:, 0]:
        low, top = (F.softmax(level[person] / 2.0, dim=0) for level in known)
        total += float((top * (top / low).log()).sum())
    assert losses['loss_align_l0'].item() == pytest.approx(0.5 * 4.0 * total / 3, rel=1e-9)
    assert set(losses) == {'loss_id', 'loss_id_l0', 'loss_id_l1', 'loss_align_l0'}


class TestNormAwareScore:
    def test_is_the_sigmoid_of_the_rescaled_length(self):
        score = NormAwareScore().eval()
        score.rescaler.running_mean.fill_(2.0)
        score.rescaler.running_var.fill_(0.25)
        rows = torch.randn(9, 5)
        lengths = rows.norm(dim=1)
        logits = (lengths - 2.0) / (0.25 + score.rescaler.eps) ** 0.5
        torch.testing.assert_close(score(rows).softmax(dim=1)[:, 0], torch.sigmoid(logits))

    def test_cross_entropy_is_the_binary_one(self):
        score = NormAwareScore()
        logits = score(torch.randn(9, 5))
        labels = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1])  # 0 is a person, 1 background
        expected = F.binary_cross_entropy_with_logits(logits[:, 0], (labels == 0).float())
        torch.testing.assert_close(CrossEntropyLoss()(logits, labels), expected)


class TestBatchNormsOfFewRows:
    @pytest.mark.parametrize('rows', [0, 1])
    def test_running_statistics_are_taken_and_kept(self, rows):
        norm = torch.nn.BatchNorm1d(3)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
        values = torch.randn(rows, 3)
        known = norm.running_mean.clone()
        found = normalise_rows(norm, values)
        torch.testing.assert_close(found, norm.eval()(values))
        assert torch.equal(norm.running_mean, known)

    def test_one_proposal_is_no_error(self):
        assert NormedLinear(4, 8).train()(torch.randn(1, 4)).shape == (1, 8)


def test_stage_of_the_usual_width_is_mmdetections():
    wide = RoIResLayer(50, norm_eval=True)
    assert wide(torch.rand(1, 1024, 4, 4)).shape == (1, 2048, 2, 2)
    narrow = RoIResLayer(50, base_channels=8)
    assert narrow(torch.rand(1, 128, 4, 4)).shape == (1, 256, 2, 2)
    assert narrow.state_dict().keys() == wide.state_dict().keys()
