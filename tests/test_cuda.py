"""What a GPU computes is what the CPU computes; skipped where there is none."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.optim import AmpOptimWrapper
from mmengine.registry import init_default_scope

from mmclsa.models.memory import IdentityMemory
from mmclsa.models.reid.head import MultiScaleReIDHead
from mmclsa.models.reid.region_average import average_regions
from tests.test_models.builders import batch, build_searcher, scene_sample, total_loss
from tests.test_models.rivals import RIVALS, build_rival

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU, and there is none'),
]

IDS = torch.tensor([0, 0, 1, 1, 2, -1])
HEADS = {
    'oim': dict(
        loss_id=dict(type='OIMLoss', queue_size=4),
        loss_contrastive=dict(type='SupervisedContrastiveLoss'),
        loss_triplet=dict(type='BatchHardTripletLoss'),
    ),
    'linear': dict(loss_id=dict(type='LinearIdentityLoss'), align_unlabeled=True),
}


@pytest.fixture(autouse=True)
def _exact(monkeypatch):
    init_default_scope('mmclsa')
    monkeypatch.setattr(torch.backends.cuda.matmul, 'allow_tf32', False)
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)


@pytest.mark.parametrize('name', HEADS)
def test_losses_gradients_and_memory_are_those_of_the_cpu(name):
    torch.manual_seed(0)
    here = MultiScaleReIDHead(
        3, 8, 2, embed_dims=8, loss_align=dict(type='SemanticAlignmentLoss'), **HEADS[name]
    )
    there = copy.deepcopy(here).cuda()
    for step in range(3):
        generator = torch.Generator().manual_seed(step)
        maps = [torch.rand(len(IDS), 8, 4, 2, generator=generator) for _ in range(2)]
        expected = here.loss(maps, IDS)
        found = there.loss([level.cuda() for level in maps], IDS.cuda())
        for key, value in expected.items():
            torch.testing.assert_close(found[key].cpu(), value, atol=1e-4, rtol=1e-4, msg=key)
    total_loss(expected).backward()
    total_loss(found).backward()
    for (key, p), q in zip(here.named_parameters(), there.parameters()):
        if p.grad is not None:
            torch.testing.assert_close(q.grad.cpu(), p.grad, atol=1e-4, rtol=1e-3, msg=key)
    for (key, p), q in zip(here.named_buffers(), there.buffers()):
        torch.testing.assert_close(q.cpu(), p, atol=1e-5, rtol=1e-4, msg=key)


def test_memory_takes_ids_of_either_device():
    rows = torch.randn(6, 8)
    memories = [IdentityMemory(3, 4, 8) for _ in range(3)]
    memories[0].update(rows, IDS)
    memories[1].cuda().update(rows.cuda(), IDS)
    memories[2].cuda().update(rows.cuda(), IDS.cuda())
    for memory in memories[1:]:
        for key, value in memories[0].state_dict().items():
            torch.testing.assert_close(memory.state_dict()[key].cpu(), value)


def test_averages_over_boxes():
    maps, boxes = torch.randn(1, 4, 20, 30), [torch.rand(5, 4) * 100 + torch.arange(4) * 10]
    expected = average_regions(maps, boxes, 1 / 8, (28, 14), neighbours=True)
    found = average_regions(
        maps.cuda(), [b.cuda() for b in boxes], 1 / 8, (28, 14), neighbours=True
    )
    torch.testing.assert_close(found.cpu(), expected, atol=1e-5, rtol=1e-4)


def build(name):
    return build_rival(name) if name in RIVALS else build_searcher(name)


@pytest.mark.parametrize('detector', ['faster_rcnn', 'yolox', *RIVALS])
class TestSearcher:
    def scenes(self):
        torch.manual_seed(3)
        return [scene_sample((96, 128), people=4, queries=1), scene_sample((96, 128), people=3)]

    def test_queries_are_described_as_on_the_cpu(self, detector):
        """Detections of random weights are ties; queries are given boxes."""
        described = []
        for device in ('cpu', 'cuda'):
            searcher = build(detector).eval().to(device)
            inputs, samples = batch(searcher, self.scenes(), training=False)
            with torch.no_grad():
                results = searcher.predict(inputs, samples)
            described.append(results[0].query_instances.embeddings.cpu())
        torch.testing.assert_close(described[1], described[0], atol=1e-3, rtol=1e-3)

    @pytest.mark.parametrize('precision', ['float16', 'bfloat16'])
    def test_training_in_mixed_precision(self, detector, precision):
        if precision == 'bfloat16' and not torch.cuda.is_bf16_supported():
            pytest.skip('this GPU does not compute in bfloat16')
        searcher = build(detector).train().cuda()
        scale = dict(init_scale=2.0**8) if precision == 'float16' else dict(enabled=False)
        wrapper = AmpOptimWrapper(
            optimizer=torch.optim.SGD(searcher.parameters(), lr=1e-3),
            dtype=precision,
            loss_scale=scale,
        )
        before = copy.deepcopy(searcher.reid.state_dict())
        pictures, samples = zip(*self.scenes())
        data = dict(inputs=list(pictures), data_samples=list(samples))
        for _ in range(2):
            losses = searcher.train_step(copy.deepcopy(data), wrapper)
            assert losses['loss'].isfinite()
        for key, value in searcher.reid.state_dict().items():
            assert value.isfinite().all(), key
        key = next(key for key in before if key.endswith(('projection.weight', 'linear.weight')))
        assert not torch.equal(searcher.reid.state_dict()[key], before[key])
