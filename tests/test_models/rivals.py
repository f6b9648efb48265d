"""The narrowed OIM, NAE, SeqNet and COAT of configs/, made narrower still."""

from __future__ import annotations

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmclsa.registry import MODELS
from tests.helpers import REPO
from tests.test_models.builders import NUM_IDENTITIES

RIVALS = ('oim', 'nae', 'seqnet', 'clsa-seqnet', 'coat')
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
    stages = [detector.roi_head, *map(detector.roi_head.get, ('second_stage', 'third_stage'))]
    for stage in filter(None, stages):
        if name == 'coat':
            stage.shared_head.update(in_channels=128, embed_dims=64, out_channels=256, num_heads=2)
        else:
            stage.shared_head.update(base_channels=8, init_cfg=None)
        stage.bbox_head.in_channels = 256
        if 'bbox_roi_extractor' in stage:
            stage.bbox_roi_extractor.out_channels = 128
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


def memories(searcher) -> list:
    """The memories of a searcher's embeddings, one a stage that embeds."""
    head = searcher.reid.head
    return [part.id_losses[0].memory for part in getattr(head, 'stages', [head])]


def overlap(one, other) -> float:
    """IoU of two boxes."""
    wide = max(min(one[2], other[2]) - max(one[0], other[0]), 0)
    high = max(min(one[3], other[3]) - max(one[1], other[1]), 0)
    area = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)) - wide * high
    return float(wide * high / area)
