# Faster R-CNN (ResNet-50, FPN) that finds people, and CLSA on the same backbone.
# The leaf fills in num_identities and queue_size from the data set's base.

# ImageNet ResNet-50: the file of this name in weights/, or where the environment variable
# MMCLSA_WEIGHTS points; where there is none it is downloaded once.
backbone_weights = 'mmclsa://resnet50_imagenet.pth'
num_levels = 3
embed_dims = 256  # of each level; ours
temperature = 3.0  # of the alignment; ours
# docs/recipe.md tells what these three were measured on, and how surely they win.
reid_weight = 0.1  # w_id
align_weight = 0.01  # w_align, of T^2 times the divergence; more of it lost
num_stripes = 4  # of a person that are pooled apart
# What lies by half or more on somebody whom the data set ignores is no background.
ignore_iof_thr = 0.5

model = dict(
    type='PersonSearcher',
    detector=dict(
        type='FasterRCNN',
        data_preprocessor=dict(
            type='DetDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_size_divisor=32,
        ),
        backbone=dict(
            type='ResNet',
            depth=50,
            num_stages=4,
            out_indices=(0, 1, 2, 3),
            frozen_stages=1,
            norm_cfg=dict(type='BN', requires_grad=True),
            norm_eval=True,
            style='pytorch',
            init_cfg=dict(type='Pretrained', checkpoint=backbone_weights),
        ),
        neck=dict(type='FPN', in_channels=[256, 512, 1024, 2048], out_channels=256, num_outs=5),
        rpn_head=dict(
            type='RPNHead',
            in_channels=256,
            feat_channels=256,
            anchor_generator=dict(
                type='AnchorGenerator',
                scales=[8],
                # People are upright: about 1:1 (a bust) to 3:1.
                ratios=[1.0, 2.0, 3.0],
                strides=[4, 8, 16, 32, 64],
            ),
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder',
                target_means=[0.0, 0.0, 0.0, 0.0],
                target_stds=[1.0, 1.0, 1.0, 1.0],
            ),
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
            loss_bbox=dict(type='L1Loss', loss_weight=1.0),
        ),
        roi_head=dict(
            type='StandardRoIHead',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor',
                roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
                out_channels=256,
                featmap_strides=[4, 8, 16, 32],
            ),
            bbox_head=dict(
                type='Shared2FCBBoxHead',
                in_channels=256,
                fc_out_channels=1024,
                roi_feat_size=7,
                num_classes=1,
                bbox_coder=dict(
                    type='DeltaXYWHBBoxCoder',
                    target_means=[0.0, 0.0, 0.0, 0.0],
                    target_stds=[0.1, 0.1, 0.2, 0.2],
                ),
                reg_class_agnostic=False,
                loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
                loss_bbox=dict(type='L1Loss', loss_weight=1.0),
            ),
        ),
        train_cfg=dict(
            rpn=dict(
                assigner=dict(
                    type='MaxIoUAssigner',
                    pos_iou_thr=0.7,
                    neg_iou_thr=0.3,
                    min_pos_iou=0.3,
                    match_low_quality=True,
                    ignore_iof_thr=ignore_iof_thr,
                ),
                sampler=dict(
                    type='RandomSampler',
                    num=256,
                    pos_fraction=0.5,
                    neg_pos_ub=-1,
                    add_gt_as_proposals=False,
                ),
                allowed_border=-1,
                pos_weight=-1,
                debug=False,
            ),
            rpn_proposal=dict(
                nms_pre=2000,
                max_per_img=1000,
                nms=dict(type='nms', iou_threshold=0.7),
                min_bbox_size=0,
            ),
            rcnn=dict(
                assigner=dict(
                    type='MaxIoUAssigner',
                    pos_iou_thr=0.5,
                    neg_iou_thr=0.5,
                    min_pos_iou=0.5,
                    match_low_quality=False,
                    ignore_iof_thr=ignore_iof_thr,
                ),
                sampler=dict(
                    type='RandomSampler',
                    num=128,
                    pos_fraction=0.5,
                    neg_pos_ub=-1,
                    add_gt_as_proposals=True,
                ),
                pos_weight=-1,
                debug=False,
            ),
        ),
        test_cfg=dict(
            rpn=dict(
                nms_pre=1000,
                max_per_img=300,
                nms=dict(type='nms', iou_threshold=0.7),
                min_bbox_size=0,
            ),
            # 0.01: detection recall and AP count from there; the search threshold is the metric's.
            rcnn=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.4), max_per_img=100),
        ),
    ),
    train_boxes=dict(proposals=True, min_iou=0.6, max_per_person=4),
    reid=dict(
        type='SceneReID',
        in_indices=(1, 2, 3),
        strides=(8, 16, 32),
        neck=dict(type='CLSANeck', in_channels=[512, 1024, 2048], out_channels=256),
        head=dict(
            type='MultiScaleReIDHead',
            in_channels=256,
            num_levels=num_levels,
            embed_dims=embed_dims,
            num_stripes=num_stripes,
            loss_id=dict(type='OIMLoss', loss_weight=reid_weight),
            loss_align=dict(
                type='SemanticAlignmentLoss', temperature=temperature, loss_weight=align_weight
            ),
        ),
        # A multiple of the stripes, so that averages need no RoIAlign (docs/training.md).
        roi_size=(16, 8),
    ),
)
