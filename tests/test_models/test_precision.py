"""Mixed precision: what stays float32, and how far bfloat16 is from it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.overrides import TorchFunctionMode

from mmclsa.models.classifiers import LinearIdentityLoss, OIMLoss
from mmclsa.models.losses import (
    BatchHardTripletLoss,
    SemanticAlignmentLoss,
    SupervisedContrastiveLoss,
)
from mmclsa.models.memory import IdentityMemory
from mmclsa.models.reid.head import MultiScaleReIDHead, concat_levels
from mmclsa.models.reid.level_embedding import LevelEmbedding
from tests.test_models.builders import (
    DETECTORS,
    NUM_IDENTITIES,
    batch,
    build_searcher,
    scene_sample,
    total_loss,
)

IDS = torch.tensor([0, 0, 1, 1, 2, 2, -1, -1])
HALVES = (torch.float16, torch.bfloat16)


def autocast():
    return torch.autocast('cpu', torch.bfloat16)


def people(dtype=torch.float32, dims=16):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(len(IDS), dims, generator=generator).to(dtype)


class TestLossesInHalfPrecision:
    """Each loss of half-precision input is that of the same numbers in float32."""

    @pytest.mark.parametrize('dtype', HALVES)
    def test_alignment(self, dtype):
        loss = SemanticAlignmentLoss()
        source, target = people(dtype, 500) * 10, people(dtype, 500).flip(0) * 10
        with autocast():
            value = loss(source, [target])
        assert value.dtype == torch.float32
        assert torch.equal(value, loss(source.float(), [target.float()]))

    @pytest.mark.parametrize('dtype', HALVES)
    def test_contrastive(self, dtype):
        loss = SupervisedContrastiveLoss()
        units = torch.nn.functional.normalize(people()).to(dtype)
        with autocast():
            value = loss(units, IDS)
        assert value.dtype == torch.float32
        assert torch.equal(value, loss(units.float(), IDS))

    @pytest.mark.parametrize('dtype', HALVES)
    def test_triplet(self, dtype):
        loss = BatchHardTripletLoss()
        with autocast():
            value = loss(people(dtype), IDS)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, loss(people(dtype).float(), IDS))

    @pytest.mark.parametrize('dtype', HALVES)
    def test_oim(self, dtype):
        loss = OIMLoss(16, 3, queue_size=4)
        loss.update(people().flip(1), IDS)
        with autocast():
            logits = loss.logits(people(dtype))
            value = loss.loss(logits, IDS)
        assert (logits.dtype, value.dtype) == (torch.float32, torch.float32)
        assert torch.equal(logits, loss.logits(people(dtype).float()))

    @pytest.mark.parametrize('cosine_scale', [None, 10.0])
    def test_linear_classifier(self, cosine_scale):
        loss = LinearIdentityLoss(16, 3, cosine_scale=cosine_scale)
        with autocast():
            value = loss(people(), IDS)
        assert torch.equal(value, loss(people(), IDS))

    @pytest.mark.parametrize('dtype', HALVES)
    def test_normalisation_of_the_descriptor(self, dtype):
        with autocast():
            descriptors = concat_levels([people(dtype), people(dtype)])
        assert descriptors.dtype == torch.float32
        torch.testing.assert_close(descriptors.norm(dim=1), torch.ones(len(IDS)))

    @pytest.mark.parametrize('dtype', HALVES)
    def test_memory_stays_float32(self, dtype):
        memory = IdentityMemory(3, 4, 16)
        with autocast():
            memory.update(people(dtype), IDS)
        assert {memory.table.dtype, memory.queue.dtype} == {torch.float32}
        torch.testing.assert_close(memory.table.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize('num_people', [None, 3], ids=['batch', 'running'])
@pytest.mark.parametrize('training', [True, False])
def test_batch_norm_neck_is_computed_in_float32(training, num_people):
    """By statistics of the batch and by running ones."""
    torch.manual_seed(0)
    level = LevelEmbedding(16, 8).train(training)
    reference = copy.deepcopy(level.bn_neck), copy.deepcopy(level)
    with autocast():
        before, after = level(people()[:, :, None, None], num_people)
    assert (before.dtype, after.dtype) == (torch.bfloat16, torch.float32)
    bn, plain = reference
    plain.projection = torch.nn.Identity()
    plain.bn_neck = bn
    _, expected = plain(before.float()[:, :, None, None], num_people)
    assert torch.equal(after, expected)
    assert torch.equal(level.bn_neck.running_var, bn.running_var)


def head():
    torch.manual_seed(0)
    return MultiScaleReIDHead(
        num_identities=NUM_IDENTITIES,
        in_channels=16,
        embed_dims=8,
        loss_id=dict(type='OIMLoss', queue_size=4),
        loss_align=dict(type='SemanticAlignmentLoss'),
        loss_contrastive=dict(type='SupervisedContrastiveLoss'),
        loss_triplet=dict(type='BatchHardTripletLoss'),
    )


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(len(IDS), 16, 4, 2, generator=generator) for _ in range(3)]


class TestHead:
    def test_losses_under_autocast_are_near_those_of_float32(self, maps):
        plain, mixed = head(), head()
        for _ in range(2):  # the second step compares with what the first remembered
            expected = plain.loss(maps, IDS)
            with autocast():
                losses = mixed.loss(maps, IDS)
        assert losses.keys() == expected.keys()
        for name, value in losses.items():
            assert value.dtype == torch.float32, name
            # OIM multiplies a cosine by 30, and the triplet takes a difference of distances.
            torch.testing.assert_close(value, expected[name], atol=0.05, rtol=0.05, msg=name)

    def test_the_projection_is_the_only_half_precision_product(self, maps):
        """What autocast rounds in the branch: a linear layer a level, nothing else."""
        narrow = []

        class Watch(TorchFunctionMode):
            def __torch_function__(self, func, types, args=(), kwargs=None):
                out = func(*args, **(kwargs or {}))
                if isinstance(out, torch.Tensor) and out.dtype in HALVES:
                    narrow.append(getattr(func, '__name__', str(func)))
                return out

        with autocast(), Watch():
            head().loss(maps, IDS)
        products = {name for name in narrow if name not in NEUTRAL}
        assert products == {'linear'}, sorted(set(narrow))


#: Functions that hand numbers on without rounding them anew.
NEUTRAL = {
    'flatten', 'detach', '__getitem__', 'to', 'size', '__get__', 'contiguous', 'unbind', 'dropout',
}  # fmt: skip


@pytest.mark.parametrize('name', DETECTORS)
class TestSearcher:
    def scenes(self):
        torch.manual_seed(3)
        return [scene_sample((96, 128), people=4), scene_sample((96, 128), people=3)]

    def test_training_step_in_bfloat16(self, name):
        """Also a two-stage detector, whose RoIAlign has no bfloat16 kernel."""
        searcher = build_searcher(name).train()
        inputs, samples = batch(searcher, self.scenes(), training=True)
        with autocast():
            losses = searcher.loss(inputs, samples)
        total = total_loss(losses)
        total.backward()
        assert total.isfinite()
        for part in (searcher.detector.backbone, searcher.reid):
            grads = [p.grad for p in part.parameters() if p.grad is not None]
            assert grads
            assert all(grad.dtype == torch.float32 and grad.isfinite().all() for grad in grads)

    def test_losses_near_those_of_float32(self, name):
        searcher = build_searcher(name).eval()
        values = []
        for mixed in (False, True):
            inputs, samples = batch(searcher, self.scenes(), training=True)
            torch.manual_seed(5)
            with torch.autocast('cpu', torch.bfloat16, enabled=mixed):
                losses = searcher.reid.loss(*branch_input(searcher, inputs, samples))
            values.append(total_loss(losses).item())
        assert values[1] == pytest.approx(values[0], rel=0.05)

    def test_prediction_in_bfloat16(self, name):
        searcher = build_searcher(name).eval()
        scene = scene_sample((96, 1024), people=2, queries=2)
        scene[1].query_instances.bboxes[:, 2] = 1001.5  # in bfloat16: 1000
        inputs, samples = batch(searcher, [scene], training=False)
        seen = []
        embed, searcher.reid.embed = (
            searcher.reid.embed,
            lambda *given: seen.extend(given[1]) or embed(*given),
        )
        with torch.no_grad(), autocast():
            results = searcher.predict(inputs, samples)
        assert (seen[0][-2:, 2] == 1001.5).all()
        for result in results:
            found = result.pred_instances
            kinds = {found.embeddings.dtype, found.bboxes.dtype, found.scores.dtype}
            assert kinds == {torch.float32}
            torch.testing.assert_close(
                found.embeddings.norm(dim=1), torch.ones(len(found)), atol=1e-5, rtol=0
            )


def branch_input(searcher, inputs, samples):
    """What the re-ID branch gets: ground truth alone."""
    from mmclsa.models.reid.base import SceneBatch

    feats = tuple(searcher.detector.backbone(inputs))
    truth = [sample.gt_instances for sample in samples]
    boxes = [getattr(found.bboxes, 'tensor', found.bboxes) for found in truth]
    return SceneBatch(feats, samples), boxes, [found.person_ids for found in truth]


def test_boxes_reach_roi_align_in_float32():
    """In float16 a corner at x = 1201.5 lies at 1201 or 1202."""
    searcher = build_searcher('faster_rcnn')
    extractor = searcher.detector.roi_head.bbox_roi_extractor
    feats = [torch.rand(1, 16, 8, 320 // 2**level) for level in range(4)]
    rois = torch.tensor([[0, 1101.5, 3.25, 1201.5, 27.75]])
    exact = extractor(tuple(feats), rois)
    half = extractor(tuple(level.half() for level in feats), rois)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, atol=1e-3, rtol=0)
