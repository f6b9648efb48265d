"""Options that fit a training to the hardware: what they do to the config and the run."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmclsa.engine import build_runner, set_amp, set_auto_scale_lr
from mmclsa.errors import ConfigError
from tests.helpers import REPO
from tests.test_engine.toy import toy_config


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmclsa')


class TestAmp:
    @pytest.fixture
    def gpu(self, monkeypatch):
        """Pretend that there is a GPU; the config alone is looked at."""
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda: True)

    @pytest.mark.parametrize(
        ('precision', 'dtype', 'scale'),
        [('fp16', 'float16', 'dynamic'), ('bf16', 'bfloat16', {'enabled': False})],
    )
    def test_config(self, gpu, precision, dtype, scale):
        cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper', accumulative_counts=2)))
        set_amp(cfg, precision)
        wrapper = cfg.optim_wrapper
        assert (wrapper.type, wrapper.dtype, wrapper.loss_scale) == (
            'AmpOptimWrapper',
            dtype,
            scale,
        )
        assert wrapper.accumulative_counts == 2

    def test_bare_option_is_fp16(self, gpu):
        cfg = Config(dict(optim_wrapper=dict(loss_scale=512.0)))
        set_amp(cfg)
        assert (cfg.optim_wrapper.dtype, cfg.optim_wrapper.loss_scale) == ('float16', 512.0)

    def test_a_gpu_without_bfloat16_is_named(self, gpu, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda: False)
        with pytest.raises(ConfigError, match='bf16 needs a GPU'):
            set_amp(Config(dict(optim_wrapper={})), 'bf16')

    @pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
    def test_no_gpu(self):
        with pytest.raises(ConfigError, match='--amp needs a GPU'):
            set_amp(Config(dict(optim_wrapper={})), 'bf16')

    def test_the_scaler_for_bf16_scales_nothing(self):
        """As AmpOptimWrapper builds it of loss_scale=dict(enabled=False)."""
        scaler = torch.amp.GradScaler('cuda', enabled=False)
        loss = torch.tensor(3.0)
        assert scaler.scale(loss) is loss


class TestAutoScaleLr:
    @pytest.mark.parametrize(
        ('batch_size', 'accumulative_counts', 'factor'), [(2, 1, 0.5), (2, 4, 2.0), (8, 1, 2.0)]
    )
    def test_rate_of_the_run(self, tmp_path, batch_size, accumulative_counts, factor):
        cfg = Config(toy_config(tmp_path, train_cfg={'by_epoch': True, 'max_epochs': 1}))
        cfg.auto_scale_lr = dict(enable=False, base_batch_size=4)
        cfg.train_dataloader.update(batch_size=batch_size, num_workers=0)
        cfg.optim_wrapper.accumulative_counts = accumulative_counts
        cfg.param_scheduler = None
        set_auto_scale_lr(cfg)
        cfg.dump(tmp_path / 'dump.py')
        cfg = Config.fromfile(tmp_path / 'dump.py')
        set_auto_scale_lr(cfg)  # once more, for a training from the dump
        runner = Runner.from_cfg(cfg)
        runner.train()
        assert runner.optim_wrapper.get_lr()['lr'][0] == pytest.approx(0.001 * factor)

    def test_headline_config_says_what_its_rate_is_for(self):
        cfg = Config.fromfile(REPO / 'configs/clsa/clsa_r50_cuhk.py')
        assert cfg.auto_scale_lr.enable is False
        assert cfg.auto_scale_lr.base_batch_size == cfg.train_dataloader.batch_size

    @pytest.mark.parametrize('scale', [None, dict(enable=False), dict(base_batch_size=0)])
    def test_config_without_it(self, scale):
        with pytest.raises(ConfigError, match='base_batch_size'):
            set_auto_scale_lr(Config(dict(auto_scale_lr=scale, optim_wrapper={})))


def test_the_runner_is_the_one_asked_for(tmp_path):
    assert isinstance(build_runner(Config(toy_config(tmp_path))), Runner)
    cfg = Config(toy_config(tmp_path, runner_type='FlexibleRunner', env_cfg={}))
    cfg.strategy = dict(type='SingleDeviceStrategy')
    assert type(build_runner(cfg)).__name__ == 'FlexibleRunner'
