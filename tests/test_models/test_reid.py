import pytest
import torch
import torch.nn.functional as F
from mmdet.models.necks import FPN
from mmengine.registry import init_default_scope

from mmclsa.errors import ConfigError
from mmclsa.models import CLSANeck, MultiScaleReIDHead, SceneReID
from mmclsa.models.reid import crop_people
from mmclsa.models.reid.base import SceneBatch
from mmclsa.models.reid.level_embedding import LevelEmbedding
from mmclsa.models.reid.pooling import StripePooling
from mmclsa.models.searchers import jitter_boxes, match_proposals
from mmclsa.registry import MODELS
from tests.test_models.builders import crop_reid_cfg, head_cfg, scene_reid_cfg, scene_sample


def make_head(**options):
    torch.manual_seed(0)
    cfg = head_cfg(**options)
    cfg.pop('type')
    return MultiScaleReIDHead(**cfg)


def make_feats(people, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(people, 16, 6, 3, generator=generator) for _ in range(3)]


class TestHead:
    def test_golden_losses(self):
        head = make_head(
            loss_id=dict(type='LinearIdentityLoss', cosine_scale=16.0),
            loss_triplet=dict(type='BatchHardTripletLoss'),
            bn_min_people=2,
        ).train()
        losses = head.loss(make_feats(6), torch.tensor([0, 0, 1, 1, 5, -1]))
        got = {name: round(value.item(), 4) for name, value in losses.items()}
        assert got == pytest.approx(GOLDEN, abs=2e-4), f'Losses have changed! New losses: {got}'

    def test_descriptor_is_the_normalised_concatenation(self):
        head = make_head().eval()
        feats = make_feats(4)
        levels = [after for _, after in head.embed_levels(feats)]
        expected = F.normalize(torch.cat([F.normalize(e) for e in levels], dim=1))
        torch.testing.assert_close(head(feats), expected)
        for feature, level in {'source': 2, 'level_0': 0, 'level_1': 1}.items():
            one = make_head(feature=feature).eval()
            torch.testing.assert_close(one(feats), F.normalize(levels[level]))

    def test_source_learns_nothing_from_alignment(self):
        head = make_head(loss_id=dict(type='LinearIdentityLoss', loss_weight=0.0)).train()
        sum(head.loss(make_feats(6), torch.arange(6)).values()).backward()
        grads = [
            sum(p.grad.abs().sum().item() for p in level.parameters() if p.grad is not None)
            for level in head.levels
        ]
        assert grads[2] == 0
        assert min(grads[:2]) > 0

    def test_align_unlabeled(self):
        feats, ids = make_feats(5), torch.tensor([0, 1, -1, -1, 2])
        labelled = make_head().train().loss(feats, ids)
        everybody = make_head(align_unlabeled=True).train().loss(feats, ids)
        assert labelled['loss_align_l0'] != everybody['loss_align_l0']
        assert labelled['loss_id_l0'] == everybody['loss_id_l0']
        nobody = torch.full((5,), -1)
        assert make_head().train().loss(feats, nobody)['loss_align_l0'] == 0
        assert make_head(align_unlabeled=True).train().loss(feats, nobody)['loss_align_l0'] > 0

    def test_without_alignment(self):
        losses = make_head(loss_align=None).train().loss(make_feats(3), torch.arange(3))
        assert set(losses) == {'loss_id_l0', 'loss_id_l1', 'loss_id_l2'}

    def test_memory_stays_put_in_evaluation(self):
        head = make_head(loss_id=dict(type='OIMLoss', queue_size=4)).eval()
        head.loss(make_feats(3), torch.tensor([0, -1, 2]))
        assert all((loss.memory.table == 0).all() for loss in head.classifiers)

    def test_order_of_people_does_not_matter(self):
        head, ids = make_head().train(), torch.tensor([3, 0, 0, -1, 2])
        order = torch.tensor([4, 2, 0, 1, 3])
        feats = make_feats(5)
        one = head.loss(feats, ids)
        two = head.loss([f[order] for f in feats], ids[order])
        for name, value in one.items():
            torch.testing.assert_close(two[name], value)

    def test_bad_options(self):
        with pytest.raises(ConfigError, match=r"feature must be one of .*'concat'.* got 'level_3'"):
            make_head(feature='level_3')
        with pytest.raises(ConfigError, match='num_identities must be at least 1, but got 0'):
            make_head(num_identities=0)


GOLDEN = {
    'loss_id_l0': 5.2725,
    'loss_id_l1': 6.6286,
    'loss_id_l2': 9.8031,
    'loss_align_l0': 15.7205,
    'loss_align_l1': 8.9539,
    'loss_triplet_l0': 0.7462,
    'loss_triplet_l1': 0.703,
    'loss_triplet_l2': 1.2212,
}


def level(people_needed=8):
    torch.manual_seed(0)
    return LevelEmbedding(16, 256, min_people=people_needed).train()


