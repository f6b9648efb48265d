import copy

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from mmclsa.errors import ConfigError, UserError
from mmclsa.registry import MODELS
from tests.test_models.builders import (
    DETECTORS,
    NUM_IDENTITIES,
    batch,
    build_searcher,
    crop_reid_cfg,
    scene_reid_cfg,
    scene_sample,
    total_loss,
)

pytestmark = pytest.mark.filterwarnings('ignore')


def count_backbone_calls(searcher):
    calls = []
    searcher.detector.backbone.register_forward_hook(lambda *_: calls.append(1))
    return calls


@pytest.fixture(params=DETECTORS, scope='module')
def detector(request):
    return request.param


class TestLoss:
    def test_names_and_single_backbone_pass(self, detector):
        searcher = build_searcher(detector).train()
        calls = count_backbone_calls(searcher)
        losses = searcher.loss(*batch(searcher, [scene_sample((128, 160))], True))
        assert len(calls) == 1
        own = {k for k in losses if 'loss_id' in k or 'loss_align' in k}
        assert own == {f'loss_id_l{k}' for k in range(3)} | {f'loss_align_l{k}' for k in range(2)}
        assert any(k not in own for k in losses), 'the detector has losses of its own'
        assert torch.isfinite(total_loss(losses))

    def test_backward_reaches_every_parameter(self, detector):
        searcher = build_searcher(detector).train()
        scenes = [scene_sample((128, 160)), scene_sample((160, 128)), scene_sample((96, 96))]
        total_loss(searcher.loss(*batch(searcher, scenes, True))).backward()
        # YOLOX and the RPN have branches that only learn from a matched prediction;
        # all of them are matched here.
        missing = [n for n, p in searcher.named_parameters() if p.requires_grad and p.grad is None]
        assert missing == []
        reid = [p for p in searcher.reid.parameters() if p.requires_grad]
        assert all(p.grad.abs().sum() > 0 for p in reid)

    @pytest.mark.parametrize('reid', ['scene', 'crop'])
    @pytest.mark.parametrize('ids', [[], [-1, -1]], ids=['nobody', 'only unlabelled'])
    def test_scene_without_identities(self, detector, reid, ids):
        searcher = build_searcher(detector, reid=reid).train()
        scenes = [scene_sample((128, 128), people=len(ids), ids=ids)]
        losses = searcher.loss(*batch(searcher, scenes, True))
        assert all(losses[f'loss_id_l{k}'] == 0 for k in range(3))
        assert all(losses[f'loss_align_l{k}'] == 0 for k in range(2))
        total = total_loss(losses)
        assert torch.isfinite(total)
        total.backward()
        grads = [p.grad for p in searcher.reid.parameters() if p.grad is not None]
        assert grads
        assert all(torch.isfinite(g).all() for g in grads)

    def test_identity_out_of_range(self, detector):
        searcher = build_searcher(detector).train()
        scenes = [scene_sample((128, 128), people=1, ids=[NUM_IDENTITIES])]
        with pytest.raises(
            UserError, match=f'num_identities={NUM_IDENTITIES}.*got {NUM_IDENTITIES}'
        ):
            searcher.loss(*batch(searcher, scenes, True))


@pytest.mark.parametrize('reid', ['scene', 'crop'])
def test_autocast(reid):
    head = dict(loss_id=dict(type='OIMLoss', queue_size=4))
    # YOLOX: MMDetection's own RoI extractor has no bfloat16 kernel on the CPU.
    searcher = build_searcher('yolox', reid=reid, head=head).train()
    inputs, samples = batch(searcher, [scene_sample((128, 160)), scene_sample((96, 96))], True)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = searcher.loss(inputs, samples)
    own = {k: v for k, v in losses.items() if k.startswith(('loss_id', 'loss_align'))}
    assert all(v.dtype == torch.float32 for v in own.values())
    total = total_loss(losses)
    assert torch.isfinite(total)
    total.backward()
    with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16):
        result = searcher.eval().predict(inputs[:1], samples[:1])[0]
    assert result.pred_instances.embeddings.dtype == torch.float32


