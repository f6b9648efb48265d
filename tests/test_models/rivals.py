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


def narrow_r50(name: str) -> Config:
    """Read a method's config of ResNet-50 for PRW, with an eighth of the channels."""
    folder = name.partition('-')[0]
    cfg = Config.fromfile(REPO / f'configs/{folder}/{name}_r50_prw.py')
    detector, head = cfg.model.detector, cfg.model.reid.head
    detector.backbone.update(base_channels=8, stem_channels=8, init_cfg=None)
    detector.rpn_head.update(in_channels=128, feat_channels=128)
    for stage in (detector.roi_head, detector.roi_head.get('second_stage')):
        if stage is not None:
            stage.shared_head.update(base_channels=8, init_cfg=None)
            stage.bbox_roi_extractor.out_channels = 128
            stage.bbox_head.in_channels = 256
    head.in_channels = [channels // 8 for channels in head.in_channels]
    detector.test_cfg.rpn.max_per_img = 20
    detector.train_cfg.rpn_proposal.update(nms_pre=200, max_per_img=50)
    head.update(num_identities=NUM_IDENTITIES)
    return cfg


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