def people_maps(people, copies, noise=0.02):
    """Near copies of some people; what they share is large, as after a ReLU."""
    each = torch.randn(people, 16, 1, 1).repeat_interleave(copies, 0)
    return 4 + each + noise * torch.randn(people * copies, 16, 4, 2)


class TestSmallBatches:
    """Batch norm among near copies of one person leaves nothing but noise."""

    @pytest.mark.parametrize('people', [0, 1, 2])
    def test_any_number_of_people(self, people):
        _, out = level()(torch.randn(people, 16, 4, 2))
        assert out.shape == (people, 256)
        assert torch.isfinite(out).all()

    @pytest.mark.parametrize('synchronised', [False, True])
    def test_copies_of_one_person_stay_alike(self, synchronised):
        embed = level()
        if synchronised:
            embed = torch.nn.SyncBatchNorm.convert_sync_batchnorm(embed)
        for _ in range(30):
            embed(people_maps(20, 5), num_people=20)
        _, out = embed(people_maps(1, 5), num_people=1)
        assert cosines(out).min() > 0.98

    def test_copies_are_noise_to_a_plain_batch_norm(self):
        _, out = level(people_needed=2)(people_maps(1, 5), num_people=5)
        assert cosines(out).abs().mean() < 0.5

    def test_training_on_single_people_finds_the_statistics_of_all(self):
        embed, everybody = level(), []
        for _ in range(2000):
            before, _ = embed(people_maps(1, 5), num_people=1)
            everybody.append(before.detach())
        rows = torch.cat(everybody)
        mean, std = rows.mean(dim=0), rows.std(dim=0)
        norm = embed.bn_neck
        assert ((norm.running_mean - mean).abs() / std).mean() < 0.3
        assert (norm.running_var.sqrt() / std).mean() == pytest.approx(1, abs=0.15)

    def test_enough_people_have_statistics_of_their_own(self):
        embed, maps = level(), people_maps(8, 2)
        before, after = embed(maps, num_people=8)
        expected = F.batch_norm(before, None, None, training=True)
        torch.testing.assert_close(after, expected)
        _, small = embed(maps, num_people=7)
        assert not torch.allclose(small, expected)

    def test_memory_gets_no_noise(self):
        """A step on one picture with one person moves his row of the memory a little."""
        cfg = dict(loss_id=dict(type='OIMLoss', momentum=0.5))
        head, ids = make_head(**cfg).train(), torch.arange(6).repeat_interleave(4)
        one = torch.zeros(5, dtype=torch.int64)
        crowd = [people_maps(6, 4) for _ in range(3)]
        for _ in range(40):
            head.loss(crowd, ids, owners=torch.arange(24))
        row = head.classifiers[0].memory.table[0].clone()
        head.loss([maps[:1].repeat(5, 1, 1, 1) for maps in crowd], one, owners=one)
        assert F.cosine_similarity(head.classifiers[0].memory.table[0], row, dim=0) > 0.9


def cosines(rows):
    units = F.normalize(rows.detach())
    return (units @ units.T)[~torch.eye(len(units), dtype=torch.bool)]


class TestPooling:
    @pytest.mark.parametrize('pool', ['avg', 'max', 'gem'])
    def test_stripes_equal_pooling_of_each_part(self, pool):
        feats = torch.rand(3, 5, 8, 4) + 0.1
        striped = StripePooling(pool, num_stripes=4)(feats)
        parts = [StripePooling(pool)(part) for part in feats.split(2, dim=2)]
        expected = torch.stack(parts, dim=2).flatten(1)
        torch.testing.assert_close(striped, expected)

    def test_gem_lies_between_average_and_maximum(self):
        feats = torch.rand(3, 5, 8, 4) + 0.1
        average, gem, maximum = (StripePooling(p)(feats) for p in ('avg', 'gem', 'max'))
        assert (average <= gem).all()
        assert (gem <= maximum).all()

    def test_bad_options(self):
        with pytest.raises(ValueError, match=r"pool must be one of .* got 'sum'"):
            StripePooling('sum')
        with pytest.raises(ValueError, match='num_stripes must be at least 1, but got 0'):
            StripePooling(num_stripes=0)


class TestNeck:
    def test_is_the_fpn_without_extra_levels(self):
        torch.manual_seed(0)
        neck, fpn = CLSANeck([4, 8, 16], 6), FPN([4, 8, 16], 6, num_outs=3)
        fpn.load_state_dict(neck.state_dict())
        maps = [torch.randn(2, c, s, s) for c, s in ((4, 16), (8, 8), (16, 4))]
        for ours, theirs in zip(neck(maps), fpn(maps)):
            torch.testing.assert_close(ours, theirs)

    @pytest.mark.parametrize('channels', [[8], [1, 2, 3, 4, 5]])
    def test_number_of_stages(self, channels):
        with pytest.raises(ValueError, match='2 to 4 backbone stages'):
            CLSANeck(channels)


