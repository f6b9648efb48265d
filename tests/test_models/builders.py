"""Narrow person searchers around MMDetection's own configs, and their inputs."""

import os.path as osp

import mmdet
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from mmclsa.registry import MODELS

NUM_IDENTITIES = 6
DETECTORS = ('faster_rcnn', 'yolox', 'deformable_detr')


def mmdet_model(path):
    """Read the model of one of MMDetection's own configs."""
    root = osp.join(osp.dirname(mmdet.__file__), '.mim', 'configs')
    model = Config.fromfile(osp.join(root, path)).model
    model.backbone.init_cfg = None
    return model


def faster_rcnn():
    model = mmdet_model('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py')
    model.backbone.update(base_channels=8, frozen_stages=-1, norm_eval=False)
    model.backbone.norm_cfg.requires_grad = True
    model.neck.update(in_channels=[32, 64, 128, 256], out_channels=16)
    model.rpn_head.update(in_channels=16, feat_channels=16)
    model.roi_head.bbox_roi_extractor.out_channels = 16
    model.roi_head.bbox_head.update(in_channels=16, fc_out_channels=32, num_classes=1)
    model.train_cfg.rpn_proposal.max_per_img = 50
    model.test_cfg.rpn.max_per_img = 50
    model.test_cfg.rcnn.score_thr = 0.0
    model.test_cfg.rcnn.max_per_img = 10
    return model, dict(channels=[64, 128, 256], in_indices=[1, 2, 3])


def yolox():
    model = mmdet_model('yolox/yolox_nano_8xb8-300e_coco.py')
    model.backbone.update(widen_factor=0.125)
    model.neck.update(in_channels=[32, 64, 128], out_channels=16, num_csp_blocks=1)
    model.bbox_head.update(in_channels=16, feat_channels=16, num_classes=1)
    model.data_preprocessor.batch_augments = None
    return model, dict(channels=[32, 64, 128], in_indices=None)


def deformable_detr():
    model = mmdet_model('deformable_detr/deformable-detr_r50_16xb2-50e_coco.py')
    model.backbone.update(base_channels=8, frozen_stages=-1, norm_eval=False)
    model.backbone.norm_cfg.requires_grad = True
    model.neck.update(
        in_channels=[64, 128, 256], out_channels=32, norm_cfg=dict(type='GN', num_groups=8)
    )
    model.num_queries = 20
    for part in (model.encoder, model.decoder):
        part.num_layers = 1
        part.layer_cfg.ffn_cfg.update(embed_dims=32, feedforward_channels=32)
        for key in ('self_attn_cfg', 'cross_attn_cfg'):
            if key in part.layer_cfg:
                part.layer_cfg[key].embed_dims = 32
    model.positional_encoding.num_feats = 16
    model.bbox_head.update(num_classes=1, embed_dims=32)
    model.test_cfg.max_per_img = 10
    return model, dict(channels=[64, 128, 256], in_indices=None)


def head_cfg(**options):
    return {
        'type': 'MultiScaleReIDHead',
        'num_identities': NUM_IDENTITIES,
        'in_channels': 16,
        'embed_dims': 8,
        'loss_align': dict(type='SemanticAlignmentLoss'),
        **options,
    }


def scene_reid_cfg(channels, in_indices=None, **head):
    return dict(
        type='SceneReID',
        in_indices=in_indices,
        neck=dict(type='CLSANeck', in_channels=channels, out_channels=16),
        head=head_cfg(**head),
        roi_size=(4, 2),
    )


def crop_reid_cfg(**head):
    return dict(
        type='CropReID',
        backbone=dict(type='mmdet.ResNet', depth=18, base_channels=8, out_indices=(1, 2, 3)),
        neck=dict(type='CLSANeck', in_channels=[16, 32, 64], out_channels=16),
        head=head_cfg(**head),
        crop_size=(64, 32),
    )


def build_searcher(name, reid='scene', head=None, **options):
    """Build a narrow searcher around one of DETECTORS, from a fixed seed."""
    init_default_scope('mmclsa')
    torch.manual_seed(0)
    detector, stages = {
        'faster_rcnn': faster_rcnn,
        'yolox': yolox,
        'deformable_detr': deformable_detr,
    }[name]()
    branch = (
        scene_reid_cfg(**stages, **(head or {}))
        if reid == 'scene'
        else crop_reid_cfg(**(head or {}))
    )
    searcher = MODELS.build(dict(type='PersonSearcher', detector=detector, reid=branch, **options))
    searcher.init_weights()
    return searcher


def scene_sample(size, people=3, ids=None, queries=0, scale=1.0):
    """Make a picture (3, H, W) and its data sample, with boxes in input pixels.

    ``scale`` is the factor from original to input pixels.
    """
    height, width = size
    picture = torch.randint(0, 256, (3, height, width), dtype=torch.uint8)
    corner = torch.rand(people, 2) * torch.tensor([width * 0.5, height * 0.5])
    extent = torch.rand(people, 2) * torch.tensor([width * 0.2, height * 0.2]) + 12
    boxes = torch.cat([corner, corner + extent], dim=1)
    sample = DetDataSample(
        metainfo=dict(
            img_id=f'{height}x{width}.jpg',
            img_shape=(height, width),
            ori_shape=(round(height / scale), round(width / scale)),
            batch_input_shape=(height, width),
            pad_shape=(height, width),
            scale_factor=(scale, scale),
        )
    )
    person_ids = torch.tensor(ids if ids is not None else list(range(people)), dtype=torch.int64)
    sample.gt_instances = InstanceData(
        bboxes=boxes, labels=torch.zeros(people, dtype=torch.int64), person_ids=person_ids
    )
    sample.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64)
    )
    sample.set_field(
        torch.randint(0, 256, (3, round(height / scale), round(width / scale)), dtype=torch.uint8),
        'original_image',
        dtype=torch.Tensor,
    )
    if queries:
        sample.query_instances = InstanceData(
            bboxes=boxes[:queries] / scale, query_ids=torch.arange(queries)
        )
    return picture, sample


def batch(searcher, scenes, training):
    """Run the data preprocessor over scenes, as a training or test step does."""
    pictures, samples = zip(*scenes)
    data = searcher.data_preprocessor(
        dict(inputs=list(pictures), data_samples=list(samples)), training=training
    )
    return data['inputs'], data['data_samples']


def total_loss(losses):
    values = [v if isinstance(v, list) else [v] for k, v in losses.items() if 'loss' in k]
    return sum(value for group in values for value in group)
