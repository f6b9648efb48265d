"""OIM, NAE, SeqNet and COAT as person searchers: what any searcher must do, these must."""

from __future__ import annotations

import copy
import re

import pytest
import torch
from mmdet.structures.bbox import bbox2roi
from mmengine.registry import init_default_scope

from mmclsa.errors import ConfigError, UserError
from mmclsa.registry import MODELS
from tests.test_models.builders import NUM_IDENTITIES, batch, scene_sample, total_loss
from tests.test_models.rivals import (
    DIMS,
    RIVALS,
    build_rival,
    memories,
    narrow_r50,
    overlap,
    rival_config,
)

pytestmark = pytest.mark.filterwarnings('ignore')

LOSSES = {
    'clsa-seqnet': {'loss_id', 'loss_id_l0', 'loss_id_l1', 'loss_align_l0'},
    'coat': {'loss_id_s1', 'loss_id_s2'},
}


@pytest.fixture(params=RIVALS, scope='module')
def rival(request):
    return request.param


@pytest.fixture(scope='module')
def searcher(rival):
    """One for the tests that only look."""
    return build_rival(rival).eval()


class TestLoss:
    def test_names_and_gradient(self, rival):
        searcher = build_rival(rival).train()
        for name, buffer in searcher.reid.named_buffers():
            if name.endswith('memory.table'):
                buffer.normal_()  # an empty one has no gradient
        scenes = [scene_sample((128, 160)), scene_sample((160, 128)), scene_sample((96, 96))]
        losses = searcher.loss(*batch(searcher, scenes, True))
        own = {name for name in losses if name.startswith(('loss_id', 'loss_align'))}
        assert own == LOSSES.get(rival, {'loss_id'})
        assert ('s0.loss_cls' in losses) == (rival in ('seqnet', 'clsa-seqnet', 'coat'))
        total = total_loss(losses)
        assert torch.isfinite(total)
        total.backward()
        without = [n for n, p in searcher.named_parameters() if p.requires_grad and p.grad is None]
        assert without == []
        still = [n for n, p in searcher.reid.named_parameters() if p.grad.abs().sum() == 0]
        assert still == []

    @pytest.mark.parametrize('ids', [[], [-1, -1]], ids=['nobody', 'only unlabelled'])
    def test_scene_without_identities(self, rival, ids):
        searcher = build_rival(rival).train()
        scenes = [scene_sample((128, 128), people=len(ids), ids=ids)]
        losses = searcher.loss(*batch(searcher, scenes, True))
        assert all(v == 0 for name, v in losses.items() if name.startswith('loss_id'))
        total = total_loss(losses)
        assert torch.isfinite(total)
        total.backward()
        # Several processes wait for each other's gradients: none may lack.
        assert all(p.grad is not None for p in searcher.parameters() if p.requires_grad)
        assert all(p.grad.isfinite().all() for p in searcher.parameters() if p.requires_grad)
        for memory in memories(searcher):
            assert memory.table.abs().sum() == 0
            assert bool(memory.queue.abs().sum() > 0) == bool(ids)

    def test_identity_out_of_range(self, rival):
        searcher = build_rival(rival).train()
        scenes = [scene_sample((128, 128), people=1, ids=[NUM_IDENTITIES])]
        with pytest.raises(UserError, match=f'got {NUM_IDENTITIES}'):
            searcher.loss(*batch(searcher, scenes, True))

    def test_autocast(self, rival):
        searcher = build_rival(rival).train()
        inputs, samples = batch(searcher, [scene_sample((128, 160)), scene_sample((96, 96))], True)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            losses = searcher.loss(inputs, samples)
        own = [v for k, v in losses.items() if k.startswith(('loss_id', 'loss_align'))]
        assert all(value.dtype == torch.float32 for value in own)
        total = total_loss(losses)
        assert torch.isfinite(total)
        total.backward()
        trained = [p for p in searcher.parameters() if p.requires_grad]
        assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in trained)
        with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16):
            found = searcher.eval().predict(inputs[:1], samples[:1])[0].pred_instances
        assert len(found)
        assert {found.embeddings.dtype, found.scores.dtype, found.bboxes.dtype} == {torch.float32}

    def test_frozen_detector_trains_the_embedding_alone(self, rival):
        searcher = build_rival(rival, freeze_detector=True).train()
        before = copy.deepcopy(searcher.detector.state_dict())
        losses = searcher.loss(*batch(searcher, [scene_sample((128, 160))], True))
        assert all(name.startswith(('loss_id', 'loss_align')) for name in losses)
        total_loss(losses).backward()
        assert all(p.grad is None for p in searcher.detector.parameters())
        assert all(p.grad is not None for p in searcher.reid.parameters())
        after = searcher.detector.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items())