class TestSceneReID:
    def build(self, **options):
        cfg = scene_reid_cfg([4, 4, 4])
        cfg.pop('type')
        return SceneReID(**{**cfg, **options})

    def test_every_level_sees_every_person(self):
        reid = self.build().eval()
        maps = tuple(torch.randn(2, 4, 64 // s, 64 // s, requires_grad=True) for s in (8, 16, 32))
        boxes = [torch.tensor([[0.0, 0.0, 12.0, 24.0]]), torch.tensor([[0.0, 0.0, 60.0, 64.0]])]
        feats = reid.extract(SceneBatch(maps, []), boxes)
        # Averaged already, as the head would do.
        assert [f.shape for f in feats] == [(2, 16, 1, 1)] * 3
        for level, feat in enumerate(feats):
            for person in range(2):
                grad = torch.autograd.grad(feat[person].sum(), maps[level], retain_graph=True)[0]
                assert grad[person].abs().sum() > 0
                assert grad[1 - person].abs().sum() == 0

    def test_wrong_numbers_of_levels(self):
        with pytest.raises(ConfigError, match=r'strides \(2\).*num_levels \(3\)'):
            self.build(strides=(8, 16))
        with pytest.raises(ConfigError, match='3 strides, but the backbone gives 2 maps'):
            self.build().extract(
                SceneBatch((torch.zeros(1, 4, 8, 8),) * 2, []), [torch.zeros(0, 4)]
            )


class TestCrops:
    def test_crop_at_its_own_size_is_a_cut(self):
        picture = torch.randint(0, 256, (3, 40, 30), dtype=torch.uint8)
        crop = crop_people(picture, torch.tensor([[5.0, 8.0, 15.0, 28.0]]), (20, 10))
        torch.testing.assert_close(crop[0], picture[:, 8:28, 5:15].float())

    def test_shrinking_averages(self):
        picture = torch.rand(3, 64, 32)
        crop = crop_people(picture, torch.tensor([[0.0, 0.0, 32.0, 64.0]]), (16, 8))
        torch.testing.assert_close(crop, F.avg_pool2d(picture[None], 4), atol=1e-5, rtol=0)

    def test_boxes_are_clipped_to_the_picture(self):
        picture = torch.rand(3, 20, 10)
        inside = crop_people(picture, torch.tensor([[0.0, 0.0, 10.0, 20.0]]), (8, 4))
        outside = crop_people(picture, torch.tensor([[-50.0, -3.0, 99.0, 21.0]]), (8, 4))
        torch.testing.assert_close(inside, outside)

    def test_memory_layout_does_not_matter(self):
        channels_last = torch.rand(20, 10, 3).permute(2, 0, 1)
        box = torch.tensor([[1.0, 2.0, 8.0, 17.0]])
        crop = crop_people(channels_last, box, (8, 4))
        torch.testing.assert_close(crop, crop_people(channels_last.contiguous(), box, (8, 4)))

    def test_nobody(self):
        assert crop_people(torch.rand(3, 9, 9), torch.zeros(0, 4), (8, 4)).shape == (0, 3, 8, 4)


class TestTrainingBoxes:
    def test_jitter_stays_within_its_amount(self):
        boxes = torch.tensor([[10.0, 20.0, 30.0, 80.0], [0.0, 0.0, 4.0, 8.0]])
        moved = jitter_boxes(boxes, 0.1, copies=50)
        size = (boxes[:, 2:] - boxes[:, :2]).repeat(50, 2)
        shift = (moved - boxes.repeat(50, 1)).abs()
        assert (shift <= 0.1 * size + 1e-4).all()
        assert (shift.max(dim=0).values > 0).all()

    def test_proposals_go_to_their_best_box(self):
        boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0]])
        proposals = torch.tensor(
            [[0.0, 0, 10, 9], [0, 0, 10, 8], [0, 0, 10, 7], [20, 0, 30, 10], [0, 0, 2, 2]]
        )
        chosen, owners = match_proposals(proposals, boxes, min_iou=0.5, max_per_person=2)
        assert chosen.tolist() == proposals[[0, 1, 3]].tolist()
        assert owners.tolist() == [0, 0, 1]

    @pytest.mark.parametrize(('m', 'n'), [(0, 2), (2, 0), (0, 0)])
    def test_nothing_to_match(self, m, n):
        chosen, owners = match_proposals(torch.rand(m, 4), torch.rand(n, 4), 0.5, 4)
        assert chosen.shape == (0, 4)
        assert owners.shape == (0,)


def test_crops_may_be_smaller_in_training():
    init_default_scope('mmclsa')
    _, sample = scene_sample((96, 128))
    scenes, boxes = SceneBatch(None, [sample]), [sample.gt_instances.bboxes]
    for smaller, expected in ((None, (64, 32)), ((48, 24), (48, 24))):
        branch = MODELS.build(dict(crop_reid_cfg(), train_crop_size=smaller))
        assert branch.train().cut(scenes, boxes).shape[2:] == expected
        assert branch.eval().cut(scenes, boxes).shape[2:] == (64, 32)
