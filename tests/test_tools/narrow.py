"""Narrow models with weights, left as a training leaves them: for tools that compare models."""

from __future__ import annotations

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch.nn.functional import normalize

from mmclsa.registry import MODELS
from tests.helpers import REPO

CROPS = 'configs/clsa/clsa-twostep_yolox-narrow_1xb32-8e_synthetic-hard-crops.py'
SCENES = 'configs/clsa/clsa_faster-rcnn-narrow_1xb4-4e_synthetic-hard.py'
IDENTITIES = 6


def few_crops():
    cfg = Config.fromfile(REPO / CROPS)
    cfg.test_dataloader.dataset.dataset.update(num_scenes=10, num_identities=5)
    cfg.test_dataloader.batch_size = 4
    cfg.model.reid.head.loss_id.cosine_scale = 16
    return cfg


def few_scenes():
    cfg = Config.fromfile(REPO / SCENES)
    cfg.test_dataloader.dataset.update(num_scenes=8, num_identities=4)
    cfg.model.use_gt_boxes = True
    return cfg


def leave_model(cfg, folder, seed):
    """Initialise a model, with batch norms that differ, and leave it as a training does."""
    cfg.model.reid.head.num_identities = IDENTITIES
    init_default_scope('mmclsa')
    torch.manual_seed(seed)
    model = MODELS.build(cfg.model)
    for level in model.reid.head.levels:
        level.bn_neck.running_mean.normal_()
        level.bn_neck.running_var.uniform_(0.5, 2)
    for loss in model.reid.head.id_losses:
        if loss.has_memory:
            loss.memory.table.copy_(normalize(torch.randn_like(loss.memory.table)))
    folder.mkdir(parents=True)
    weights = folder / 'epoch_1.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, weights)
    (folder / 'last_checkpoint').write_text(str(weights))
    return weights