class TestPredict:
    @torch.no_grad()
    def test_detections_and_queries_in_one_pass(self, detector):
        searcher = build_searcher(detector).eval()
        calls = count_backbone_calls(searcher)
        scenes = [
            scene_sample((128, 160), queries=2, scale=0.5),
            scene_sample((96, 96), queries=0),
            scene_sample((64, 128), people=0),
        ]
        results = searcher.predict(*batch(searcher, scenes, False))
        assert len(calls) == 1
        for result in results:
            found = result.pred_instances
            assert found.embeddings.shape == (len(found), 24)
            assert found.bboxes.shape == (len(found), 4)
            lengths = found.embeddings.norm(dim=1)
            torch.testing.assert_close(lengths, torch.ones_like(lengths))
        assert results[0].query_instances.embeddings.shape == (2, 24)

    @torch.no_grad()
    def test_boxes_are_the_detectors_own(self, detector):
        searcher = build_searcher(detector).eval()
        inputs, samples = batch(searcher, [scene_sample((128, 160), scale=0.5)], False)
        expected = searcher.detector.predict(inputs, samples, rescale=True)[0].pred_instances
        found = searcher.predict(inputs, samples)[0].pred_instances
        torch.testing.assert_close(found.bboxes, expected.bboxes)
        torch.testing.assert_close(found.scores, expected.scores)

    @torch.no_grad()
    def test_query_embedding_equals_that_of_the_same_box(self, detector):
        searcher = build_searcher(detector, use_gt_boxes=True).eval()
        scene = scene_sample((128, 160), people=3, queries=3, scale=0.5)
        # At test time ground truth comes in original pixels, as queries do.
        scene[1].gt_instances.bboxes = scene[1].gt_instances.bboxes / 0.5
        result = searcher.predict(*batch(searcher, [scene], False))[0]
        assert (result.pred_instances.scores == 1).all()
        torch.testing.assert_close(
            result.query_instances.embeddings, result.pred_instances.embeddings
        )

    @torch.no_grad()
    def test_batch_of_three_equals_three_batches_of_one(self):
        # Faster R-CNN alone: padding to a common size moves a DETR's features.
        searcher = build_searcher('faster_rcnn').eval()
        scenes = [scene_sample((128, 160), queries=1) for _ in range(3)]
        together = searcher.predict(*batch(searcher, scenes, False))
        for scene, joint in zip(scenes, together):
            alone = searcher.predict(*batch(searcher, [scene], False))[0]
            torch.testing.assert_close(
                joint.query_instances.embeddings,
                alone.query_instances.embeddings,
                atol=1e-5,
                rtol=0,
            )


