"""Options of the recipe: level weights, the backbone's share, refined boxes, the person block."""

from __future__ import annotations

import pytest
import torch
from mmdet.structures.bbox import bbox2roi

from mmclsa.errors import ConfigError
from mmclsa.models import MultiScaleReIDHead, SceneReID
from mmclsa.models.reid import PersonBlock
from mmclsa.models.reid.scene_reid import scale_gradient
from mmclsa.models.searchers.taps import record_refined
from tests.test_models.builders import batch, build_searcher, head_cfg, scene_sample


def make_head(**options):
    torch.manual_seed(0)
    cfg = head_cfg(**options)
    cfg.pop('type')
    return MultiScaleReIDHead(**cfg)


def make_feats(people=12):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(people, 16, 6, 3, generator=generator) for _ in range(3)]


class TestLevelWeights:
    def test_they_are_factors_of_the_identity_losses(self):
        ids = torch.arange(12) % 6
        plain = make_head().train().loss(make_feats(), ids)
        weighted = make_head(level_weights=[0.5, 0.0, 2.0]).train().loss(make_feats(), ids)
        for name, value in plain.items():
            factor = dict(loss_id_l0=0.5, loss_id_l1=0.0, loss_id_l2=2.0).get(name, 1.0)
            torch.testing.assert_close(weighted[name], factor * value)

    def test_one_level_alone_trains_no_other(self):
        head = make_head(loss_align=None, level_weights=[0.0, 0.0, 1.0], feature='source').train()
        sum(head.loss(make_feats(), torch.arange(12) % 6).values()).backward()
        moved = [
            any(p.grad is not None and p.grad.any() for p in level.parameters())
            for level in head.levels
        ]
        assert moved == [False, False, True]

    def test_each_level_needs_one(self):
        with pytest.raises(ConfigError, match='level_weights'):
            make_head(level_weights=[1.0, 1.0])


class TestBackboneShare:
    def test_gradient_is_scaled_and_values_are_not(self):
        values = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
        scaled = scale_gradient(values, 0.25)
        torch.testing.assert_close(scaled, values)
        (grad,) = torch.autograd.grad((scaled**2).sum(), values)
        torch.testing.assert_close(grad, 0.25 * 2 * values.detach())

    @pytest.mark.parametrize('share', [0.0, 0.5])
    def test_the_backbone_gets_a_share_and_the_branch_all(self, share):
        grads = []
        head = dict(loss_id=dict(type='LinearIdentityLoss', cosine_scale=16.0))
        for value in (1.0, share):
            searcher = build_searcher('faster_rcnn', head=head).train()
            searcher.reid.backbone_grad = value
            torch.manual_seed(1)
            scenes = [scene_sample((128, 160), people=3, ids=[0, 1, 2]) for _ in range(2)]
            losses = searcher.loss(*batch(searcher, scenes, True))
            reid = sum(v for n, v in losses.items() if n.startswith(('loss_id', 'loss_align')))
            params = {n: p for n, p in searcher.named_parameters() if p.requires_grad}
            found = torch.autograd.grad(reid, list(params.values()), allow_unused=True)
            grads.append({n: g for n, g in zip(params, found) if g is not None})
        whole, part = grads
        backbone = [name for name in whole if name.startswith('detector.backbone')]
        assert any(whole[name].abs().max() > 1e-4 for name in backbone)
        for name, grad in whole.items():
            factor = share if name in backbone else 1.0
            got = part.get(name, torch.zeros_like(grad))
            torch.testing.assert_close(got, factor * grad, rtol=1e-3, atol=1e-5)

    def test_range(self):
        build_searcher('faster_rcnn')  # sets the scope
        with pytest.raises(ConfigError, match='backbone_grad'):
            SceneReID(neck={}, head=head_cfg(), backbone_grad=1.5)


