"""The configs here, narrowed: stopped and resumed they are the unbroken run, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmclsa.compat import load_torch_file
from tests.fakes.datasets import make_fake_mot
from tests.helpers import REPO
from tests.test_engine.test_loops import assert_same

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason='to the bit on a CPU')
CONFIGS = REPO / 'configs' / 'clsa'


def scenes(root: Path) -> Config:
    """The end-to-end form: a detector, OIM's memory, two people a batch."""
    cfg = Config.fromfile(CONFIGS / 'clsa_tiny_synthetic.py')
    cfg.merge_from_dict(
        {
            'train_dataloader.batch_size': 4,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'train_dataloader.dataset.num_scenes': 16,
            'train_dataloader.dataset.img_size': (128, 96),
            'train_dataloader.dataset.num_identities': 6,
            'train_dataloader.sampler.num_persons': 2,
            'train_dataloader.sampler.num_batches': 3,
            'model.reid.head.num_identities': 6,
            'model.reid.head.loss_id.num_identities': 6,
            'model.reid.head.loss_id.queue_size': 7,
        }
    )
    return cfg


def crops(root: Path) -> Config:
    """The two-step form: MOT->PETS, a PersonCropDataset in a worker that lives on."""
    for number in range(2):
        make_fake_mot(root, f'seq{number}', num_frames=6, num_ids=3, seed=number)
    cfg = Config.fromfile(CONFIGS / 'clsa_mbv2_mot2pets.py')
    cfg.model.detector.init_cfg = cfg.model.reid.backbone.init_cfg = None
    cfg.merge_from_dict(
        {
            'model.reid.train_crop_size': (64, 32),
            'model.reid.head.num_identities': 6,
            'train_dataloader.batch_size': 4,
            'train_dataloader.sampler.num_persons': 2,
            'train_dataloader.sampler.num_instances': 2,
            'train_dataloader.sampler.num_batches': 3,
            'train_dataloader.dataset.num_identities': 6,
            'train_dataloader.dataset.dataset.data_root': str(root),
            'train_dataloader.dataset.dataset.sequences': ['seq*'],
        }
    )
    cfg.model.reid.head.loss_id.pop('num_identities', None)
    return cfg


def train(cfg: Config, work_dir: Path, hooks: tuple = (), **more: Any) -> None:
    cfg = cfg.copy()
    cfg.work_dir, cfg.log_level, cfg.experiment_name = str(work_dir), 'ERROR', str(work_dir)
    cfg.train_cfg.max_epochs = 2
    for name in ('val_dataloader', 'val_cfg', 'val_evaluator'):
        cfg[name] = None
    cfg.custom_hooks = list(hooks)
    cfg.update(more)
    Runner.from_cfg(cfg).train()


@pytest.mark.parametrize('make', [scenes, crops])
def test_stopped_and_resumed(tmp_path, make):
    """After the first epoch, and in the middle of the second."""
    cfg = make(tmp_path)
    train(cfg, tmp_path / 'whole')
    with pytest.raises(KeyboardInterrupt):
        train(cfg, tmp_path / 'between', hooks=({'type': 'CrashAt', 'step': 4},))
    assert (tmp_path / 'between' / 'last_checkpoint').read_text().endswith('epoch_1.pth')
    train(cfg, tmp_path / 'between', resume=True)
    with pytest.raises(SystemExit):
        train(cfg, tmp_path / 'within', hooks=({'type': 'SignalAt', 'step': 4},))
    saved = load_torch_file(tmp_path / 'within' / 'latest.pth')
    assert (saved['meta']['epoch'], saved['meta']['iter']) == (1, 5)
    torch.manual_seed(99)
    train(cfg, tmp_path / 'within', resume=True)
    whole, *resumed = (
        load_torch_file(tmp_path / name / 'epoch_2.pth') for name in ('whole', 'between', 'within')
    )
    for other in resumed:
        for part in ('state_dict', 'optimizer', 'param_schedulers'):
            assert_same(whole[part], other[part], part)
    if make is scenes:
        memory = {name: value for name, value in whole['state_dict'].items() if '.memory.' in name}
        assert {name.rsplit('.', 1)[1] for name in memory} >= {'table', 'queue', 'queue_pointer'}