class TestCropReID:
    def test_joint_training(self, detector):
        searcher = build_searcher(detector, reid='crop').train()
        scenes = [scene_sample((128, 160), scale=0.5), scene_sample((96, 128), scale=0.5)]
        losses = searcher.loss(*batch(searcher, scenes, True))
        total_loss(losses).backward()
        assert all(p.grad is not None for p in searcher.reid.parameters() if p.requires_grad)

    def test_frozen_detector_is_left_alone(self):
        searcher = build_searcher('yolox', reid='crop', freeze_detector=True).train()
        before = {k: v.clone() for k, v in searcher.detector.state_dict().items()}
        calls = count_backbone_calls(searcher)
        losses = searcher.loss(*batch(searcher, [scene_sample((128, 128))], True))
        assert all(k.startswith(('loss_id', 'loss_align')) for k in losses)
        assert not calls, 'a frozen detector is not run for crops'
        assert not searcher.detector.training
        assert all(torch.equal(v, before[k]) for k, v in searcher.detector.state_dict().items())
        assert not any(p.requires_grad for p in searcher.detector.parameters())

    def test_frozen_detector_still_feeds_scene_reid(self):
        searcher = build_searcher('faster_rcnn', freeze_detector=True).train()
        total_loss(searcher.loss(*batch(searcher, [scene_sample((128, 128))], True))).backward()
        assert all(p.grad is None for p in searcher.detector.parameters())
        assert all(p.grad is not None for p in searcher.reid.parameters() if p.requires_grad)

    @torch.no_grad()
    def test_crop_comes_from_the_original_picture(self):
        searcher = build_searcher('yolox', reid='crop', use_gt_boxes=True).eval()
        scene = scene_sample((64, 64), people=1, scale=0.25)
        scene[1].gt_instances.bboxes = torch.tensor([[20.0, 40.0, 84.0, 168.0]])
        result = searcher.predict(*batch(searcher, [scene], False))[0]
        reid = searcher.reid
        crop = scene[1].original_image[:, 40:168, 20:84].float()
        crop = torch.nn.functional.avg_pool2d(crop[None], 2)
        expected = reid.describe_crops(reid.normalize(crop))
        torch.testing.assert_close(result.pred_instances.embeddings, expected, atol=1e-4, rtol=0)

    def test_missing_original_picture(self):
        searcher = build_searcher('yolox', reid='crop').train()
        scene = scene_sample((64, 64))
        del scene[1].original_image
        with pytest.raises(ConfigError, match=r'KeepOriginalImage'):
            searcher.loss(*batch(searcher, [scene], True))


class TestTrainingBoxes:
    def test_proposals_join(self):
        boxes = dict(proposals=True, min_iou=0.0, max_per_person=2)
        searcher = build_searcher('faster_rcnn', train_boxes=boxes).train()
        seen = []
        original = searcher.reid.loss
        searcher.reid.loss = lambda s, b, i, o: (seen.append((b, i, o)), original(s, b, i, o))[1]
        scene = scene_sample((128, 160), people=2, ids=[4, -1])
        searcher.loss(*batch(searcher, [scene], True))
        (got_boxes,), (got_ids,), (got_owners,) = seen[0]
        torch.testing.assert_close(got_boxes[:2], scene[1].gt_instances.bboxes)
        assert len(got_boxes) == len(got_ids)
        assert 2 < len(got_ids) <= 2 + 2 * 2
        assert got_ids.tolist() == [(4, -1)[owner] for owner in got_owners.tolist()]
        assert got_owners[:2].tolist() == [0, 1]

    def test_proposals_need_a_roi_head(self):
        searcher = build_searcher('yolox', train_boxes=dict(proposals=True)).train()
        with pytest.raises(ConfigError, match='roi_head'):
            searcher.loss(*batch(searcher, [scene_sample((128, 128))], True))

    def test_tap_leaves_no_trace(self):
        searcher = build_searcher('faster_rcnn', train_boxes=dict(proposals=True)).train()
        searcher.loss(*batch(searcher, [scene_sample((128, 128))], True))
        assert 'loss' not in vars(searcher.detector.roi_head)
        assert not searcher.detector.backbone._forward_hooks


@pytest.mark.parametrize('reid', ['scene', 'crop'])
@torch.no_grad()
def test_boxes_of_a_detector_gone_wild(reid):
    """RoIAlign crashes the process at infinite boxes; an untrained YOLOX can give them."""
    searcher = build_searcher('yolox', reid=reid).eval()
    inputs, samples = batch(searcher, [scene_sample((128, 128))], False)
    inf, nan = float('inf'), float('nan')
    boxes = [[1.0, 2, 30, 60], [0, 0, inf, 9], [nan, 0, 9, 9], [-1e30, 0, 1e30, 9]]
    found = InstanceData(
        bboxes=torch.tensor(boxes), scores=torch.ones(4), labels=torch.zeros(4, dtype=torch.int64)
    )
    samples[0].pred_instances = found

    def predict(inputs, samples, rescale):
        searcher.detector.backbone(inputs)
        return samples

    searcher.detector.predict = predict
    result = searcher.predict(inputs, samples)[0].pred_instances
    assert result.bboxes.equal(found.bboxes[[0, 3]])
    assert torch.isfinite(result.embeddings).all()


