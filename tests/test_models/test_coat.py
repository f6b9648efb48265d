"""COAT's cascade: which boxes each stage is trained on, and what is detected and described."""

from __future__ import annotations

import pytest
import torch
from mmdet.structures.bbox import bbox2roi

from mmclsa.errors import ConfigError
from mmclsa.registry import MODELS
from tests.test_models.builders import batch, scene_sample, total_loss
from tests.test_models.rivals import build_rival, overlap, rival_config

pytestmark = pytest.mark.filterwarnings('ignore')


@pytest.fixture(scope='module')
def searcher():
    """One for the tests that only look; its boxes are far from the proposals."""
    made = build_rival('coat').eval()
    head = made.detector.roi_head
    torch.manual_seed(1)
    for stage in (head.second_stage, head.third_stage):
        stage.bbox_head.fc_reg.norm.weight.data.normal_()
    return made


def suppress(boxes, iou, most):
    """NMS by hand of (score, box, ...), the best first."""
    kept = []
    for one in sorted(boxes, key=lambda one: -one[0]):
        if all(overlap(one[1], other[1]) <= iou for other in kept):
            kept.append(one)
    return kept[:most]


@torch.no_grad()
def test_detections_are_those_of_three_stages_one_after_the_other(searcher):
    """Against a loop over boxes, one after the other."""
    inputs, samples = batch(searcher, [scene_sample((128, 160))], False)
    detector, shape = searcher.detector, samples[0].metainfo['img_shape']
    feats = detector.extract_feat(inputs)
    first = detector.roi_head
    second, third = first.second_stage, first.third_stage

    def aligned(box):
        return first.bbox_roi_extractor(feats, bbox2roi([box[None]]))

    def moved(stage, box, delta):
        return stage.bbox_head.bbox_coder.decode(box[None], delta, max_shape=shape)[0]

    boxes = []
    for box in detector.rpn_head.predict(feats, samples, rescale=False)[0].bboxes:
        scores, delta = first.bbox_head(first.shared_head(aligned(box)))
        boxes.append((float(scores.softmax(1)[0, 0]), moved(first, box, delta)))
    boxes = suppress(boxes, 0.4, first.test_cfg.max_per_img)
    for stage, iou in ((second, 0.4), (third, 0.5)):
        later = []
        for score, box, *_ in boxes:
            maps = [s.shared_head.levels(aligned(box)) for s in (second, third)]
            units = [
                torch.nn.functional.normalize(torch.cat(head.embed(own), dim=1))
                for head, own in zip(searcher.reid.head.stages, maps)
            ]
            own = maps[stage is third]
            vector = torch.cat(units, dim=1)[0] / 2**0.5
            later.append((score, moved(stage, box, stage.bbox_head(own[-1])[1]), vector))
        boxes = suppress(later, iou, first.test_cfg.max_per_img)
    found = searcher.predict(inputs, samples)[0].pred_instances
    assert len(found) == len(boxes) > 3
    for index, (score, box, vector) in enumerate(boxes):
        assert found.scores[index].item() == pytest.approx(score, abs=1e-5)
        torch.testing.assert_close(found.bboxes[index], box, atol=1e-3, rtol=0)
        torch.testing.assert_close(found.embeddings[index], vector, atol=1e-5, rtol=0)


@torch.no_grad()
def test_descriptor_of_one_stage_alone(searcher):
    head, scene = searcher.reid.head, scene_sample((128, 160), queries=2)
    found = {}
    for feature in ('concat', 'stage2', 'stage3'):
        head.feature = feature
        found[feature] = searcher.predict(*batch(searcher, [scene], False))[0]
        found[feature] = torch.cat(
            [found[feature].get(f'{of}_instances').embeddings for of in ('pred', 'query')]
        )
    head.feature = 'concat'
    both = torch.cat([found['stage2'], found['stage3']], dim=1) / 2**0.5
    torch.testing.assert_close(found['concat'], both)
    assert not torch.allclose(found['stage2'], found['stage3'], atol=1e-2)