class TestRefinedBoxes:
    def test_they_are_what_the_roi_head_makes_of_the_rois(self):
        searcher = build_searcher('faster_rcnn').train()
        head, seen = searcher.detector.roi_head, []
        original = head._bbox_forward
        head._bbox_forward = lambda x, rois: (seen.append((rois, original(x, rois))), seen[-1][1])[
            1
        ]
        scenes = [scene_sample((128, 160), people=2) for _ in range(2)]
        with record_refined(searcher.detector, 2) as refined:
            searcher.detector.loss(*batch(searcher, scenes, True))
        assert len(refined) == 2
        ((rois, results),) = seen
        expected = head.bbox_head.bbox_coder.decode(rois[:, 1:], results['bbox_pred'])
        torch.testing.assert_close(torch.cat(refined), expected.detach())
        assert not any(boxes.requires_grad for boxes in refined)
        assert [len(b) for b in refined] == torch.bincount(rois[:, 0].long()).tolist()

    def test_of_several_classes_that_of_people(self):
        searcher = build_searcher('faster_rcnn')
        head = searcher.detector.roi_head
        rois = bbox2roi([torch.tensor([[10.0, 10.0, 50.0, 90.0]])])
        deltas = torch.zeros(1, 8)
        deltas[0, 4] = 1.0  # the second class moves to the right
        head.bbox_head.reg_class_agnostic = False
        moved = []
        for label in (0, 1):
            head._bbox_forward = lambda rois: dict(bbox_pred=deltas)
            with record_refined(searcher.detector, 1, label) as refined:
                head._bbox_forward(rois=rois)
            moved.append(float(refined[0][0, 0]) - 10)
        assert moved[0] == pytest.approx(0, abs=1e-4)
        assert moved[1] == pytest.approx(0.1 * 40, abs=1e-3)

    def test_they_train_the_branch_and_leave_no_trace(self):
        boxes = dict(proposals=True, refined=True, min_iou=0.0, max_per_person=2)
        searcher = build_searcher('faster_rcnn', train_boxes=boxes).train()
        seen = []
        original = searcher.reid.loss
        searcher.reid.loss = lambda s, b, i, o: (seen.append(b), original(s, b, i, o))[1]
        searcher.loss(*batch(searcher, [scene_sample((128, 160), people=2)], True))
        assert 2 < len(seen[0][0]) <= 2 + 2 * 2
        assert '_bbox_forward' not in vars(searcher.detector.roi_head)

    def test_they_need_proposals(self):
        with pytest.raises(ConfigError, match=r'train_boxes\.proposals=True'):
            build_searcher('faster_rcnn', train_boxes=dict(refined=True))

    def test_they_need_a_roi_head(self):
        boxes = dict(proposals=True, refined=True)
        searcher = build_searcher('yolox', train_boxes=boxes).train()
        with pytest.raises(ConfigError, match='roi_head'):
            searcher.loss(*batch(searcher, [scene_sample((128, 128))], True))


class TestPersonBlock:
    def test_it_sees_the_neighbours_of_a_cell_and_no_other_person(self):
        torch.manual_seed(0)
        block = PersonBlock(4).eval()
        feats = torch.rand(2, 4, 6, 3)
        other = feats.clone()
        other[0, :, 2, 1] += 1
        changed = (block(other) - block(feats)).abs().amax(1) > 1e-6
        assert not changed[1].any()
        rows, columns = changed[0].nonzero(as_tuple=True)
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 3, 0, 2)

    def test_each_level_has_its_own_and_learns(self):
        head = make_head(person_block=True, loss_id=dict(type='LinearIdentityLoss')).train()
        plain = make_head(loss_id=dict(type='LinearIdentityLoss'))
        added = set(head.state_dict()) - set(plain.state_dict())
        assert {name.split('.')[1] for name in added} == {'0', '1', '2'}
        for _ in range(2):  # the classifier starts near zero
            sum(head.loss(make_feats(), torch.arange(12) % 6).values()).backward()
        for name, parameter in head.named_parameters():
            if 'person_block' in name:
                assert parameter.grad is not None, name

    def test_nobody(self):
        """Several processes wait for the gradient of every weight on each of them."""
        block = PersonBlock(4).train()
        before = {name: buffer.clone() for name, buffer in block.named_buffers()}
        out = block(torch.zeros(0, 4, 6, 3))
        assert out.shape == (0, 4, 6, 3)
        out.sum().backward()
        assert all((p.grad == 0).all() for p in block.parameters())
        for name, buffer in block.named_buffers():
            if 'running' in name:
                assert torch.equal(buffer, before[name])