@torch.no_grad()
def test_other_classes_are_dropped():
    searcher = build_searcher('yolox', person_label=7).eval()
    result = searcher.predict(*batch(searcher, [scene_sample((128, 128))], False))[0]
    assert len(result.pred_instances) == 0
    assert result.pred_instances.embeddings.shape == (0, 24)


def test_training_changes_the_memory_once_a_step():
    head = dict(loss_id=dict(type='OIMLoss', queue_size=4))
    searcher = build_searcher('yolox', head=head).train()
    scenes = [scene_sample((128, 128), people=3, ids=[2, -1, 2])]
    total_loss(searcher.loss(*batch(searcher, scenes, True))).backward()
    for loss in searcher.reid.head.classifiers:
        assert loss.memory.queue_pointer == 1
        used = loss.memory.table.norm(dim=1) > 0
        assert used.tolist() == [False, False, True, False, False, False]


class TestAlone:
    """A re-ID network without a detector."""

    def build(self, **options):
        init_default_scope('mmclsa')
        torch.manual_seed(0)
        cfg = dict(
            type='PersonSearcher',
            detector=None,
            reid=crop_reid_cfg(),
            data_preprocessor=dict(type='DetDataPreprocessor'),
            use_gt_boxes=True,
        )
        return MODELS.build({**cfg, **options})

    def test_it_trains(self):
        searcher = self.build().train()
        assert all(name.startswith('reid.') for name in searcher.state_dict())
        scenes = [scene_sample((128, 128), scale=0.5), scene_sample((96, 128), scale=0.5)]
        losses = searcher.loss(*batch(searcher, scenes, True))
        assert all(name.startswith(('loss_id', 'loss_align')) for name in losses)
        total_loss(losses).backward()
        assert all(p.grad is not None for p in searcher.parameters() if p.requires_grad)

    @torch.no_grad()
    def test_it_describes_as_behind_a_detector(self):
        alone = self.build().eval()
        behind = build_searcher('yolox', reid='crop', use_gt_boxes=True).eval()
        behind.reid.load_state_dict(alone.reid.state_dict())
        scene = scene_sample((128, 160), people=3, queries=2, scale=0.5)
        scene[1].gt_instances.bboxes = scene[1].gt_instances.bboxes / 0.5
        one, other = (
            m.predict(*batch(m, [copy.deepcopy(scene)], False))[0] for m in (alone, behind)
        )
        torch.testing.assert_close(one.pred_instances.embeddings, other.pred_instances.embeddings)
        torch.testing.assert_close(one.query_instances.embeddings, other.query_instances.embeddings)

    @torch.no_grad()
    def test_without_ground_truth_it_describes_given_boxes_alone(self):
        searcher = self.build().eval()
        scene = scene_sample((128, 160), people=3, queries=2)
        del scene[1].gt_instances
        result = searcher.predict(*batch(searcher, [copy.deepcopy(scene)], False))[0]
        assert result.query_instances.embeddings.shape == (2, 24)
        assert len(result.pred_instances) == 0
        del scene[1].query_instances
        with pytest.raises(ConfigError, match='finds nobody by itself'):
            searcher.predict(*batch(searcher, [scene], False))

    def test_it_needs_boxes_and_a_backbone_of_its_own(self):
        with pytest.raises(ConfigError, match=r'detector is None, .* set use_gt_boxes=True'):
            self.build(use_gt_boxes=False)
        scene_reid = scene_reid_cfg([16, 32, 64])
        with pytest.raises(ConfigError, match='SceneReID takes the features of its backbone'):
            self.build(reid=scene_reid)