class TestPredict:
    @torch.no_grad()
    def test_detections_and_queries_in_one_pass(self, searcher):
        calls = []
        handle = searcher.detector.backbone.register_forward_hook(lambda *_: calls.append(1))
        scenes = [
            scene_sample((128, 160), queries=2, scale=0.5),
            scene_sample((96, 96), queries=0),
            scene_sample((64, 128), people=0),
        ]
        results = searcher.predict(*batch(searcher, scenes, False))
        handle.remove()
        assert len(calls) == 1
        for result in results:
            found = result.pred_instances
            assert len(found) > 0
            assert found.embeddings.shape == (len(found), DIMS)
            lengths = found.embeddings.norm(dim=1)
            torch.testing.assert_close(lengths, torch.ones_like(lengths))
            assert (found.scores.diff() <= 0).all()
        assert results[0].query_instances.embeddings.shape == (2, DIMS)

    @torch.no_grad()
    def test_batch_of_three_equals_three_batches_of_one(self, searcher):
        scenes = [scene_sample((128, 160), queries=1) for _ in range(3)]
        together = searcher.predict(*batch(searcher, scenes, False))
        joint = [copy.deepcopy(result) for result in together]
        for scene, one in zip(scenes, joint):
            alone = searcher.predict(*batch(searcher, [scene], False))[0]
            for field in ('pred_instances', 'query_instances'):
                known, found = alone.get(field), one.get(field)
                for name in set(known.keys()) - {'labels', 'query_ids'}:
                    torch.testing.assert_close(found[name], known[name], atol=1e-4, rtol=0)

    @torch.no_grad()
    def test_query_embedding_equals_that_of_the_same_box(self, searcher):
        searcher.use_gt_boxes = True
        scene = scene_sample((128, 160), people=3, queries=3, scale=0.5)
        scene[1].gt_instances.bboxes = scene[1].gt_instances.bboxes / 0.5
        result = searcher.predict(*batch(searcher, [scene], False))[0]
        searcher.use_gt_boxes = False
        assert (result.pred_instances.scores == 1).all()
        torch.testing.assert_close(
            result.query_instances.embeddings, result.pred_instances.embeddings
        )

    @torch.no_grad()
    def test_nobody_is_found(self, searcher):
        scene = scene_sample((128, 160), queries=1)
        roi_head = searcher.detector.roi_head
        kept, roi_head.test_cfg.score_thr = roi_head.test_cfg.score_thr, 1.0
        result = searcher.predict(*batch(searcher, [scene], False))[0]
        roi_head.test_cfg.score_thr = kept
        assert result.pred_instances.embeddings.shape == (0, DIMS)
        assert result.query_instances.embeddings.shape == (1, DIMS)


@pytest.mark.parametrize('name', RIVALS)
def test_configs_of_resnet_50_train_a_step_and_detect(name):
    init_default_scope('mmclsa')
    torch.manual_seed(0)
    searcher = MODELS.build(narrow_r50(name).model)
    searcher.init_weights()
    scenes = [scene_sample((160, 224)), scene_sample((160, 192))]
    losses = searcher.train().loss(*batch(searcher, scenes, True))
    total_loss(losses).backward()
    trained = [p for p in searcher.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)
    # The stem is frozen, and in OIM every batch norm of the ResNet.
    frozen = {n for n, p in searcher.named_parameters() if not p.requires_grad}
    assert 'detector.backbone.conv1.weight' in frozen
    assert ('detector.backbone.layer1.0.bn1.weight' in frozen) == (name == 'oim')
    with torch.no_grad():
        scene = scene_sample((160, 224), queries=2)
        result = searcher.eval().predict(*batch(searcher, [scene], False))[0]
    size = 512 if name == 'coat' else 256
    assert result.query_instances.embeddings.shape == (2, size)
    assert result.pred_instances.embeddings.shape == (len(result.pred_instances), size)


