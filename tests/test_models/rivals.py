"""The narrowed OIM, NAE and SeqNet of configs/, made narrower still."""

from __future__ import annotations

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmclsa.registry import MODELS
from tests.helpers import REPO
from tests.test_models.builders import NUM_IDENTITIES

RIVALS = ('oim', 'nae', 'seqnet', 'clsa-seqnet')
DIMS = 192


def rival_config(name: str) -> Config:
    """Read the narrowed config of a method."""
    folder = name.partition('-')[0]
    path = f'configs/{folder}/{name}_faster-rcnn-narrow_1xb4-4e_synthetic-hard.py'
    return Config.fromfile(REPO / path)


def build_rival(name: str, head: dict | None = None, **options):
    """Build the searcher from a fixed seed; every RoI counts as a detection."""
    init_default_scope('mmclsa')
    cfg = rival_config(name)
    cfg.merge_from_dict(
        {
            'model.reid.head.num_identities': NUM_IDENTITIES,
            'model.reid.head.loss_id.queue_size': 5,
            'model.detector.test_cfg.rcnn.score_thr': 0.0,
            'model.detector.test_cfg.rpn.max_per_img': 40,
        }
    )
    cfg.model.reid.head.update(head or {})
    torch.manual_seed(0)
    searcher = MODELS.build({**cfg.model, **options})
    searcher.init_weights()
    return searcher
