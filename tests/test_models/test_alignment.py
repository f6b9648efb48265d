"""What may stand in the alignment's place: sources, trust, features, relations, a second view."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope

from mmclsa.errors import ConfigError
from mmclsa.models.losses import (
    FeatureAlignmentLoss,
    LevelOutputs,
    RelationAlignmentLoss,
    SemanticAlignmentLoss,
    choose_sources,
    relation_alignment_loss,
    semantic_alignment_loss,
    source_trust,
    standardized,
)
from mmclsa.models.losses.alignment_sources import SOURCES, TRUST
from mmclsa.registry import MODELS
from tests.test_models.builders import head_cfg

PEOPLE, IDENTITIES = 5, 4


@pytest.fixture
def logits():
    """Three levels, float64."""
    torch.manual_seed(0)
    return [
        (3 * torch.randn(PEOPLE, IDENTITIES, dtype=torch.float64)).requires_grad_()
        for _ in range(3)
    ]


@pytest.fixture
def ids():
    return torch.tensor([0, 3, -1, 2, 2])


def outputs(logits, ids, **options):
    given = dict(weight=(ids >= 0).double(), avg_factor=float((ids >= 0).sum()))
    return LevelOutputs(logits, logits, ids, **{**given, **options})


def kl(source, target, temperature):
    """Literal KL divergence of one person, both sides softened."""
    p = [math.exp(v / temperature) for v in source]
    q = [math.exp(v / temperature) for v in target]
    p, q = [v / sum(p) for v in p], [v / sum(q) for v in q]
    return temperature**2 * sum(a * math.log(a / b) for a, b in zip(p, q))


def literal_source(levels, source, level, person, person_id):
    """The source rows (lists) that one level follows for one person."""
    rows = [z[person] for z in levels]
    if source == 'top':
        return [rows[-1]] if level < len(rows) - 1 else []
    if source == 'lowest':
        return [rows[0]] if level > 0 else []
    if source == 'all':
        return [row for other, row in enumerate(rows) if other != level]
    if source == 'self':
        return [rows[level]]
    if source == 'mean':
        return [[sum(column) / len(rows) for column in zip(*rows)]]

    def knows(row):
        total = sum(math.exp(v) for v in row)
        shares = [math.exp(v) / total for v in row]
        return shares[person_id] if person_id >= 0 else max(shares)

    return [max(rows, key=knows)]


class TestSources:
    @pytest.mark.parametrize('trust', TRUST)
    @pytest.mark.parametrize('source', SOURCES)
    def test_against_the_loop(self, logits, ids, source, trust):
        loss = SemanticAlignmentLoss(2.0, 0.5, source=source, trust=trust)
        found = loss.of_levels(outputs(logits, ids))
        levels = [z.tolist() for z in logits]
        for level in range(3):
            expected = 0.0
            for person, person_id in enumerate(ids.tolist()):
                if person_id < 0:
                    continue
                for row in literal_source(levels, source, level, person, person_id):
                    shares = torch.tensor(row).softmax(0)
                    weight = {
                        'all': 1.0,
                        'confidence': float(shares[person_id]),
                        'right': float(shares.argmax() == person_id),
                    }[trust]
                    expected += weight * kl(row, levels[level][person], 2.0)
            expected *= 0.5 / 4
            assert float(found.get(level, torch.zeros(())).detach()) == pytest.approx(
                expected, rel=1e-5, abs=1e-9
            )

    @pytest.mark.parametrize('source', SOURCES)
    def test_only_followers_have_a_gradient(self, logits, ids, source):
        loss = SemanticAlignmentLoss(source=source)
        found = loss.of_levels(outputs(logits, ids))
        for level, value in found.items():
            grads = torch.autograd.grad(value, logits, retain_graph=True, allow_unused=True)
            reached = [g is not None and bool(g.abs().max() > 1e-9) for g in grads]
            assert reached == [other == level and source != 'self' for other in range(3)]

    def test_not_detached_reaches_the_source(self, logits, ids):
        value = SemanticAlignmentLoss(detach_source=False).of_levels(outputs(logits, ids))[0]
        assert torch.autograd.grad(value, logits[2])[0].abs().max() > 0

    def test_the_best_of_unlabelled_people_is_the_surest(self):
        sure, unsure = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        (source,) = choose_sources([unsure, sure], 'best', torch.tensor([-1]))[0]
        assert torch.equal(source, sure)

    def test_trust_of_an_unlabelled_person(self):
        rows = torch.tensor([[2.0, 0.0]])
        assert source_trust(rows, torch.tensor([-1]), 'right').item() == 1
        highest = rows.softmax(1).max()
        assert source_trust(rows, torch.tensor([-1]), 'confidence').item() == highest

    def test_empty_batch(self):
        none = [torch.zeros(0, 4, requires_grad=True) for _ in range(3)]
        ids = torch.zeros(0, dtype=torch.long)
        for source in SOURCES:
            found = SemanticAlignmentLoss(source=source, trust='confidence').of_levels(
                outputs(none, ids, avg_factor=1.0)
            )
            assert all(value.item() == 0 and value.requires_grad for value in found.values())

    @pytest.mark.parametrize('name', ['source', 'trust'])
    def test_unknown(self, name):
        with pytest.raises(ValueError, match=f'{name} must be one of .*sideways'):
            SemanticAlignmentLoss(**{name: 'sideways'})


class TestStandardized:
    def test_scale_and_shift_do_not_matter(self, logits, ids):
        loss = SemanticAlignmentLoss(standardize=True)
        other = [5 * logits[0] - 3, logits[1] + 7, 0.1 * logits[2]]
        for one, two in zip(
            loss.of_levels(outputs(logits, ids)).values(),
            loss.of_levels(outputs(other, ids)).values(),
        ):
            torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-9)

    def test_rows_without_spread(self):
        rows = torch.zeros(2, 3, requires_grad=True)
        standardized(rows).sum().backward()
        assert torch.equal(standardized(rows), torch.zeros(2, 3))
        assert rows.grad.isfinite().all()


class TestFollowed:
    def test_own_prediction_is_the_usual_alignment(self, logits, ids):
        loss = SemanticAlignmentLoss()
        usual = loss.of_levels(outputs(logits, ids))
        own = loss.of_levels(outputs(logits, ids, followed=torch.arange(PEOPLE)))
        assert own.pop(2).item() == pytest.approx(0, abs=1e-12)
        assert own.keys() == usual.keys()
        for level, value in usual.items():
            torch.testing.assert_close(own[level], value)

    def test_another_picture_s_prediction(self, logits, ids):
        followed = torch.tensor([1, 1, 2, 4, 4])
        found = SemanticAlignmentLoss(3.0).of_levels(outputs(logits, ids, followed=followed))
        weight = (ids >= 0).double()
        for level in range(3):
            expected = semantic_alignment_loss(
                logits[2][followed], [logits[level]], 3.0, weight=weight, avg_factor=4.0
            )
            torch.testing.assert_close(found[level], expected)


class TestFeatures:
    def test_against_the_loop(self, logits, ids):
        found = FeatureAlignmentLoss(0.5).of_levels(outputs(logits, ids))
        assert sorted(found) == [0, 1]
        for level, value in found.items():
            total = 0.0
            for person in (p for p in range(PEOPLE) if ids[p] >= 0):
                one, top = (F.normalize(z[person], dim=0) for z in (logits[level], logits[2]))
                total += float((one - top).detach().square().sum())
            assert value.item() == pytest.approx(0.5 * total / 4)
        assert torch.autograd.grad(sum(found.values()), logits, allow_unused=True)[2] is None


class TestRelations:
    def test_against_the_loop(self, logits, ids):
        value = relation_alignment_loss(logits[2], logits[0], ids, temperature=0.5)
        people = [p for p in range(PEOPLE) if ids[p] >= 0]

        def scores(z, one):
            unit = F.normalize(z, dim=1)
            return [float(unit[one] @ unit[other]) for other in people if other != one]

        expected = sum(kl(scores(logits[2], p), scores(logits[0], p), 0.5) / 0.25 for p in people)
        assert value.item() == pytest.approx(expected / len(people))

    def test_order_of_people_does_not_matter(self, logits, ids):
        order = torch.tensor([3, 0, 4, 2, 1])
        one = relation_alignment_loss(logits[2], logits[0], ids)
        two = relation_alignment_loss(logits[2][order], logits[0][order], ids[order])
        torch.testing.assert_close(one, two)

    def test_one_person_has_no_relations(self, logits):
        ids = torch.tensor([0, -1, -1, -1, -1])
        value = relation_alignment_loss(logits[2], logits[0], ids)
        assert value.item() == 0
        value.backward()


VARIANTS = {
    'all': (dict(source='all'), {0, 1, 2}),
    'lowest': (dict(source='lowest'), {1, 2}),
    'best': (dict(source='best', trust='right'), {0, 1, 2}),
    'features': (dict(type='FeatureAlignmentLoss'), {0, 1}),
    'relations': (dict(type='RelationAlignmentLoss'), {0, 1}),
}


class TestHead:
    def build(self, **options):
        init_default_scope('mmclsa')
        torch.manual_seed(0)
        return MODELS.build(head_cfg(**options)).train()

    @pytest.mark.parametrize('name', VARIANTS)
    def test_each_variant_names_its_levels(self, name):
        options, levels = VARIANTS[name]
        head = self.build(loss_align={'type': 'SemanticAlignmentLoss', **options})
        maps = [torch.rand(9, 16, 2, 1) for _ in range(3)]
        losses = head.loss(maps, torch.tensor([0, 0, 1, 1, 2, 2, 3, -1, -1]))
        assert {f'loss_align_l{k}' for k in levels} == {k for k in losses if 'align' in k}
        assert all(value.isfinite() for value in losses.values())

    def test_another_loss_in_its_place(self):
        with pytest.raises(ConfigError, match='AlignmentLoss, but SupervisedContrastiveLoss is'):
            self.build(loss_align=dict(type='SupervisedContrastiveLoss'))

    def test_one_level_has_nothing_to_align(self):
        head = self.build(num_levels=1)
        losses = head.loss([torch.rand(9, 16, 2, 1)], torch.arange(9) % 6)
        assert set(losses) == {'loss_id_l0'}

    @pytest.mark.parametrize('align_queue', [False, True])
    def test_the_queue_takes_part_if_asked(self, align_queue):
        oim = dict(type='OIMLoss', queue_size=4)
        head = self.build(loss_id=oim, align_queue=align_queue)
        seen = []
        head.loss_align.of_levels = lambda outputs: seen.append(outputs) or {}
        head.loss([torch.rand(9, 16, 2, 1) for _ in range(3)], torch.arange(9) % 6)
        assert {z.shape[1] for z in seen[0].logits} == {10 if align_queue else 6}

    def test_relations_are_those_of_everybody(self):
        loss = dict(type='RelationAlignmentLoss', temperature=0.3)
        head = self.build(loss_align=loss, bn_min_people=2)
        maps, ids = [torch.rand(9, 16, 2, 1) for _ in range(3)], torch.arange(9) % 6
        losses = head.loss(maps, ids)
        after = [rows for _, rows in head.embed_levels(maps)]
        expected = relation_alignment_loss(after[2], after[0], ids, 0.3)
        torch.testing.assert_close(losses['loss_align_l0'], expected)
        assert RelationAlignmentLoss.compares_people