def test_each_stage_is_stricter_and_trained_on_the_boxes_of_the_one_before():
    searcher = build_rival('coat').train()
    head = searcher.detector.roi_head
    stages = (head, head.second_stage, head.third_stage)
    for stage, iou in zip(stages, (0.5, 0.6, 0.7)):
        own = stage.bbox_assigner
        assert (own.pos_iou_thr, own.neg_iou_thr, own.min_pos_iou) == (iou, iou, iou)
        assert own.ignore_iof_thr == -1
    given, left = [], []
    for stage in stages[1:]:
        loss = stage.loss

        def record(x, boxes, samples, loss=loss):
            given.append([scene.bboxes.clone() for scene in boxes])
            return loss(x, boxes, samples)

        stage.loss = record
    for stage in stages[:2]:
        forward = stage._bbox_forward

        def keep(x, rois, forward=forward, stage=stage):
            results = forward(x, rois)
            coder = stage.bbox_head.bbox_coder
            left.append(coder.decode(rois[:, 1:], results['bbox_pred'], max_shape=(96, 128)))
            return results

        stage._bbox_forward = keep
    losses = searcher.loss(*batch(searcher, [scene_sample((96, 128)) for _ in range(2)], True))
    assert len(given) == len(left) == 2
    for boxes, expected in zip(given, left):
        torch.testing.assert_close(torch.cat(boxes), expected)
        assert not any(scene.requires_grad for scene in boxes)
    names = {f's{stage}.{name}' for stage in range(3) for name in ('loss_cls', 'loss_bbox')}
    assert names < set(losses)
    # Nothing of a step outlives it.
    assert head.second_stage.sampled is head.third_stage.sampled is head.sampled is None


def test_losses_follow_the_seed():
    searcher = build_rival('coat').train()
    scenes = [scene_sample((96, 128)) for _ in range(2)]
    state = {name: value.clone() for name, value in searcher.state_dict().items()}
    totals = []
    for seed in (3, 3, 4):
        searcher.load_state_dict(state)
        torch.manual_seed(seed)
        totals.append(total_loss(searcher.loss(*batch(searcher, scenes, True))).item())
    assert totals[0] == totals[1] != totals[2]


def test_clsa_and_a_linear_classifier_join_each_stage():
    searcher = build_rival(
        'coat',
        head=dict(
            loss_align=dict(type='SemanticAlignmentLoss'),
            loss_class=dict(type='BNNeckIdentityLoss', loss_weight=0.5),
        ),
    ).train()
    losses = searcher.loss(*batch(searcher, [scene_sample((96, 128), people=2, ids=[0, 1])], True))
    own = {name for name in losses if name.startswith(('loss_id', 'loss_align'))}
    parts = ('loss_id', 'loss_id_l0', 'loss_id_l1', 'loss_id_class', 'loss_align_l0')
    assert own == {f'{part}_s{stage}' for part in parts for stage in (1, 2)}
    total_loss(losses).backward()
    for stage in searcher.reid.head.stages:
        *memories, linear = stage.id_losses
        assert linear.classifier.weight.grad.abs().sum() > 0
        # Each level remembers its own part, the embedding all of it.
        assert [int(m.memory.table.abs().sum(1).bool().sum()) for m in memories] == [2, 2, 2]


class TestConfig:
    @pytest.mark.parametrize('ious', [(0.5, 0.6), (0.5, 0.6, 1.5), (0, 0.6, 0.7)])
    def test_ious(self, ious):
        cfg = rival_config('coat').model
        cfg.detector.roi_head.stage_ious = ious
        with pytest.raises(ConfigError, match='stage_ious must be three numbers'):
            MODELS.build(cfg)

    def test_head_of_one_stage(self):
        cfg = rival_config('coat').model
        cfg.reid.head.type = 'RoIEmbeddingHead'
        with pytest.raises(ConfigError, match='must be a CascadeEmbeddingHead, but is RoIEmb'):
            MODELS.build(cfg)

    def test_feature(self):
        cfg = rival_config('coat').model
        cfg.reid.head.feature = 'stage1'
        with pytest.raises(ConfigError, match=r"feature must be one of .* but is 'stage1'"):
            MODELS.build(cfg)
