"""MMEngine's own options, tried on a narrow searcher: docs/training.md shows each."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from mmengine.config import Config
from mmengine.dist import init_dist
from mmengine.model import convert_sync_batchnorm
from mmengine.optim import OptimWrapper
from mmengine.registry import VISBACKENDS, init_default_scope
from mmengine.runner import turn_on_activation_checkpointing
from torch import nn

from mmclsa.engine.cost import record_saved_tensors
from mmclsa.models.reid.head import MultiScaleReIDHead
from tests.helpers import REPO
from tests.test_models.builders import batch, build_searcher, scene_sample, total_loss

IDS = torch.tensor([0, 0, 1, 1, 2, -1])


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmclsa')


def head(**options):
    torch.manual_seed(0)
    return MultiScaleReIDHead(
        num_identities=3,
        in_channels=8,
        num_levels=2,
        embed_dims=8,
        loss_id=dict(type='OIMLoss', queue_size=4),
        loss_align=dict(type='SemanticAlignmentLoss'),
        **options,
    )


def maps(seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(len(IDS), 8, 4, 2, generator=generator) for _ in range(2)]


class TestGradientAccumulation:
    def test_two_batches_make_a_step_of_their_mean_gradient(self):
        model, reference = head(), head()
        wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), accumulative_counts=2)
        wrapper.initialize_count_status(model, 0, 4)
        before = copy.deepcopy(model.state_dict())
        for step in range(2):
            with wrapper.optim_context(model):
                loss = total_loss(model.loss(maps(step), IDS))
            wrapper.update_params(loss)
            weight = model.levels[0].projection.weight
            assert torch.equal(weight, before['levels.0.projection.weight']) == (step == 0)
        for step in range(2):
            (total_loss(reference.loss(maps(step), IDS)) / 2).backward()
        for (name, p), q in zip(model.named_parameters(), reference.parameters()):
            if p.requires_grad:
                torch.testing.assert_close(p, q.detach() - 0.1 * q.grad, msg=name)

    def test_the_memory_takes_every_batch(self):
        model = head()
        for step in range(2):
            model.loss(maps(step), IDS)
        assert int(model.id_losses[0].memory.queue_pointer) == 2


class TestActivationCheckpointing:
    STAGES = tuple(f'detector.backbone.layer{stage}' for stage in (2, 3, 4))

    def step(self, prepare):
        """Return losses, gradients and saved bytes of one step."""
        searcher = build_searcher('faster_rcnn').train()
        # As the R50 configs have it; else a stage that runs twice would move them twice.
        searcher.detector.backbone.norm_eval = True
        searcher.detector.backbone.train()
        prepare(searcher)
        torch.manual_seed(1)
        inputs, samples = batch(searcher, [scene_sample((96, 128), people=4)], training=True)
        with record_saved_tensors(searcher) as saved:
            total = total_loss(searcher.loss(inputs, samples))
        total.backward()
        grads = {n: p.grad for n, p in searcher.named_parameters() if p.grad is not None}
        return total.item(), grads, saved.nbytes

    @pytest.mark.parametrize('way', ['mmengine', 'with_cp'])
    @pytest.mark.filterwarnings('ignore:torch.utils.checkpoint')
    def test_same_gradients_from_fewer_saved_tensors(self, way):
        def mmengine(searcher):
            turn_on_activation_checkpointing(searcher, list(self.STAGES))

        def with_cp(searcher):
            for stage in self.STAGES:
                for block in searcher.get_submodule(stage):
                    block.with_cp = True

        plain = self.step(lambda searcher: None)
        other = self.step(mmengine if way == 'mmengine' else with_cp)
        assert other[0] == pytest.approx(plain[0], rel=1e-5)
        assert other[1].keys() == plain[1].keys()
        for name, grad in plain[1].items():
            torch.testing.assert_close(other[1][name], grad, atol=1e-4, rtol=1e-3, msg=name)
        assert other[2] < 0.8 * plain[2]


class TestSyncBN:
    """In one process; over several it wants GPUs."""

    def test_conversion_reaches_every_batch_norm_neck(self):
        model = convert_sync_batchnorm(head())
        assert all(isinstance(level.bn_neck, nn.SyncBatchNorm) for level in model.levels)
        assert not model.levels[0].bn_neck.bias.requires_grad

    @pytest.mark.parametrize('min_people', [2, 8], ids=['batch', 'too few people'])
    def test_losses_and_guard_are_as_before(self, min_people):
        """Seen: the guard for small batches was lost with the module that held it."""
        plain = head(bn_min_people=min_people)
        converted = convert_sync_batchnorm(copy.deepcopy(plain))
        expected, found = plain.loss(maps(0), IDS), converted.loss(maps(0), IDS)
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, msg=name)
        for one, other in zip(converted.levels, plain.levels):
            torch.testing.assert_close(one.bn_neck.running_var, other.bn_neck.running_var)


def test_compiled_losses_are_the_losses():
    """Dynamo with the backend that only traces: the graphs break where the memory is."""
    plain, traced = head(), head()
    compiled = torch.compile(traced.loss, backend='eager')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for step in range(2):
            expected, found = plain.loss(maps(step), IDS), compiled(maps(step), IDS)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, msg=name)
    assert torch.equal(traced.id_losses[0].memory.table, plain.id_losses[0].memory.table)


class TestLogging:
    def test_tensorboard_is_one_line_of_a_config(self, tmp_path):
        pytest.importorskip('tensorboard')
        backend = VISBACKENDS.build(dict(type='TensorboardVisBackend', save_dir=str(tmp_path)))
        backend.add_scalar('loss_id_l0', 1.0, step=3)
        backend.close()
        assert list(tmp_path.glob('events.out.tfevents.*'))

    @pytest.mark.parametrize('name', ['TensorboardVisBackend', 'WandbVisBackend'])
    def test_they_are_known_by_name(self, name):
        assert VISBACKENDS.get(name) is not None


def test_time_out_of_collectives_is_plain_data(monkeypatch):
    """MMEngine makes a timedelta of the seconds in env_cfg.dist_cfg.timeout."""
    cfg = Config.fromfile(REPO / 'configs/clsa/clsa_r50_cuhk.py')
    assert cfg.env_cfg.dist_cfg.timeout == 1800
    seen = {}
    monkeypatch.setattr(
        'mmengine.dist.utils._init_dist_pytorch',
        lambda backend, init_backend, **options: seen.update(options, backend=backend),
    )
    init_dist('pytorch', **cfg.env_cfg.dist_cfg)
    assert seen['timeout'].total_seconds() == 1800
    assert seen['backend'] == 'nccl'
