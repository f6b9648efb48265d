"""No tensor is made on a fixed device, and none goes to the host but by name.

The re-ID branch trains on PyTorch's meta device, whose tensors have no values:
any look at one is an error, and so is an operation with a tensor of the CPU.
What has to look is in ``WAITS``, and a step on the CPU shows that the list is
whole.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope
from torch.overrides import TorchFunctionMode

import mmclsa
from mmclsa.models import SceneReID
from mmclsa.models.classifiers import LinearIdentityLoss, OIMLoss
from mmclsa.models.losses import (
    BatchHardTripletLoss,
    SemanticAlignmentLoss,
    SupervisedContrastiveLoss,
)
from mmclsa.models.memory import IdentityMemory
from mmclsa.models.reid.base import SceneBatch
from tests.test_models.builders import (
    NUM_IDENTITIES,
    batch,
    build_searcher,
    crop_reid_cfg,
    scene_reid_cfg,
    scene_sample,
    total_loss,
)

PACKAGE = Path(mmclsa.__file__).parent
IDS = [0, 0, 1, 1, 2, -1]
HEADS = {
    'oim': dict(
        loss_id=dict(type='OIMLoss', queue_size=4),
        loss_contrastive=dict(type='SupervisedContrastiveLoss'),
        loss_triplet=dict(type='BatchHardTripletLoss'),
    ),
    'linear': dict(loss_id=dict(type='LinearIdentityLoss'), align_unlabeled=True, pool='avg'),
}

#: Where a training or test step looks at values, and why. ``host`` is no wait:
#: the tensor is on the host already. With several processes there is one more
#: wait a step, for the numbers of people of all ranks
#: (``models/gather.py``, ``_exchange``), and what it brought is read
#: (``models/reid/head.py``, ``_gather``).
WAITS = {
    ('models/reid/people.py', 'read_people'): 'ids and owners of the batch, once a step',
    ('models/reid/people.py', 'mean_number'): 'host',
    ('models/memory/identity_memory.py', 'update'): 'host',
    ('models/memory/identity_memory.py', '_update_table'): 'host',
    ('models/searchers/training_boxes.py', 'match_proposals'): 'proposals on people, a picture',
    ('models/searchers/person_searcher.py', '_people'): 'detections of people, a picture',
}


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmclsa')


class TestMeta:
    @pytest.fixture(autouse=True)
    def _no_autocast(self, monkeypatch):
        """Autocast does not know the device, not even to be switched off."""
        monkeypatch.setattr(torch, 'autocast', lambda *_, **__: nullcontext())

    def scenes(self):
        feats = tuple(
            torch.randn(2, c, 64 // s, 64 // s, device='meta', requires_grad=True)
            for c, s in ((8, 8), (16, 16), (32, 32))
        )
        boxes = [torch.rand(3, 4, device='meta')] * 2
        ids = [torch.zeros(3, dtype=torch.int64, device='meta')] * 2
        return SceneBatch(feats, [DetDataSample()] * 2), boxes, ids

    def branch(self, head):
        cfg = scene_reid_cfg([8, 16, 32], None, **HEADS[head])
        cfg.pop('type')
        return SceneReID(**cfg).to('meta')

    @pytest.mark.parametrize('few', [False, True], ids=['batch norm', 'running norm'])
    @pytest.mark.parametrize('head', HEADS)
    def test_training_step(self, head, few, monkeypatch):
        """All of it runs without a value, once the ids are read."""
        monkeypatch.setattr(
            'mmclsa.models.reid.head.read_people', lambda *_: (IDS, list(range(len(IDS))))
        )
        reid = self.branch(head).train()
        for level in reid.head.levels:
            level.min_people = 8 if few else 2
        scenes, boxes, ids = self.scenes()
        losses = reid.loss(scenes, boxes, ids)
        assert {value.device.type for value in losses.values()} == {'meta'}
        sum(losses.values()).backward()
        for name, parameter in reid.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, name
        assert all(feat.grad is not None for feat in scenes.backbone_feats)

    def test_the_device_refuses_tensors_of_the_cpu(self):
        with pytest.raises(RuntimeError, match='device'):
            torch.rand(3, device='meta') + torch.rand(3)

    def test_reading_ids_is_a_wait(self):
        """The device without values does find it."""
        with pytest.raises((NotImplementedError, RuntimeError)):
            self.branch('oim').loss(*self.scenes())

    @pytest.mark.parametrize('head', HEADS)
    def test_embedding(self, head):
        scenes, boxes, _ = self.scenes()
        described = self.branch(head).eval().embed(scenes, boxes)
        assert [d.device.type for d in described] == ['meta'] * 2

    def test_crops(self):
        reid = mmclsa.registry.MODELS.build(crop_reid_cfg()).to('meta').eval()
        crops = torch.rand(2, 3, 64, 32, device='meta')
        assert reid.describe_crops(reid.normalize(crops)).device.type == 'meta'

    def test_memory_with_ids_on_the_host(self):
        memory = IdentityMemory(NUM_IDENTITIES, 4, 8).to('meta')
        memory.update(torch.rand(len(IDS), 8, device='meta'), torch.tensor(IDS))
        assert {b.device.type for b in memory.buffers()} == {'meta'}

    @pytest.mark.parametrize(
        'loss',
        [
            BatchHardTripletLoss(),
            SupervisedContrastiveLoss(),
            LinearIdentityLoss(8, NUM_IDENTITIES),
            OIMLoss(8, NUM_IDENTITIES, queue_size=4),
        ],
        ids=lambda loss: type(loss).__name__,
    )
    def test_losses(self, loss):
        rows = torch.rand(6, 8, device='meta', requires_grad=True)
        value = loss.to('meta')(rows, torch.zeros(6, dtype=torch.int64, device='meta'))
        value.backward()
        assert rows.grad.device.type == 'meta'

    def test_alignment(self):
        source, target = (torch.rand(6, 9, device='meta', requires_grad=True) for _ in range(2))
        weight = torch.ones(6, device='meta')
        SemanticAlignmentLoss()(source, [target], weight, 4.0).backward()
        assert target.grad.device.type == 'meta'


class Looks(TorchFunctionMode):
    """Note which function of mmclsa asks for values of a tensor."""

    BY_NAME = frozenset({
        'item', 'tolist', 'cpu', 'numpy', 'nonzero', 'argwhere', 'unique', 'masked_select',
        'equal', 'allclose', 'is_nonzero', 'bincount', '__bool__', '__int__', '__float__',
        '__index__', '__contains__',
    })  # fmt: skip

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, '__name__', '')
        if name in self.BY_NAME or (name in ('__getitem__', '__setitem__') and is_mask(args[1])):
            self._note(sys._getframe(1))
        return func(*args, **(kwargs or {}))

    def _note(self, frame):
        """A look from within MMDetection or PyTorch is theirs, not ours."""
        while 'mmengine' in frame.f_code.co_filename:  # whoever indexed an InstanceData
            frame = frame.f_back
        path = Path(frame.f_code.co_filename)
        if PACKAGE in path.parents:
            name = frame.f_code.co_name
            while name.startswith('<'):
                frame = frame.f_back
                name = frame.f_code.co_name
            self.found.add((path.relative_to(PACKAGE).as_posix(), name))


def is_mask(index):
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, torch.Tensor) and part.dtype == torch.bool for part in parts)


def looks_of_a_step(detector, head):
    searcher = build_searcher(
        detector, head=HEADS[head], train_boxes=dict(copies=1, proposals=detector == 'faster_rcnn')
    )
    torch.manual_seed(0)
    looks = Looks()
    for training in (True, False):
        searcher.train(training)
        scenes = [scene_sample((96, 128), people=3, ids=[0, 1, -1], queries=1) for _ in range(2)]
        inputs, samples = batch(searcher, scenes, training=training)
        with looks:
            if training:
                total_loss(searcher.loss(inputs, samples)).backward()
            else:
                with torch.no_grad():
                    searcher.predict(inputs, samples)
    return looks.found


def test_every_look_at_values_is_named():
    found = looks_of_a_step('faster_rcnn', 'oim') | looks_of_a_step('yolox', 'linear')
    assert found <= set(WAITS), f'not named: {sorted(found - set(WAITS))}'
    assert found == set(WAITS), f'no longer there: {sorted(set(WAITS) - found)}'