@torch.no_grad()
@pytest.mark.parametrize('name', ['oim', 'nae'])
def test_each_detection_carries_the_embedding_of_its_own_roi(name):
    """Against a loop over the proposals, one after the other, and NMS by hand."""
    searcher = build_rival(name).eval()
    inputs, samples = batch(searcher, [scene_sample((128, 160))], False)
    detector, meta = searcher.detector, samples[0].metainfo
    feats = detector.extract_feat(inputs)
    proposals = detector.rpn_head.predict(feats, samples, rescale=False)[0].bboxes
    scored = []
    for box in proposals:
        maps = detector.roi_head.extract(feats, bbox2roi([box[None]]))
        levels = searcher.reid.head.embed(maps)
        scores, delta = detector.roi_head.bbox_head(maps[-1])
        vector = torch.cat(levels, dim=1)[0]
        if name == 'nae':
            norm = detector.roi_head.norm_score.rescaler
            logit = (vector.norm() - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
            score = torch.sigmoid(logit * norm.weight + norm.bias)[0]
        else:
            score = scores.softmax(1)[0, 0]
        coder = detector.roi_head.bbox_head.bbox_coder
        moved = coder.decode(box[None], delta, max_shape=meta['img_shape'])[0]
        scored.append((float(score), moved, vector / vector.norm()))
    scored.sort(key=lambda one: -one[0])
    kept = []
    for one in scored:
        if all(overlap(one[1], other[1]) <= 0.4 for other in kept):
            kept.append(one)
    found = searcher.predict(inputs, samples)[0].pred_instances
    expected = kept[: detector.roi_head.test_cfg.max_per_img]
    assert len(found) == len(expected) > 3
    for index, (score, box, vector) in enumerate(expected):
        assert found.scores[index].item() == pytest.approx(score, abs=1e-5)
        torch.testing.assert_close(found.bboxes[index], box, atol=1e-3, rtol=0)
        torch.testing.assert_close(found.embeddings[index], vector, atol=1e-5, rtol=0)


class TestSeqNet:
    @torch.no_grad()
    def test_scores_are_those_of_the_first_stage(self):
        searcher = build_rival('seqnet').eval()
        inputs, samples = batch(searcher, [scene_sample((128, 160))], False)
        head = searcher.detector.roi_head
        first = []
        original = head.second_stage.predict_bbox
        head.second_stage.predict_bbox = lambda x, metas, boxes, *rest: (
            first.extend(boxes),
            original(x, metas, boxes, *rest),
        )[1]
        found = searcher.predict(inputs, samples)[0].pred_instances
        # The second stage moves boxes and suppresses more of them, and scores none.
        assert set(found.scores.tolist()) <= set(first[0].scores.tolist())
        feats = searcher.detector.extract_feat(inputs)
        for person in range(len(found)):
            origin = int((first[0].scores == found.scores[person]).nonzero()[0])
            box = first[0].bboxes[origin][None]
            vector = searcher.reid.head(head.second_stage.extract(feats, bbox2roi([box])))
            torch.testing.assert_close(found.embeddings[person], vector[0], atol=1e-5, rtol=0)

    @torch.no_grad()
    def test_scores_of_the_second_stage(self):
        searcher = build_rival('seqnet').eval()
        inputs, samples = batch(searcher, [scene_sample((128, 160))], False)
        searcher.detector.roi_head.second_stage.final = 'second'
        second = searcher.predict(inputs, samples)[0].pred_instances.scores
        searcher.detector.roi_head.second_stage.final = 'first'
        first = searcher.predict(inputs, samples)[0].pred_instances.scores
        assert not set(second.tolist()) & set(first.tolist())


class TestConfig:
    def test_another_roi_head(self):
        cfg = rival_config('oim').model
        cfg.detector.roi_head.type = 'StandardRoIHead'
        cfg.detector.roi_head.bbox_head = dict(type='BBoxHead', in_channels=64, roi_feat_size=4)
        with pytest.raises(ConfigError, match='roi_head is StandardRoIHead'):
            MODELS.build(cfg)

    def test_head_of_several_stages(self):
        cfg = rival_config('oim').model
        cfg.reid.head.type = 'CascadeEmbeddingHead'
        with pytest.raises(ConfigError, match='must be a RoIEmbeddingHead, but is Cascade'):
            MODELS.build(cfg)

    def test_several_classes(self):
        cfg = rival_config('oim').model
        cfg.detector.roi_head.bbox_head.num_classes = 2
        with pytest.raises(ConfigError, match='num_classes must be 1'):
            MODELS.build(cfg)

    def test_weights_belong_to_one_module(self, searcher):
        names = [name for name, _ in searcher.named_parameters(remove_duplicate=False)]
        assert len(names) == len({id(p) for p in searcher.parameters()})
        assert any(re.match(r'reid\.head\..*projections', name) for name in names)

    def test_a_copy_describes_by_its_own_weights(self, searcher):
        other = copy.deepcopy(searcher)
        stage = other.detector.roi_head.embedding_stage
        assert stage.embedder is other.reid.head
        assert other.reid.detector is other.detector

    def test_norm_aware_score_without_embeddings(self):
        """A branch of another kind leaves the RoI head without what it scores by."""
        searcher = build_rival('nae').eval()
        searcher.detector.roi_head.attach(None)
        with pytest.raises(ConfigError, match='must be RoIReID'), torch.no_grad():
            searcher.predict(*batch(searcher, [scene_sample((96, 96))], False))
